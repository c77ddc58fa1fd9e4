-- The index of a word is its number among all words of its side, and it is a content word.
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

)

select
    words.probe_id,
    words.signed_index,
    words.n_words_to_atom,
    count(*) as n_words,
from words
left join {{ ref('stop_words') }} as stop_words
    on words.word.word = stop_words.word and words.word.starts_at = words.atom_start
where
    case words.target
        when 'suffix' then words.word.starts_at between words.split_offset and words.atom_start
        else words.word.starts_at >= words.atom_start and words.word.starts_at < words.split_offset
    end
group by all
having
    count(*) != abs(words.signed_index)
    or count(*) != abs(words.n_words_to_atom) + 1
    or count(stop_words.word) > 0
