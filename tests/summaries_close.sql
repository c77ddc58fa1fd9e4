-- The sums of the summaries are the counts of what they sum up.
with

sums as (

    select
        (select sum(n_probes) from {{ ref('scope_summary') }}) as scope_probes,
        (select count(*) from {{ ref('train') }}) as published_probes,
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
        (select count(*) from {{ ref('slots') }} where state = 'rejected') as rejected_slots,
        (select sum(n_probes) from {{ ref('typicality_splits') }}) as typicality_probes,
        (select count(*) from {{ ref('train') }} where target = 'suffix') as suffix_probes,
        (select sum(n_probes) from {{ ref('complement_cut_summary') }}) as cut_scored,
        (select sum(n_answers) from {{ ref('answer_formats') }}) as generator_answers,
        (select count(*) from {{ ref('generator_requests') }}) as generator_requests,

)

select *
from sums
where
    coalesce(scope_probes, 0) != published_probes
    or coalesce(scope_scored, 0) != published_scored
    or coalesce(histogram_scored, 0) != published_scored
    or coalesce(cut_scored, 0) != published_scored
    or coalesce(unscored, 0) != published_unscored
    or coalesce(rejected, 0) != rejected_slots
    or coalesce(typicality_probes, 0) != suffix_probes
    or coalesce(generator_answers, 0) != generator_requests
