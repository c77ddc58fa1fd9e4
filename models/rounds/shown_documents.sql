-- One row per document that a generator request shows, with the sentences at which each group of scopes
-- can split it.
with

shown as (

    select
        documents.round_number,
        documents.source_model,
        documents.doc_id,
        documents.row_seed,
        settings.min_sentences_beside_split,
        unnest(documents.continuation_idxs) as continuation_idx,
        generate_subscripts(documents.continuation_idxs, 1) as position,
    from {{ ref('round_documents') }} as documents
    join {{ ref('round_settings') }} as settings using (round_number)

),

measured as (

    select
        shown.*,
        documents.document_id,
        documents.text_hash,
        documents.text,
        documents.text_length,
        documents.prefix_length,
        units.sentences,
        len(units.sentences) as n_sentences,
        -- The first sentence that ends in text written by the source model.
        len(
            list_filter(units.sentences, lambda x: x.ends_at < documents.prefix_length)
        ) + 1 as first_own_sentence,
        -- The numbers of the first and the last sentence of each paragraph.
        list_transform(
            units.paragraphs,
            lambda x: {
                'first': 1 + len(list_filter(units.sentences, lambda y: y.starts_at < x.starts_at)),
                'last': len(list_filter(units.sentences, lambda y: y.starts_at < x.ends_at))
            }
        ) as paragraphs,
    from shown
    join {{ ref('documents') }} as documents using (source_model, doc_id, continuation_idx)
    join {{ ref('document_units') }} as units using (document_id)

),

-- Sentences with enough complete ones on both sides (for a split inside a sentence, without it) and a
-- place: white space after the sentence, or after a word of it that does not end before the model's text.
split as (

    select
        * exclude (min_sentences_beside_split, first_own_sentence, text, sentences),
        list_filter(
            range(
                greatest(first_own_sentence, min_sentences_beside_split),
                n_sentences - min_sentences_beside_split + 1
            ),
            lambda x: regexp_full_match(substr(text, sentences[x].ends_at + 1, 1), '[\s\p{Z}]')
        ) as sentence_splits,
        list_filter(
            range(
                greatest(first_own_sentence, min_sentences_beside_split + 1),
                n_sentences - min_sentences_beside_split + 1
            ),
            lambda x: regexp_matches(
                {{ text_between(
                    'text',
                    'greatest(sentences[x].starts_at, prefix_length - 1)',
                    'sentences[x].ends_at + 1'
                ) }},
                '[\p{L}\p{M}\p{N}][\s\p{Z}]'
            )
        ) as word_lens_splits,
    from measured

)

select
    * exclude (paragraphs, sentence_splits, word_lens_splits),
    'd' || position as label,
    word_lens_splits,
    sentence_splits,
    -- With a paragraph of at least two sentences that is part of the side.
    {% for target, is_on_side, n_on_side in [
        ('suffix', 'y.first > x', 'n_sentences - x'),
        ('prefix', 'y.last <= x', 'x'),
    ] -%}
    list_filter(
        sentence_splits,
        lambda x: len(
            list_filter(
                paragraphs,
                lambda y: y.last > y.first
                and {{ is_on_side }}
                and y.last - y.first + 1 < {{ n_on_side }}
            )
        ) > 0
    ) as paragraph_{{ target }}_splits,
    {% endfor -%}
    -- With parts of at least two paragraphs on the side.
    {% for target, is_on_side in [('suffix', 'y.last > x'), ('prefix', 'y.first <= x')] -%}
    list_filter(
        sentence_splits,
        lambda x: len(list_filter(paragraphs, lambda y: {{ is_on_side }})) >= 2
    ) as whole_{{ target }}_splits,
    {% endfor -%}
    len(word_lens_splits) > 0 and len(sentence_splits) > 0 as can_be_chosen,
from split
order by round_number, doc_id, position
