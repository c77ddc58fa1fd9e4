-- What the offline baseline wrote says so, and no other model's probes say that it was they.
select
    doc_id,
    slot_idx,
from {{ ref('train') }}
where
    (generator_model = 'lexical' and source not in ('lexical', 'python_template'))
    or (source = 'lexical' and generator_model != 'lexical')
