-- One row per scope and typicality: suffix probes by band. Words and lenses, scored locally, have no band.
select
    train.scope,
    min(train.slot_idx)::bigint as scope_order,
    coalesce(train.typicality, 'neither') as typicality,
    count(*) as n_probes,
    sum((not train.is_nested)::integer)::bigint as n_not_nested,
    count(*) filter (where scored.band = 'hard') as n_hard,
    count(*) filter (where scored.band = 'middle') as n_middle,
    count(*) filter (where scored.band = 'easy') as n_easy,
    avg(scored.score_max) as score_max_mean,
from {{ ref('train') }} as train
left join {{ ref('scored_probes') }} as scored using (source_model, doc_id, slot_idx)
where train.target = 'suffix'
group by all
order by scope_order, typicality
