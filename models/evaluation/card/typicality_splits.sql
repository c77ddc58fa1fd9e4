-- One row per scope, typicality and band: suffix probes. Words and lenses, scored locally, have no band.
select
    train.scope,
    train.typicality,
    coalesce(scored.band, 'unscored') as band,
    count(*) as n_probes,
    avg(scored.score_max) as score_max_mean,
from {{ ref('train') }} as train
left join {{ ref('scored_probes') }} as scored using (source_model, doc_id, slot_idx)
where train.target = 'suffix'
group by all
order by min(train.slot_idx), train.typicality, band
