-- The sums of the summaries equal the counts of their tables.
with

sums as (

    select
        (select sum(n_probes) from {{ ref('scope_summary') }}) as scope_probes,
        (select count(*) from {{ ref('train') }}) as published_probes,
        (select sum(n_probes) from {{ ref('origin_summary') }}) as origin_probes,
        (select sum(n_scored) from {{ ref('origin_summary') }}) as origin_scored,
        (select sum(n_scored) from {{ ref('scope_summary') }}) as scope_scored,
        (select sum(n_probes) from {{ ref('score_histogram') }}) as histogram_scored,
        (
            select count(*) from {{ ref('train') }} where bb_answer_score_max is not null
        ) as published_scored,
        (select sum(n_probes) from {{ ref('unscored_summary') }}) as unscored,
        (
            select count(*) from {{ ref('train') }}
            where bb_answer_score_max is null and scope not in ('word', 'lens')
        ) as published_unscored,
        (select sum(n_slots) from {{ ref('rejection_summary') }}) as rejected,
        (
            select count(*)
            from {{ ref('slots') }} as slots
            join {{ ref('published_rounds') }} using (round_number)
            where slots.state = 'rejected'
        ) as rejected_slots,
        (select sum(n_probes) from {{ ref('published_rounds') }}) as round_probes,
        (select n_probes from {{ ref('totals') }}) as total_probes,
        (select n_scored + n_unscored from {{ ref('totals') }}) as total_written,
        (select sum(n_probes) from {{ ref('controls') }} where arm = 'complement')
            as written_probes,
        (select sum(n_requests) from {{ ref('requests') }}) as requests,
        (select count(*) from {{ ref('stg_requests') }}) as requests_landed,
        (select sum(n_probes) from {{ ref('typicality_splits') }}) as typicality_probes,
        (select count(*) from {{ ref('train') }} where target = 'suffix') as suffix_probes,
        (select sum(n_probes) from {{ ref('truncation_summary') }}) as cut_scored,
        (select sum(n_answers) from {{ ref('answer_formats') }}) as generator_answers,
        (
            select count(*) from {{ ref('generator_outputs') }} where attempt is not null
        ) as settled_answers,
        (select sum(n_answers) from {{ ref('model_summary') }} where stage != 'all')
            as model_answers,
        (select sum(n_succeeded) from {{ ref('spend') }}) as answers,
        (select sum(n_scored) from {{ ref('arm_summary') }}) as arm_scored,
        (select sum(n_scored) from {{ ref('controls') }}) as controls_scored,

)

select *
from sums
where
    coalesce(scope_probes, 0) != published_probes
    or coalesce(origin_probes, 0) != published_probes
    or coalesce(origin_scored, 0) != published_scored
    or coalesce(scope_scored, 0) != published_scored
    or coalesce(histogram_scored, 0) != published_scored
    or coalesce(cut_scored, 0) != published_scored
    or coalesce(unscored, 0) != published_unscored
    or coalesce(rejected, 0) != rejected_slots
    or coalesce(typicality_probes, 0) != suffix_probes
    or coalesce(generator_answers, 0) != settled_answers
    or coalesce(round_probes, 0) != published_probes
    or total_probes != published_probes
    or total_written != coalesce(written_probes, 0)
    or coalesce(requests, 0) != requests_landed
    or coalesce(model_answers, 0) != coalesce(answers, 0)
    or coalesce(arm_scored, 0) != coalesce(controls_scored, 0)
