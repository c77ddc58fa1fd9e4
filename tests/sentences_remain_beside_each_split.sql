-- At least the required number of complete sentences is on each side of every split.
select
    splits.round_number,
    splits.doc_id,
    splits.split_group,
from {{ ref('splits') }} as splits
join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
join {{ ref('round_settings') }} as settings using (round_number)
where
    splits.split_offset is not null
    and least(
        len(list_filter(chosen.sentences, lambda x: x.ends_at <= splits.split_offset)),
        len(list_filter(chosen.sentences, lambda x: x.starts_at >= splits.split_offset))
    ) < settings.min_sentences_beside_split
