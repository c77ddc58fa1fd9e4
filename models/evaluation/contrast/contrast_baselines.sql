-- One row per probe that a text reader has read: the reader that is the most certain to prefer atoms on the
-- other half of the documents, by scope and target, or else a guess, and its accuracy on the probe.
with

readers as (

    select
        margins.method || ', ' || margins.measure as reader,
        margins.probe_id,
        margins.accuracy,
        margins.scope,
        margins.target,
        margins.source_model,
        margins.doc_id,
        halves.half,
    from {{ ref('contrast_margins') }} as margins
    join {{ ref('document_halves') }} as halves using (source_model, doc_id)
    where margins.is_text_only

),

by_document as (

    select
        reader,
        scope,
        target,
        half,
        source_model,
        doc_id,
        count(*) as n_probes,
        sum(accuracy) as accuracy,
    from readers
    group by all

),

-- The lower end, so that few probes, or many readers, do not decide by luck.
chosen_on as (

    select
        reader,
        scope,
        target,
        half,
        {{ share_interval('accuracy', 'n_probes') }} as accuracy_interval,
    from by_document
    group by reader, scope, target, half

),

chosen as (

    select
        readers.probe_id,
        readers.half,
        arg_max(readers.reader, (chosen_on.accuracy_interval.low, readers.reader)) as reader,
        arg_max(readers.accuracy, (chosen_on.accuracy_interval.low, readers.reader)) as accuracy,
    from readers
    join chosen_on
        on
            readers.reader = chosen_on.reader
            and readers.scope = chosen_on.scope
            and readers.target = chosen_on.target
            and readers.half != chosen_on.half
    where chosen_on.accuracy_interval.low > 0.5
    group by readers.probe_id, readers.half

)

select
    probe_id,
    read.half,
    coalesce(chosen.reader, 'guess') as reader,
    coalesce(chosen.accuracy, 0.5) as accuracy,
from (select distinct probe_id, half from readers) as read
left join chosen using (probe_id)
order by probe_id
