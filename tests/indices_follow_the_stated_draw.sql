-- Drawn indices are log-uniform over those that exist on their side: by scope and target, their mean
-- logarithm differs by less than five standard errors from that of weights 1/n. Sides where one index has so
-- much of the weight that two slots can fall on it are left out.
with

candidates as (

    select round_number, doc_id, scope, target, n from {{ ref('word_candidates') }}
    union all
    select round_number, doc_id, scope, target, n from {{ ref('lens_candidates') }}

),

stated as (

    select
        round_number,
        doc_id,
        scope,
        target,
        max(1 / n) / sum(1 / n) as largest_share,
        sum(ln(n) / n) / sum(1 / n) as mean,
        sum(ln(n) * ln(n) / n) / sum(1 / n) - mean * mean as variance,
    from candidates
    group by all

),

drawn as (

    select
        round_number,
        doc_id,
        scope,
        target,
        n,
        count(*) over (partition by round_number, doc_id, scope, target) as n_slots,
    from {{ ref('templated_atoms') }}
    where n is not null

)

select
    drawn.scope,
    drawn.target,
    count(*) as n_drawn,
    sum(ln(drawn.n) - stated.mean) / sqrt(sum(stated.variance)) as standard_errors,
from drawn
join stated using (round_number, doc_id, scope, target)
where stated.largest_share * drawn.n_slots <= 1
group by drawn.scope, drawn.target
having abs(standard_errors) >= 5
