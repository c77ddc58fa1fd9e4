-- One row per probe: the text reader that was the most accurate on the other half of the documents, by scope
-- and target, among those that have read the probe, and its accuracy on the probe.
{% set n_guesses = 10 -%}
with

readers as (

    select
        margins.method || ', ' || margins.measure as reader,
        margins.probe_id,
        margins.accuracy,
        margins.scope,
        margins.target,
        halves.half,
    from {{ ref('contrast_margins') }} as margins
    join {{ ref('document_halves') }} as halves using (source_model, doc_id)
    where margins.is_text_only

),

-- Readers can have read different probes. Each counts as if it had guessed a few more, so that luck with few
-- probes does not decide.
chosen_on as (

    select
        reader,
        scope,
        target,
        half,
        (sum(accuracy) + {{ n_guesses }} / 2) / (count(*) + {{ n_guesses }}) as estimate,
    from readers
    group by reader, scope, target, half

)

select
    readers.probe_id,
    readers.half,
    arg_max(readers.reader, (chosen_on.estimate, readers.reader)) as reader,
    arg_max(readers.accuracy, (chosen_on.estimate, readers.reader)) as accuracy,
from readers
join chosen_on
    on
        readers.reader = chosen_on.reader
        and readers.scope = chosen_on.scope
        and readers.target = chosen_on.target
        and readers.half != chosen_on.half
group by readers.probe_id, readers.half
order by readers.probe_id
