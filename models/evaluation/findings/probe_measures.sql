-- One row per written probe and finding that it was checked for: the measured value.
with

-- Whether the scores of an arm contradict the published band.
contradictions as (

    select
        pairs.round_number,
        pairs.probe_id,
        findings.finding,
        case findings.finding
            when 'answered_without_text' then (bins.band = 'easy')::integer
            when 'answered_from_another_document' then (bins.band = 'easy')::integer
            when 'unanswered_with_full_information' then (bins.band != 'easy')::integer
            -- Only a HARD probe can be hard for a wrong reason.
            else if(published_bins.band = 'hard', (bins.band = 'easy')::integer, null)
        end as value,
    from {{ ref('arm_pairs') }} as pairs
    join {{ ref('findings') }} as findings using (arm)
    join {{ ref('score_bins') }} as bins on {{ is_in_bin('pairs.score_max', 'bins') }}
    join {{ ref('score_bins') }} as published_bins
        on {{ is_in_bin('pairs.published_score_max', 'published_bins') }}

),

shares as (

    select
        round_number,
        probe_id,
        unnest([
            'atom_in_complement',
            'atom_copied_in_complement',
            'atom_in_question',
            'question_copies_atom',
            'answer_in_complement',
            'question_quotes_answer',
            'answer_in_one_part'
        ]) as finding,
        unnest([
            atom_in_complement,
            atom_copied_in_complement,
            atom_in_question,
            atom_copied_in_question,
            answer_in_complement,
            answer_in_question,
            answer_in_one_part
        ]) as value,
    from {{ ref('probe_overlaps') }}

),

measured as (

    select * from contradictions
    union all by name
    select * from shares
    union all by name
    select
        round_number,
        probe_id,
        'near_duplicate' as finding,
        similarity as value,
    from {{ ref('near_duplicate_probes') }}
    union all by name
    select
        round_number,
        probe_id,
        unnest([
            'typicality_overstated',
            'typicality_understated',
            'wrong_answer_in_sibling',
            'wrong_answer_copied_from_sibling'
        ]) as finding,
        unnest([
            -- A label can be wrong in one direction only. Null for other labels, and if no continuation
            -- was shown that reaches the atom.
            case
                when claimed_typicality = 'typical' and n_typical > 0
                    then 1 - least(n_shown_recurring / n_typical, 1)
            end,
            case
                when claimed_typicality = 'atypical' and n_typical > 0
                    then least(n_shown_recurring / n_typical, 1)
            end,
            wrong_answer_in_sibling,
            wrong_answer_copied_from_sibling
        ]) as value,
    from {{ ref('typicality_audits') }}

)

select
    round_number,
    probe_id,
    finding,
    value,
from measured
where value is not null
order by round_number, probe_id, finding
