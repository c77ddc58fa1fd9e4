-- What is published of an adopted data set is what the warehouse would publish: every document with its
-- probes, answers and scores, every answer in another arm, every slot without a probe, and every fold.
-- Not compared: the meaning of a reason, which is this project's.
{% set tables = {
    'compact': '*',
    'control_answers': '*',
    'rejections': '* exclude (meaning)',
    'unscored': '*',
    'folds': '*',
} -%}
{% for table, columns in tables.items() -%}
{{ 'union all' if not loop.first }}
select
    '{{ table }}' as config,
    doc_id,
from (
    select {{ columns }}
    from {{ source('landing', 'adopted_' ~ table) }}
    except all
    select {{ columns }}
    from {{ ref(table) }}
)
{% endfor -%}
