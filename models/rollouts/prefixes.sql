-- One row per prefix: whether a round may draw it, and if not, why.
select
    fitness.source_model,
    fitness.doc_id,
    fitness.n_rollouts,
    fitness.n_fit_rollouts,
    copies.similar_doc_id,
    coalesce(
        fitness.passed_over_reason,
        case when copies.doc_id is not null then 'near_duplicate' end
    ) as passed_over_reason,
from {{ ref('prefix_fitness') }} as fitness
left join {{ ref('similar_prefixes') }} as copies using (source_model, doc_id)
order by fitness.source_model, fitness.doc_id
