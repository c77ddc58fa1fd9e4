-- One row per probe that a text reader has read: the reader that is the most certain to prefer atoms on the
-- other half of the documents, by scope and target, or else a guess, and its accuracy on the probe. Null if
-- the other half has fewer than five documents: they can choose no reader, and a guess would be too weak.
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
        -- Nobody is shown this interval, so five documents are enough.
        {{ interval_of_documents('share_interval', 'accuracy', 'n_probes') }} as accuracy_interval,
    from by_document
    group by reader, scope, target, half

),

compared as (

    select
        readers.probe_id,
        readers.reader,
        readers.accuracy,
        chosen_on.accuracy_interval.low as certain_accuracy,
    from readers
    join chosen_on
        on
            readers.reader = chosen_on.reader
            and readers.scope = chosen_on.scope
            and readers.target = chosen_on.target
            and readers.half != chosen_on.half
    where certain_accuracy is not null

),

chosen as (

    select
        probe_id,
        arg_max(reader, (certain_accuracy, reader)) as reader,
        arg_max(accuracy, (certain_accuracy, reader)) as accuracy,
    from compared
    where certain_accuracy > 0.5
    group by probe_id

)

select
    read.probe_id,
    read.half,
    case when compared.probe_id is not null then coalesce(chosen.reader, 'guess') end as reader,
    case when compared.probe_id is not null then coalesce(chosen.accuracy, 0.5) end as accuracy,
from (select distinct probe_id, half from readers) as read
left join (select distinct probe_id from compared) as compared using (probe_id)
left join chosen using (probe_id)
order by read.probe_id
