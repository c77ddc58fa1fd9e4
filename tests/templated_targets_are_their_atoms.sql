-- The target response of a word or lens is its atom, and its wrong answer is written alike.
select
    doc_id,
    slot_idx,
from {{ ref('train') }}
where
    scope in ('word', 'lens')
    and (
        target_response is distinct from atom_text
        or (atom_text[1] = ' ') != (incorrect_plausible_answer[1] = ' ')
        or (
            upper(trim(atom_text)[1]) = trim(atom_text)[1]
            and lower(trim(atom_text)[1]) != trim(atom_text)[1]
        ) != (
            upper(trim(incorrect_plausible_answer)[1]) = trim(incorrect_plausible_answer)[1]
            and lower(trim(incorrect_plausible_answer)[1])
            != trim(incorrect_plausible_answer)[1]
        )
    )
