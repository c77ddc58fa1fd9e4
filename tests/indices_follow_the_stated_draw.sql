-- Drawn indices are log-uniform over those that exist on their side, in two ways.
-- Strata: the k atoms of a side lie one in each k-th part of the distribution with weights 1/n. Exactly so
-- where no index has more than a k-th of all weight; the other sides are left out.
-- Mean: by scope and target, their mean logarithm differs by less than five standard errors from the stated.
with

-- Materialized: the window would carry the complete text of each document with every candidate.
found as materialized (

    select
        candidates.round_number,
        candidates.doc_id,
        candidates.scope,
        candidates.target,
        candidates.n,
    from (
        select * from {{ ref('word_candidates') }}
        union all by name
        select * from {{ ref('lens_candidates') }}
    ) as candidates
    join {{ ref('verbalizer_templates') }} as templates using (scope, target)
    join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
    join {{ ref('documents') }} as documents on chosen.document_id = documents.document_id
    where
        not {{ is_blank(text_between('documents.text', 'candidates.atom_start', 'candidates.atom_end')) }}
        and (
            candidates.scope = 'lens'
            or not list_contains({{ words_of('templates.template') }}, lower(candidates.atom_text))
        )

),

candidates as (

    select
        *,
        sum(1 / n) over (
            partition by round_number, doc_id, scope, target order by n
        ) as weight_so_far,
    from found

),

stated as (

    select
        round_number,
        doc_id,
        scope,
        target,
        sum(1 / n) as weight,
        max(1 / n) / weight as largest_share,
        sum(ln(n) / n) / weight as mean,
        sum(ln(n) * ln(n) / n) / weight - mean * mean as variance,
    from found
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
        row_number() over (
            partition by round_number, doc_id, scope, target order by n
        ) as place,
    from {{ ref('templated_atoms') }}
    where n is not null

),

placed as (

    select
        drawn.*,
        stated.mean,
        stated.variance,
        candidates.weight_so_far / stated.weight as share_to,
        share_to - 1 / drawn.n / stated.weight as share_from,
    from drawn
    join stated using (round_number, doc_id, scope, target)
    left join candidates using (round_number, doc_id, scope, target, n)
    where stated.largest_share * drawn.n_slots <= 1

)

select
    'strata' as fault,
    scope,
    target,
    count(*) as n_drawn,
    null as standard_errors,
from placed
where
    coalesce(
        share_to < (place - 1) / n_slots - 1e-6 or share_from > place / n_slots + 1e-6, true
    )
group by scope, target

union all

select
    'mean' as fault,
    scope,
    target,
    count(*) as n_drawn,
    sum(ln(n) - mean) / sqrt(sum(variance)) as standard_errors,
from placed
group by scope, target
having abs(standard_errors) >= 5
