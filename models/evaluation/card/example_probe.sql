-- One row per column of `train`: its value in the scored sentence probe whose best score is nearest to the
-- middle, or null if no sentence probe is scored. Long texts are shortened, a context away from the split.
with

chosen as (

    select
        * replace (
            case
                when target = 'suffix' and length(context) > 300 then '… ' || right(context, 300)
                else context
            end as context
        ),
    from {{ ref('train') }}
    where bb_answer_score_max is not null and scope = 'sentence'
    order by abs(bb_answer_score_max - 0.5), source_model, doc_id, slot_idx
    limit 1

),

fields as (

    select
        to_json(chosen) as probe,
        unnest(json_keys(to_json(chosen))) as column_name,
    from chosen

),

examples as (

    select
        column_name,
        json_extract_string(probe, '$.' || column_name) as example,
    from fields

)

select
    listed.position,
    listed.column_name,
    listed.column_type,
    listed.meaning,
    case
        when length(examples.example) > 310 then left(examples.example, 300) || ' …'
        else examples.example
    end as example,
from {{ ref('published_columns') }} as listed
left join examples using (column_name)
order by listed.position
