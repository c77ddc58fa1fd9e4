-- One row per round, scope and target: weights of the candidates, under which the wrong answers that are
-- drawn differ from their atoms in no measured respect on average. From at most 2,000 probes.
with

sampled as (

    select
        candidates.round_number,
        candidates.doc_id,
        candidates.slot_idx,
    from {{ ref('wrong_answer_measures') }} as candidates
    join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
    where candidates.candidate = 0
    qualify
        row_number() over (
            partition by candidates.round_number, candidates.scope, candidates.target
            order by chosen.row_seed, candidates.doc_id, candidates.slot_idx
        ) <= 2000

),

pools as (

    select
        candidates.round_number,
        candidates.scope,
        candidates.target,
        candidates.doc_id,
        candidates.slot_idx,
        list(candidates.differences order by candidates.candidate) as differences,
    from {{ ref('wrong_answer_measures') }} as candidates
    semi join sampled using (round_number, doc_id, slot_idx)
    where candidates.candidate > 0
    group by all

)

select
    round_number,
    scope,
    target,
    count(*) as n_probes,
    balancing_weights(list(differences order by doc_id, slot_idx), false) as weights,
from pools
group by round_number, scope, target
order by round_number, scope, target
