-- One row per kind of incident that affects the spend or the answers that count, with its number.
with

seen as (

    select
        'batch without a reply' as kind,
        count(*) as n,
        'No reply to sending it; it was found in the provider''s list and not sent again.'
            as meaning,
    from {{ ref('stg_batches') }}
    where was_adopted
    union all
    select
        'batch refused' as kind,
        count(*) as n,
        'The provider did not accept it, so nothing is billed; its requests went into other batches.'
            as meaning,
    from {{ ref('stg_batches') }}
    where state = 'released'
    union all
    select
        'second copy canceled' as kind,
        count(*) as n,
        'The provider accepted a batch twice. Answers of the second copy are billed, but not in spend.'
            as meaning,
    from {{ ref('stg_disowned_batches') }}
    where reason = 'surplus'
    union all
    select
        'foreign batch' as kind,
        count(*) as n,
        'A batch of another user with the same size was mistaken for ours until its results arrived.'
            as meaning,
    from {{ ref('stg_disowned_batches') }}
    where reason = 'foreign'
    union all
    select
        'stray result line' as kind,
        count(*) as n,
        'It matches no request of its batch, or is unreadable; kept in the landing file.'
            as meaning,
    from {{ ref('stg_stray_results') }}
    union all
    select
        'schema refused' as kind,
        sum(n_refused) as n,
        'The provider takes no schema while the model thinks; its requests went on without the schema.'
            as meaning,
    from {{ ref('schema_trials') }}
    where is_refused
    union all
    select
        'missing result' as kind,
        count(*) as n,
        'The results do not contain the request, which might be billed; it was sent again.'
            as meaning,
    from {{ ref('stg_responses') }}
    where outcome = 'missing'
    union all
    select
        'not recorded' as kind,
        count(*) as n,
        'The recording has no response to the request: its slots are rejected, or its probe has no score.'
            as meaning,
    from (
        select request_id
        from {{ ref('attempts') }}
        group by request_id
        having arg_max(state, attempt) = 'not_recorded'
    )
    union all
    select
        'recorded under another wording' as kind,
        count(*) as n,
        'The recorded answer was given to the same input in another wording of the prompt.'
            as meaning,
    from {{ ref('recorded_responses') }}
    where is_other_wording
    union all
    select
        'answer without usage' as kind,
        count(*) as n,
        'The provider did not say how many tokens it took: its cost is unknown, and counts as the highest.'
            as meaning,
    from {{ ref('responses') }}
    where outcome = 'succeeded' and input_tokens is null
    union all
    select
        'answers under a reserved name' as kind,
        count(*) as n,
        'They landed under the name of a baseline that answers by itself: no table counts them.'
            as meaning,
    from {{ source('landing', 'oracle_answers') }}
    where {{ is_reserved_method('oracle', 'file_hash') }}

)

select *
from seen
where n > 0
order by kind
