-- No question mentions how the probe was made, unless the document has the word itself, and none contains its
-- atom (lens templates exempt).
select
    doc_id,
    slot_idx,
from {{ ref('train') }}
where
    regexp_matches(
        lower(verbalizer_prompt),
        '\b(in|from) the (prefix|suffix)\?|\b(after|before|at) the split\?'
    )
    and not regexp_matches(lower(doc), 'prefix|suffix|split')
    or scope = 'word'
    and list_contains(
        string_split_regex(lower(verbalizer_prompt), '[^\p{L}\p{N}\p{M}''’-]+'), lower(atom_text)
    )
    or scope not in ('word', 'lens')
    and position(lower(atom_text) in lower(verbalizer_prompt)) > 0
