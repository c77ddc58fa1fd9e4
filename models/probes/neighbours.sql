-- One row per chosen document, target side and other document of its round that is searched for a wrong
-- word or lens. The more similar the complements, the more plausible the wrong answer. Similarity is the
-- Jaccard similarity of the content words near the split.
with

placed as (

    select
        splits.round_number,
        splits.doc_id,
        splits.document_id,
        settings.max_neighbours,
        row_number() over (
            partition by splits.round_number
            order by {{ identity(['settings.seed', 'splits.doc_id', "'neighbours'"]) }}
        ) as place,
        count(*) over (partition by splits.round_number) as n_places,
    from {{ ref('splits') }} as splits
    join {{ ref('round_settings') }} as settings using (round_number)
    where splits.split_group = 'word_lens' and splits.split_offset is not null

),

pairs as (

    select
        placed.round_number,
        placed.doc_id,
        others.doc_id as other_doc_id,
        others.document_id as other_document_id,
    from placed
    cross join lateral range(1, placed.max_neighbours + 1) as steps (step)
    join placed as others
        on
            placed.round_number = others.round_number
            and (placed.place + steps.step - 1) % placed.n_places + 1 = others.place
    where steps.step < placed.n_places

),

complements as (

    select
        round_number,
        doc_id,
        case when side = 'prefix' then 'suffix' else 'prefix' end as target,
        list_distinct(list_transform(words, lambda x: x.word)) as words,
    from {{ ref('boundary_words') }}

),

shared as (

    select
        pairs.round_number,
        pairs.doc_id,
        own.target,
        pairs.other_doc_id,
        pairs.other_document_id,
        len(own.words) + len(others.words) as n_words,
        len(list_intersect(own.words, others.words)) as n_shared,
    from pairs
    join complements as own using (round_number, doc_id)
    join complements as others
        on
            pairs.round_number = others.round_number
            and pairs.other_doc_id = others.doc_id
            and own.target = others.target

)

select
    * exclude (n_words, n_shared),
    n_shared / (n_words - n_shared) as plausibility,
from shared
order by round_number, doc_id, target, plausibility desc, other_doc_id
