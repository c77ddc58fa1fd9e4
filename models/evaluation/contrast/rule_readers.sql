-- One row per rule and word or lens probe: its values of the atom and of the wrong answer. Rules need no
-- language model. The logistic rule weighs the others as fits the probes of the other half of the documents,
-- by scope and target.
{% set rules = ['overlap', 'length', 'frequency', 'n-gram'] -%}
with

pairs as (

    select
        probes.probe_id,
        probes.source_model,
        probes.doc_id,
        probes.scope,
        probes.target,
        halves.half,
        list_zip({{ rule_values('atoms') }}, {{ rule_values('wrong') }}) as in_pairs,
        -- What one of the two lacks tells neither.
        list_transform(in_pairs, lambda x: if(x[2] is null, 0, coalesce(x[1], 0))) as atom_values,
        list_transform(in_pairs, lambda x: if(x[1] is null, 0, coalesce(x[2], 0)))
            as wrong_answer_values,
        list_transform(
            list_zip(wrong_answer_values, atom_values), lambda x: x[1] - x[2]
        ) as differences,
    from {{ ref('probes') }} as probes
    join {{ ref('wrong_answers') }} as drawn using (round_number, doc_id, slot_idx)
    join {{ ref('wrong_answer_measures') }} as wrong
        using (round_number, doc_id, slot_idx, candidate)
    join {{ ref('wrong_answer_measures') }} as atoms
        on
            wrong.round_number = atoms.round_number
            and wrong.doc_id = atoms.doc_id
            and wrong.slot_idx = atoms.slot_idx
            and atoms.candidate = 0
    join {{ ref('document_halves') }} as halves using (source_model, doc_id)

),

fitted as (

    select
        scope,
        target,
        half,
        balancing_weights(
            list([differences] order by source_model, doc_id, probe_id), true
        ) as weights,
    from pairs
    group by scope, target, half

)

select
    'rule: ' || unnest({{ rules }}) as reader,
    'rule' as measure,
    probe_id,
    unnest(atom_values) as atom_value,
    unnest(wrong_answer_values) as wrong_answer_value,
from pairs

union all

select
    'rule: logistic' as reader,
    'rule' as measure,
    pairs.probe_id,
    list_dot_product(fitted.weights, pairs.atom_values) as atom_value,
    list_dot_product(fitted.weights, pairs.wrong_answer_values) as wrong_answer_value,
from pairs
join fitted
    on
        pairs.scope = fitted.scope
        and pairs.target = fitted.target
        and pairs.half != fitted.half
order by reader, probe_id
