-- One row per document of a round that was split: its splits, and what the generator stated about it.
{{ config(materialized='view') }}

select
    chosen.round_number,
    chosen.doc_id,
    chosen.document_id,
    splits.row_splits,
    {{ text_or_null('chosen.output.document_rationale') }} as doc_choice_rationale,
    {{ text_or_null('chosen.output.split_rationale') }} as split_rationale,
    chosen.generator_model,
    coalesce(prices.model_family, chosen.generator_model) as written_source,
from {{ ref('chosen_documents') }} as chosen
join (
    select
        round_number,
        doc_id,
        {
            'word_lens': (max(split_offset) filter (where split_group = 'word_lens'))::bigint,
            'sentence': (max(split_offset) filter (where split_group = 'sentence'))::bigint,
            'paragraph': (max(split_offset) filter (where split_group = 'paragraph'))::bigint,
            'whole': (max(split_offset) filter (where split_group = 'whole'))::bigint
        } as row_splits,
    from {{ ref('splits') }}
    group by round_number, doc_id
) as splits
    on chosen.round_number = splits.round_number and chosen.doc_id = splits.doc_id
left join {{ ref('model_prices') }} as prices on chosen.generator_model = prices.model

union all by name

select * exclude (source_model)
from {{ ref('adopted_documents') }}
