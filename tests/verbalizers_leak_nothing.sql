-- No question speaks of how its probe was made, and none contains its atom (lens templates exempt).
select
    doc_id,
    slot_idx,
from {{ ref('train') }}
where
    {{ mentions_split('verbalizer_prompt', 'doc') }}
    or scope = 'word'
    and list_contains(
        string_split_regex(lower(verbalizer_prompt), '[^\p{L}\p{N}\p{M}''’-]+'), lower(atom_text)
    )
    or scope not in ('word', 'lens')
    and position(lower(atom_text) in lower(verbalizer_prompt)) > 0
