-- One row per group of HARD probes and ordered pair of methods with a headline: by how much the first one's
-- is higher, on the probes that both answered. Intervals are simultaneous over all pairs of a group.
with

-- With an interval and without many gaps, under each condition.
ranked as (

    select
        scope,
        target,
        fold,
        oracle,
        dense_rank() over (partition by scope, target, fold order by oracle) - 1 as method,
    from {{ ref('oracle_state_effects') }}
    where band = 'hard' and difference_low is not null and is_complete
    group by scope, target, fold, oracle
    having count(*) = 2

),

by_document as (

    select
        coalesce(effects.scope, 'all') as scope,
        coalesce(effects.target, 'all') as target,
        coalesce(effects.fold, 'all') as fold,
        effects.oracle,
        others.oracle as other_oracle,
        effects.source_model,
        effects.doc_id,
        effects.condition = 'no_state' as is_no_state,
        sum(effects.difference) as difference,
        sum(others.difference) as other_difference,
        count(*) as n_probes,
    from {{ ref('oracle_probe_effects') }} as effects
    join {{ ref('oracle_probe_effects') }} as others
        on
            effects.condition = others.condition
            and effects.probe_id = others.probe_id
            and effects.oracle < others.oracle
    where
        effects.band = 'hard'
        and effects.difference is not null
        and others.difference is not null
    group by
        effects.oracle,
        others.oracle,
        effects.source_model,
        effects.doc_id,
        effects.condition,
        cube (effects.scope, effects.target, effects.fold)
    having grouping(effects.fold) = 1 or effects.fold is not null

),

numbered as (

    select
        by_document.*,
        firsts.method,
        seconds.method as other_method,
        dense_rank() over (
            partition by by_document.scope, by_document.target, by_document.fold
            order by by_document.source_model, by_document.doc_id
        ) - 1 as document_number,
    from by_document
    join ranked as firsts using (scope, target, fold, oracle)
    join ranked as seconds
        on
            by_document.scope = seconds.scope
            and by_document.target = seconds.target
            and by_document.fold = seconds.fold
            and by_document.other_oracle = seconds.oracle

),

-- Documents with a probe that both answered under each condition.
shared as (

    select
        scope,
        target,
        fold,
        method,
        other_method,
        least(count(*) filter (where is_no_state), count(*) filter (where not is_no_state)) as n_documents,
    from numbered
    group by scope, target, fold, method, other_method
    having n_documents >= {{ var('min_documents') }}

),

compared as (

    select
        scope,
        target,
        fold,
        unnest(
            compare_methods(
                list(
                    [
                        document_number,
                        method,
                        other_method,
                        is_no_state::integer,
                        difference,
                        other_difference,
                        n_probes
                    ]::double[]
                    order by document_number, method, other_method, is_no_state
                ),
                {{ var('bootstrap_replicates') }},
                {{ var('bootstrap_seed') }}
            ),
            recursive := true
        ),
    from numbered
    semi join shared using (scope, target, fold, method, other_method)
    group by scope, target, fold

)

select
    compared.scope,
    compared.target,
    compared.fold,
    firsts.oracle,
    seconds.oracle as other_oracle,
    (count(*) over (partition by compared.scope, compared.target, compared.fold) / 2)::bigint as n_pairs,
    shared.n_documents,
    compared.n_no_state,
    compared.n_other_state,
    {{ rounded('compared.difference') }} as difference,
    {{ rounded('compared.low') }} as difference_low,
    {{ rounded('compared.high') }} as difference_high,
    difference_low > 0 as is_better,
from compared
join shared
    on
        compared.scope = shared.scope
        and compared.target = shared.target
        and compared.fold = shared.fold
        and least(compared.method, compared.other_method) = least(shared.method, shared.other_method)
        and greatest(compared.method, compared.other_method) = greatest(shared.method, shared.other_method)
join ranked as firsts
    on
        compared.scope = firsts.scope
        and compared.target = firsts.target
        and compared.fold = firsts.fold
        and compared.method = firsts.method
join ranked as seconds
    on
        compared.scope = seconds.scope
        and compared.target = seconds.target
        and compared.fold = seconds.fold
        and compared.other_method = seconds.method
order by compared.scope, compared.target, compared.fold, firsts.oracle, seconds.oracle
