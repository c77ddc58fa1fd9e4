-- One row per prefix: whether a round may draw it, and if not, the reason.
select
    fitness.source_model,
    fitness.doc_id,
    fitness.n_rollouts,
    fitness.n_eligible_rollouts,
    copies.duplicate_of_doc_id,
    coalesce(
        fitness.exclusion_reason,
        case when copies.doc_id is not null then 'near_duplicate' end
    ) as exclusion_reason,
from {{ ref('prefix_eligibility') }} as fitness
left join {{ ref('near_duplicate_prefixes') }} as copies using (source_model, doc_id)
order by fitness.source_model, fitness.doc_id
