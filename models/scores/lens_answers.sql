-- One row per lens and different answer to it, of a local model or an evaluated method: whether it is the
-- lens, and how many tokens it has in common with the lens, from the split outward.
with

answers as (

    select
        probe_id,
        answer,
    from {{ ref('stg_local_scores') }}
    where answer is not null
    union
    select
        probe_id,
        answer,
    from {{ ref('stg_oracle_answers') }}

),

lenses as (

    select
        probes.probe_id,
        probes.target,
        probes.document_id,
        probes.atom_start,
        probes.atom_end,
        documents.text,
        {{ lens_text(text_between('documents.text', 'probes.atom_start', 'probes.atom_end')) }} as lens,
    from {{ ref('probes') }} as probes
    join {{ ref('documents') }} as documents using (document_id)
    semi join answers using (probe_id)
    where probes.scope = 'lens'

),

tokens as (

    select
        bounds.document_id,
        list_filter(
            tokens.tokens,
            lambda token: token.starts_at >= bounds.starts_at and token.ends_at <= bounds.ends_at
        ) as tokens,
    from (
        select
            document_id,
            min(atom_start) as starts_at,
            max(atom_end) as ends_at,
        from lenses
        group by document_id
    ) as bounds
    join {{ ref('document_tokens') }} as tokens using (document_id)

),

-- The tokens of each lens, outward from the split.
outward as (

    select
        lenses.*,
        list_filter(
            tokens.tokens,
            lambda token: token.starts_at >= lenses.atom_start and token.ends_at <= lenses.atom_end
        ) as inside,
        if(lenses.target = 'suffix', inside, list_reverse(inside)) as tokens,
    from lenses
    join tokens using (document_id)

),

-- The length of the lens up to the far end of each token (a token of white space ends where the one before
-- it does), and the next character beyond the lens.
measured as (

    select
        probe_id,
        target,
        lens,
        list_transform(
            tokens,
            lambda token: length(
                {{ lens_text(text_between(
                    'text',
                    "if(target = 'suffix', atom_start, token.starts_at)",
                    "if(target = 'suffix', token.ends_at, atom_end)"
                )) }}
            )
        ) as ends,
        case
            when target = 'suffix' and not regexp_matches(text[atom_end], '\s') then text[atom_end + 1]
            when target = 'prefix' and not regexp_matches(text[atom_start + 1], '\s') then text[atom_start]
            else ''
        end as beyond,
    from outward

),

compared as (

    select
        measured.*,
        answers.answer,
        {{ unquoted(lens_text('answers.answer'), 'measured.lens') }} as given,
    from answers
    join measured using (probe_id)

),

-- The ends of the tokens up to which both are the same.
matched as (

    select
        *,
        list_filter(
            ends,
            lambda place: place > 0
            and if(
                target = 'suffix',
                left(given, place) = left(lens, place),
                right(given, place) = right(lens, place)
            )
        ) as same_ends,
        same_ends[-1] as place,
    from compared

),

-- The last character in common, and the next one in the answer and in the document.
beside as (

    select
        *,
        if(target = 'suffix', lens[place], lens[length(lens) - place + 1]) as last_character,
        if(target = 'suffix', given[place + 1], given[length(given) - place]) as next_given,
        if(
            target = 'suffix', (lens || beyond)[place + 1], (beyond || lens)[length(beyond || lens) - place]
        ) as next_character,
    from matched

),

-- A word that goes on in the answer, but not in the document, is another one.
common as (

    select
        *,
        if(
            {{ is_in_word('last_character') }}
            and {{ is_in_word('next_given') }}
            and not {{ is_in_word('next_character') }},
            list_filter(same_ends, lambda other: other < place)[-1],
            place
        ) as common_end,
    from beside

)

select
    probe_id,
    answer,
    len(ends) as n_tokens,
    given = lens as is_exact_match,
    case
        when common_end is null then 0
        when common_end = ends[-1] then len(ends)
        -- Tokens can end at the same place: the bytes of one character.
        else len(list_filter(ends, lambda place: place <= common_end))
    end as n_common_tokens,
    n_common_tokens / n_tokens as common_share,
from common
order by probe_id, answer
