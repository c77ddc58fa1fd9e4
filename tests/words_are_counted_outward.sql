-- The index of a word is its rank among the content words of its side; the distance counts all words.
with

words as (

    select
        probes.probe_id,
        probes.signed_index,
        probes.n_words_to_atom,
        probes.atom_start,
        probes.target,
        probes.split_offset,
        unnest(units.words) as word,
    from {{ ref('probes') }} as probes
    join {{ ref('document_units') }} as units using (document_id)
    where probes.scope = 'word'

),

beside as (

    select
        words.probe_id,
        words.signed_index,
        words.n_words_to_atom,
        count(*) filter (where words.word.starts_at != words.atom_start) as n_words_nearer,
        count(*) filter (
            where stop_words.word is null and regexp_matches(words.word.word, '\p{L}')
        ) as n_content_words,
    from words
    left join {{ ref('stop_words') }} as stop_words on words.word.word = stop_words.word
    where
        case words.target
            when 'suffix' then words.word.starts_at between words.split_offset and words.atom_start
            else
                words.word.starts_at >= words.atom_start
                and words.word.starts_at < words.split_offset
        end
    group by all

)

select *
from beside
where
    n_content_words != abs(signed_index)
    or n_words_nearer != coalesce(abs(n_words_to_atom), 0)
