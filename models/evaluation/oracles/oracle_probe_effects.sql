-- One row per method, control condition (no state or another document's) and probe: its score with the real
-- state minus its score under the condition.
with

controls as (

    select distinct
        oracle,
        condition,
    from {{ ref('oracle_probes') }}
    where condition != 'real_state'

)

select
    given.oracle,
    controls.condition,
    given.probe_id,
    given.source_model,
    given.doc_id,
    given.is_written,
    given.scope,
    given.target,
    given.fold,
    given.band,
    -- An omitted answer scores 0, which must not pay where low scores do.
    given.n_answers > 0 and coalesce(withheld.n_answers, 0) = 0 as is_missing,
    given.n_answers > given.n_empty and coalesce(withheld.n_empty, 0) > 0 as is_empty,
    case when not is_missing then given.score_mean - withheld.score_mean end as difference,
from {{ ref('oracle_probes') }} as given
join controls on given.oracle = controls.oracle
left join {{ ref('oracle_probes') }} as withheld
    on
        given.oracle = withheld.oracle
        and given.probe_id = withheld.probe_id
        and controls.condition = withheld.condition
where given.condition = 'real_state'
order by given.oracle, controls.condition, given.probe_id
