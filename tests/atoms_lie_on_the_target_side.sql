-- An atom lies wholly on the target side of its split.
select probe_id
from {{ ref('probes') }}
where
    case target
        when 'suffix' then atom_start < split_offset
        when 'prefix' then atom_end > split_offset
        else true
    end
