-- The target response of a word or lens is its atom, and its wrong answer has the same form.
with

written as (

    select
        doc_id,
        slot_idx,
        target_response,
        atom_text,
        incorrect_plausible_answer,
        ltrim(atom_text, e' \t\r\n')[1] as first_right,
        ltrim(incorrect_plausible_answer, e' \t\r\n')[1] as first_wrong,
    from {{ ref('train') }}
    where scope in ('word', 'lens')

)

select
    doc_id,
    slot_idx,
from written
where
    target_response is distinct from atom_text
    or (atom_text[1] in (' ', e'\n')) != (incorrect_plausible_answer[1] in (' ', e'\n'))
    or (upper(first_right) = first_right and lower(first_right) != first_right)
    != (upper(first_wrong) = first_wrong and lower(first_wrong) != first_wrong)
