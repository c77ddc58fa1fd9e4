-- One row per written probe with an earlier one in its document: the most similar earlier probe.
with

texts as (

    select
        probes.round_number,
        probes.doc_id,
        probes.slot_idx,
        probes.probe_id,
        list_distinct(list_concat(words.question_words, words.answer_words)) as words,
    from {{ ref('probes') }} as probes
    join {{ ref('probe_words') }} as words using (probe_id)

),

pairs as (

    select
        later.round_number,
        later.probe_id,
        earlier.probe_id as earlier_probe_id,
        earlier.slot_idx as earlier_slot_idx,
        coalesce(
            len(list_intersect(later.words, earlier.words))
            / nullif(len(list_distinct(list_concat(later.words, earlier.words))), 0),
            0
        ) as similarity,
    from texts as later
    join texts as earlier
        on
            later.round_number = earlier.round_number
            and later.doc_id = earlier.doc_id
            and later.slot_idx > earlier.slot_idx

)

select
    round_number,
    probe_id,
    arg_max(earlier_probe_id, (similarity, -earlier_slot_idx)) as earlier_probe_id,
    max(similarity) as similarity,
from pairs
group by round_number, probe_id
order by round_number, probe_id
