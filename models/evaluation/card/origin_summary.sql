-- One row per scope, target and origin of the atom: probes and scores.
select
    train.scope,
    min(train.slot_idx)::bigint as scope_order,
    train.target,
    train.atom_origin,
    count(*) as n_probes,
    count(scored.band) as n_scored,
    avg(scored.score_mean) as score_mean,
    avg(scored.score_max) as score_max_mean,
    avg((scored.band = 'hard')::integer) as hard_share,
    avg((scored.band = 'easy')::integer) as easy_share,
from {{ ref('train') }} as train
left join {{ ref('scored_probes') }} as scored using (source_model, doc_id, slot_idx)
group by train.scope, train.target, train.atom_origin
order by scope_order, train.target, train.atom_origin
