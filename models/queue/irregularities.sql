-- One row per kind of thing that went wrong between us and a provider, with how often it did.
with

seen as (

    select
        'batch not heard of, and found' as kind,
        count(*) as n,
        'Its taking was not heard of; it was found in the provider''s list, and not sent again.'
            as meaning,
    from {{ ref('stg_batches') }}
    where was_adopted
    union all
    select
        'batch refused' as kind,
        count(*) as n,
        'Nothing of it was asked or paid; its requests went into other batches.' as meaning,
    from {{ ref('stg_batches') }}
    where state = 'released'
    union all
    select
        'second copy canceled' as kind,
        count(*) as n,
        'The provider took a batch twice; what of the copy was answered is billed, and no part of spend.'
            as meaning,
    from {{ ref('stg_disowned_batches') }}
    where reason = 'surplus'
    union all
    select
        'foreign batch' as kind,
        count(*) as n,
        'Somebody else''s batch of the same size was taken for ours until its results came.'
            as meaning,
    from {{ ref('stg_disowned_batches') }}
    where reason = 'foreign'
    union all
    select
        'stray line of results' as kind,
        count(*) as n,
        'It answers no request of its batch, or cannot be read; kept in the landing file.'
            as meaning,
    from {{ ref('stg_stray_results') }}
    union all
    select
        'result missing' as kind,
        count(*) as n,
        'The results do not speak of the request, though it may be billed; it was asked again.'
            as meaning,
    from {{ ref('stg_responses') }}
    where outcome = 'missing'

)

select *
from seen
where n > 0
order by kind
