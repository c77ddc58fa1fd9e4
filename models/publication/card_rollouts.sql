-- One row per landed file: where the rollouts come from.
select
    file_name,
    file_hash,
    file_rows,
    rollouts_added,
from {{ source('landing', 'landed_files') }}
order by file_name, file_hash
