-- One row per group of HARD probes and ordered pair of methods with a headline: by how much the first one's
-- is higher. Intervals are simultaneous over all pairs of a group.
with

by_document as (

    select
        scope,
        target,
        fold,
        oracle,
        source_model,
        doc_id,
        coalesce(sum(difference) filter (where condition = 'no_state'), 0) as no_state_difference,
        coalesce(sum(n_probes) filter (where condition = 'no_state'), 0) as no_state_probes,
        coalesce(sum(difference) filter (where condition = 'other_document_state'), 0)
            as other_state_difference,
        coalesce(sum(n_probes) filter (where condition = 'other_document_state'), 0)
            as other_state_probes,
    from {{ ref('oracle_document_effects') }}
    where band = 'hard'
    group by scope, target, fold, oracle, source_model, doc_id

),

-- With an interval (at least five documents) and without many gaps, under each condition.
numbered as (

    select
        by_document.*,
        dense_rank() over (
            partition by scope, target, fold order by source_model, doc_id
        ) - 1 as document_number,
        dense_rank() over (partition by scope, target, fold order by oracle) - 1 as method_number,
    from by_document
    semi join (
        select scope, target, fold, oracle
        from {{ ref('oracle_state_effects') }}
        where band = 'hard' and difference_low is not null and is_complete
        group by scope, target, fold, oracle
        having count(*) = 2
    ) as ranked using (scope, target, fold, oracle)

),

compared as (

    select
        scope,
        target,
        fold,
        list(distinct oracle order by oracle) as oracles,
        unnest(
            compare_methods(
                list(
                    [
                        document_number,
                        method_number,
                        no_state_difference,
                        no_state_probes,
                        other_state_difference,
                        other_state_probes
                    ]::double[]
                    order by document_number, method_number
                ),
                {{ var('bootstrap_replicates') }},
                {{ var('bootstrap_seed') }}
            ),
            recursive := true
        ),
    from numbered
    group by scope, target, fold

)

select
    scope,
    target,
    fold,
    oracles[method + 1] as oracle,
    oracles[other_method + 1] as other_oracle,
    (len(oracles) * (len(oracles) - 1) / 2)::bigint as n_pairs,
    {{ rounded('difference') }} as difference,
    {{ rounded('low') }} as difference_low,
    {{ rounded('high') }} as difference_high,
    difference_low > 0 as is_better,
from compared
order by scope, target, fold, oracle, other_oracle
