-- One row per reason: slots without a probe, in all and by scope.
select
    rejection_reason,
    count(*) as n_slots,
    count(*) filter (where scope = 'word') as n_words,
    count(*) filter (where scope = 'lens') as n_lenses,
    count(*) filter (where scope = 'sentence') as n_sentences,
    count(*) filter (where scope = 'paragraph') as n_paragraphs,
    count(*) filter (where scope = 'whole') as n_wholes,
    any_value(meaning) as meaning,
from {{ ref('rejections') }}
group by rejection_reason
order by n_slots desc, rejection_reason
