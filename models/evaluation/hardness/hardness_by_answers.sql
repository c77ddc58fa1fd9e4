-- One row per scope and for all, threshold, kind of new answers and both numbers of answers: the probes that
-- some answers leave unsolved, and those of them that new answers solve. Nothing is assumed about the
-- distribution of solve rates, and no answer is projected.
with

thresholds as (

    select distinct solve_threshold from {{ ref('solve_counts') }}

),

-- Some of a probe's answers are drawn, the others are new: shares of all choices of that many.
chosen as (

    select
        scope,
        source_model,
        doc_id,
        solve_threshold,
        'published' as new_answers,
        drawn.n_drawn as n_answers,
        counts.n_answers - drawn.n_drawn as n_new_answers,
        list_product(
            list_transform(
                range(drawn.n_drawn),
                lambda i: (counts.n_answers - counts.n_solved - i) / (counts.n_answers - i)
            )
        ) as unsolved,
        (counts.n_solved = 0)::double as still_unsolved,
    from {{ ref('solve_counts') }} as counts
    cross join unnest(range(1, counts.n_answers + 1)) as drawn (n_drawn)

),

held_out as (

    select
        pairs.scope,
        pairs.source_model,
        pairs.doc_id,
        thresholds.solve_threshold,
        'held_out' as new_answers,
        -- All published answers, which set the band, however many new ones there are.
        pairs.n_published as n_answers,
        pairs.n_compared as n_new_answers,
        (pairs.published_score_max < thresholds.solve_threshold)::double as unsolved,
        (
            greatest(pairs.published_score_max, pairs.score_max) < thresholds.solve_threshold
        )::double as still_unsolved,
    from {{ ref('arm_pairs') }} as pairs
    cross join thresholds
    where pairs.arm = 'held_out'

),

by_document as (

    select
        coalesce(scope, 'all') as scope,
        solve_threshold,
        new_answers,
        n_answers,
        n_new_answers,
        source_model,
        doc_id,
        count(*) as n_probes,
        sum(unsolved) as unsolved,
        sum(unsolved - still_unsolved) as re_solved,
    from (
        from chosen
        union all by name
        from held_out
    )
    group by
        grouping sets (
            (solve_threshold, new_answers, n_answers, n_new_answers, source_model, doc_id),
            (solve_threshold, new_answers, n_answers, n_new_answers, source_model, doc_id, scope)
        )

),

summed as (

    select
        scope,
        solve_threshold,
        new_answers,
        n_answers,
        n_new_answers,
        sum(n_probes)::bigint as n_probes,
        count(*) as n_documents,
        sum(unsolved) / sum(n_probes) as unsolved,
        {{ share_interval('unsolved', 'n_probes') }} as unsolved_interval,
    from by_document
    group by scope, solve_threshold, new_answers, n_answers, n_new_answers

),

-- Documents without an unsolved probe say nothing about them.
of_unsolved as (

    select
        scope,
        solve_threshold,
        new_answers,
        n_answers,
        n_new_answers,
        sum(re_solved) / sum(unsolved) as re_solved,
        {{ share_interval('re_solved', 'unsolved') }} as re_solved_interval,
    from by_document
    where unsolved > 0 and n_new_answers > 0
    group by scope, solve_threshold, new_answers, n_answers, n_new_answers

)

select
    scope,
    solve_threshold,
    new_answers,
    n_answers,
    n_new_answers,
    new_answers = 'held_out' or (n_new_answers > 0 and n_answers - n_new_answers in (0, 1)) as is_headline,
    n_probes,
    n_documents,
    {{ rounded('unsolved') }} as unsolved,
    {{ rounded('unsolved_interval.low') }} as unsolved_low,
    {{ rounded('unsolved_interval.high') }} as unsolved_high,
    {{ rounded('re_solved') }} as re_solved,
    {{ rounded('re_solved_interval.low') }} as re_solved_low,
    {{ rounded('re_solved_interval.high') }} as re_solved_high,
from summed
left join of_unsolved using (scope, solve_threshold, new_answers, n_answers, n_new_answers)
order by scope, solve_threshold, new_answers, n_answers, n_new_answers
