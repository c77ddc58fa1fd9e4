-- The columns of `train` stand in the published order, of the types that the card states; a contract
-- does not see two of one type swapped.
with

found as (

    select
        column_index as position,
        column_name,
        data_type,
    from duckdb_columns()
    where
        database_name = '{{ ref("train").database }}'
        and schema_name = '{{ ref("train").schema }}'
        and table_name = '{{ ref("train").identifier }}'

)

select
    wanted.position,
    wanted.column_name,
    found.column_name as column_found,
    found.data_type as type_found,
from {{ ref('published_columns') }} as wanted
full join found using (position)
where
    wanted.column_name is distinct from found.column_name
    or wanted.column_type is distinct from found.data_type
