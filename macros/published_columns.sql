{#
    The columns of `train` in their order, as its contract in models/publication/_models.yml lists
    them: dictionaries with name, data_type and description. Empty while dbt parses.
#}
{% macro published_columns() %}
{% set train = graph.nodes['model.latent_probes.train'] if execute else {'columns': {}} %}
{{ return(train.columns.values() | list) }}
{% endmacro %}

{#
    Those behind the 35 of the first release. `compact` keeps each under its own name beside the
    probe, and `flattened` returns it from there.
#}
{% macro added_columns() %}
{{ return(published_columns()[35:]) }}
{% endmacro %}
