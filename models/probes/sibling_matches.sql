-- One row per drawn suffix word or lens and other continuation: how many of its tokens recur there.
-- A word recurs if the continuation contains it at a comparable place. A token of a lens recurs if the
-- continuation contains a run of three tokens of the lens with it there (the whole lens, if it is shorter).
with

atoms as (

    select
        atoms.round_number,
        atoms.doc_id,
        atoms.slot_idx,
        atoms.scope,
        atoms.atom_start,
        atoms.atom_end,
        {{ max_shift('documents.text_length', 'settings.position_tolerance') }} as max_shift,
        documents.text,
        case atoms.scope
            when 'word'
                then [{
                    'starts_at': atoms.atom_start,
                    'ends_at': atoms.atom_end
                }]
            else
                list_filter(
                    tokens.tokens,
                    lambda x: x.starts_at >= atoms.atom_start and x.ends_at <= atoms.atom_end
                )
        end as tokens,
    from {{ ref('templated_atoms') }} as atoms
    join {{ ref('documents') }} as documents using (document_id)
    join {{ ref('document_tokens') }} as tokens using (document_id)
    join {{ ref('round_settings') }} as settings using (round_number)
    where atoms.target = 'suffix' and atoms.rejection_reason is null

),

spanned as (

    select
        * exclude (tokens),
        len(tokens) as n_tokens,
        least(n_tokens, 3) as run_length,
        list_transform(
            range(1, n_tokens - run_length + 2),
            lambda i: {
                'starts_at': tokens[i].starts_at,
                'ends_at': tokens[i + run_length - 1].ends_at
            }
        ) as runs,
    from atoms

),

-- Marks tell complete words from parts of words. Only lenses are compared in their letter case.
written as (

    select
        * exclude (text, runs),
        list_transform(
            runs, lambda x: lower({{ text_between('text', 'x.starts_at', 'x.ends_at') }})
        ) as plain_runs,
        list_transform(
            runs,
            lambda x: case scope
                when 'word' then lower({{ marked_between('text', 'x.starts_at', 'x.ends_at') }})
                else {{ marked_between('text', 'x.starts_at', 'x.ends_at') }}
            end
        ) as marked_runs,
    from spanned

),

-- Those that the generator was shown, as documents or for comparison alone.
siblings as (

    select
        others.round_number,
        others.doc_id,
        others.other_document_id,
        others.prefix_length,
        rollouts.prefix || left(rollouts.continuation, others.kept_length) as text,
    from {{ ref('other_continuations') }} as others
    join {{ ref('stg_rollouts') }} as rollouts on others.other_document_id = rollouts.document_id
    where others.is_shown

),

-- A comparable place begins `max_shift` before the atom, in the continuation, and ends as far behind it.
places as (

    select
        written.*,
        siblings.other_document_id,
        greatest(written.atom_start - written.max_shift, siblings.prefix_length) as place_start,
        written.atom_end + written.max_shift as place_end,
        siblings.text,
        lower({{ text_between('siblings.text', 'place_start', 'place_end') }}) as plain_place,
    from written
    join siblings using (round_number, doc_id)

),

-- Marking a text is slow: only where a run occurs.
marked as (

    select
        * exclude (text),
        case
            when
                not list_bool_or(
                    list_transform(plain_runs, lambda x: contains(plain_place, x))
                )
                then ''
            when scope = 'word' then lower({{ marked_between('text', 'place_start', 'place_end') }})
            else {{ marked_between('text', 'place_start', 'place_end') }}
        end as marked_place,
    from places

),

found as (

    select
        *,
        list_filter(
            range(1, len(marked_runs) + 1), lambda i: contains(marked_place, marked_runs[i])
        ) as found_runs,
    from marked

)

select
    round_number,
    doc_id,
    slot_idx,
    other_document_id,
    n_tokens,
    len(
        list_filter(
            range(1, n_tokens + 1),
            lambda token: list_has_any(found_runs, range(token - run_length + 1, token + 1))
        )
    ) as n_recurring,
    n_recurring >= n_tokens * {{ var('min_recurrence_overlap') }} as recurs,
from found
order by round_number, doc_id, slot_idx, other_document_id
