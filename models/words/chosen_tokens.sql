-- One row per chosen document with a word and lens split, and token of its text, in order.
with

tokens as (

    select
        splits.document_id,
        generate_subscripts(tokens.tokens, 1) as token_number,
        unnest(tokens.tokens) as token,
    from (
        select distinct document_id
        from {{ ref('splits') }}
        where split_group = 'word_lens' and split_offset is not null
    ) as splits
    join {{ ref('document_tokens') }} as tokens using (document_id)

)

select
    document_id,
    token_number,
    token.starts_at,
    token.ends_at,
    -- Several tokens can share one code point.
    coalesce(lag(token.ends_at) over in_order, token.starts_at) = token.starts_at as starts_cleanly,
    coalesce(lead(token.starts_at) over in_order, token.ends_at) = token.ends_at as ends_cleanly,
from tokens
window in_order as (partition by document_id order by token_number)
order by document_id, token_number
