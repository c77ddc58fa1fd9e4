-- One row per written probe: the content words of its texts, each word once.
with

texts as (

    select
        probes.probe_id,
        unnest(['atom', 'question', 'target', 'wrong']) as part,
        unnest([
            {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }},
            probes.verbalizer_prompt,
            probes.target_response,
            probes.incorrect_plausible_answer
        ]) as text,
    from {{ ref('probes') }} as probes
    join {{ ref('documents') }} as documents using (document_id)
    where probes.is_written

),

words as (

    select
        probe_id,
        part,
        unnest({{ words_of('text') }}) as word,
    from texts

),

-- Split like all texts here: `don't` is two words, neither of them a content word.
function_words as (

    select distinct unnest({{ words_of('word') }}) as word
    from {{ ref('stop_words') }}

),

content as (

    select distinct
        words.probe_id,
        words.part,
        words.word,
    from words
    anti join function_words using (word)

),

listed as (

    select
        probe_id,
        list(word order by word) filter (where part = 'atom') as atom_words,
        list(word order by word) filter (where part = 'question') as question_words,
        list(word order by word) filter (where part = 'target') as answer_words,
        list(word order by word) filter (where part = 'wrong') as wrong_answer_words,
    from content
    group by probe_id

)

select
    probes.round_number,
    probes.probe_id,
    coalesce(listed.atom_words, []) as atom_words,
    coalesce(listed.question_words, []) as question_words,
    coalesce(listed.answer_words, []) as answer_words,
    coalesce(listed.wrong_answer_words, []) as wrong_answer_words,
from {{ ref('probes') }} as probes
left join listed using (probe_id)
where probes.is_written
order by probes.round_number, probes.probe_id
