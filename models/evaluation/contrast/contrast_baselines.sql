-- One row per method, measure and group: the text-only baseline with the highest accuracy on the same
-- probes. Where it is accurate, the wrong answer may simply be implausible text.
{% set group = 'method, measure, scope, target, typicality, lens_length' -%}
with

by_document as (

    select
        methods.method,
        methods.measure,
        methods.scope,
        methods.target,
        methods.typicality,
        methods.lens_length,
        readers.method as reader,
        methods.source_model,
        methods.doc_id,
        count(*) as n_probes,
        sum(readers.accuracy) as baseline_accuracy,
        sum(methods.accuracy - readers.accuracy) as difference,
    from {{ ref('contrast_groups') }} as methods
    join {{ ref('contrast_margins') }} as readers using (probe_id, measure)
    where readers.is_text_only
    group by all

),

-- A baseline that covers only part of the probes is used only if there is no other.
best as (

    select
        {{ group }},
        reader,
    from by_document
    group by {{ group }}, reader
    qualify
        row_number() over (
            partition by {{ group }}
            order by sum(n_probes) desc, sum(baseline_accuracy) desc, reader
        ) = 1

)

select
    {{ group }},
    reader,
    sum(n_probes)::bigint as n_probes,
    sum(baseline_accuracy) / sum(n_probes) as baseline_accuracy,
    sum(difference) / sum(n_probes) as difference,
    {{ mean_interval('difference', 'n_probes') }} as difference_interval,
from by_document
semi join best using ({{ group }}, reader)
group by {{ group }}, reader
order by {{ group }}
