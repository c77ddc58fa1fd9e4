-- A column that `published_probes` makes is listed in the contract of `train`
-- (models/publication/_models.yml), or it would not be published.
select column_name
from duckdb_columns()
where
    database_name = '{{ ref("published_probes").database }}'
    and schema_name = '{{ ref("published_probes").schema }}'
    and table_name = '{{ ref("published_probes").identifier }}'
    -- For joins and exports.
    and column_name not in ('round_number', 'probe_id', 'atom_start', 'atom_end')
    and column_name not in (select listed.column_name from {{ ref('published_columns') }} as listed)
