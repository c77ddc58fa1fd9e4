-- What is published of an adopted data set is what the warehouse has of it, no row less and none more:
-- documents with their probes, answers and scores, answers in other arms, continuations shown in full, values
-- of text readers, slots without a probe, and folds. Not compared: the meaning of a reason, which is this
-- project's, answers in arms that were asked here, and values of local models that were run here.
-- Where nothing is adopted, commands do not run it: it would compare all that is published with nothing.
{{ config(meta={'only_with': 'landing.adopted_sets'}) }}
{% set siblings -%}
    (
        select
            source_model,
            doc_id,
            doc_source,
            prefix || unnest(list_filter(continuations, lambda x: not x.is_further)).continuation as text,
        from {{ source('landing', 'adopted_siblings') }}
    )
{%- endset -%}
{% set asked_by_the_maker = '(probe_id, arm) in (select (probe_id, arm) from '
    ~ source('landing', 'adopted_control_answers') ~ ')' -%}
{% set not_run_here = "reader not in (select model || ' (' || dtype || '), ' || form from "
    ~ ref('token_scores') ~ ')' -%}
-- The rows of a config, the model that has them, what is compared, and where.
{% set compared = {
    'compact': (source('landing', 'adopted_compact'), ref('compact'), '*', 'true'),
    'siblings': (siblings, ref('documents'), 'source_model, doc_id, doc_source, text', 'true'),
    'control_answers': (
        source('landing', 'adopted_control_answers'), ref('control_answers'), '*', asked_by_the_maker
    ),
    'text_readers': (
        source('landing', 'adopted_text_readers'), ref('published_text_readers'), '*', not_run_here
    ),
    'rejections': (
        source('landing', 'adopted_rejections'), ref('rejections'), '* exclude (meaning)', 'true'
    ),
    'unscored': (source('landing', 'adopted_unscored'), ref('unscored'), '*', 'true'),
    'folds': (source('landing', 'adopted_folds'), ref('folds'), '*', 'true'),
} -%}
{% for config, (published, here, columns, condition) in compared.items() -%}
{{ 'union all' if not loop.first }}
select
    '{{ config }}' as config,
    doc_id,
from (
    (
        select {{ columns }}
        from {{ published }}
        where {{ condition }}
        except all
        select {{ columns }}
        from {{ here }}
    )
    union all
    -- In the home of a maker, nothing is published by others.
    (
        select {{ columns }}
        from {{ here }}
        where {{ condition }} and exists (from {{ source('landing', 'adopted_sets') }})
        except all
        select {{ columns }}
        from {{ published }}
    )
)
{% endfor -%}
