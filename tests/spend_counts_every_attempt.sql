-- Every attempt and every token that landed is in the spend.
with

spent as (

    select
        coalesce(sum(n_attempts), 0) as n_attempts,
        coalesce(sum(n_open + n_succeeded + n_failed), 0) as n_states,
        coalesce(
            sum(
                input_tokens
                + output_tokens
                + cache_write_five_minutes_tokens
                + cache_write_one_hour_tokens
                + cache_read_tokens
            ),
            0
        ) as n_tokens,
    from {{ ref('spend') }}

),

landed as (

    select
        (select count(*) from {{ ref('stg_requests') }}) as n_attempts,
        (
            select
                coalesce(
                    sum(
                        input_tokens
                        + output_tokens
                        + cache_write_five_minutes_tokens
                        + cache_write_one_hour_tokens
                        + cache_read_tokens
                    ),
                    0
                )
            from {{ ref('responses') }}
        ) as n_tokens,

)

select
    spent.*,
    landed.n_attempts as n_attempts_landed,
    landed.n_tokens as n_tokens_landed,
from spent
cross join landed
where
    spent.n_attempts != landed.n_attempts
    or spent.n_states != landed.n_attempts
    or spent.n_tokens != landed.n_tokens
