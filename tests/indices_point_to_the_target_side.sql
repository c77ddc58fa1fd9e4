-- Indices count outward from the split: their sign is that of the target, and none is 0. Distances are 0 for
-- adjacent atoms.
select probe_id
from {{ ref('probes') }}
where
    sign(signed_index) is distinct from case target when 'suffix' then 1 else -1 end
    or sign(signed_index_asked) != sign(signed_index)
    or scope in ('word', 'lens')
    and greatest(abs(signed_index), abs(signed_index_asked)) > {{ var('max_index') }}
    or n_words_to_atom is null
    or n_words_to_atom * signed_index < 0
