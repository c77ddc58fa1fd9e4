-- Drawn indices are log-uniform over those that exist on their side, in two ways.
-- Strata: the k atoms of a side lie one in each k-th part of the distribution with weights 1/n. Exactly so
-- where no index has more than a k-th of all weight; the other sides are left out.
-- Mean: by scope and target, their mean logarithm differs by less than five standard errors from the stated.
with

candidates as (

    select
        found.round_number,
        found.doc_id,
        found.scope,
        found.target,
        found.n,
        sum(1 / found.n) over side as weight_so_far,
        sum(1 / found.n) over (
            partition by found.round_number, found.doc_id, found.scope, found.target
        ) as weight,
    from (
        select * from {{ ref('word_candidates') }}
        union all by name
        select * from {{ ref('lens_candidates') }}
    ) as found
    join {{ ref('verbalizer_templates') }} as templates using (scope, target)
    join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
    join {{ ref('documents') }} as documents on chosen.document_id = documents.document_id
    where
        not {{ is_blank(text_between('documents.text', 'found.atom_start', 'found.atom_end')) }}
        and (
            found.scope = 'lens'
            or not list_contains({{ words_of('templates.template') }}, lower(found.atom_text))
        )
    window
        side as (
            partition by found.round_number, found.doc_id, found.scope, found.target
            order by found.n
        )

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
        candidates.weight_so_far / candidates.weight as share_to,
        share_to - 1 / drawn.n / candidates.weight as share_from,
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
