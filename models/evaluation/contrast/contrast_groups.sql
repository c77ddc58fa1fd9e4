-- One row per method, probe, measure and group that the probe counts in. Groups: scope; scope and target;
-- scope, target, typicality and origin of the atom. Lenses count both by length and pooled over lengths (see
-- lens_length).
{{ config(materialized='view') }}

select
    margins.method,
    margins.is_text_only,
    margins.measure,
    margins.scope,
    case when kinds.by_target then margins.target else 'all' end as target,
    case when kinds.by_typicality then margins.typicality else 'all' end as typicality,
    case when kinds.by_typicality then margins.atom_origin else 'all' end as atom_origin,
    case
        when margins.scope != 'lens' then 'none'
        when kinds.by_length then margins.n_tokens::varchar
        else 'pooled'
    end as lens_length,
    margins.source_model,
    margins.doc_id,
    margins.probe_id,
    margins.atom_value,
    margins.wrong_answer_value,
    margins.margin,
    margins.accuracy,
    -- Typicality is a property of the atom, not of the split: a typical one is likelier than another draw.
    case when not kinds.by_typicality then margins.resampled_accuracy end as resampled_accuracy,
    margins.is_nested,
from {{ ref('contrast_margins') }} as margins
join (
    values
    (false, false, false),
    (true, false, false),
    (true, true, false),
    (false, false, true),
    (true, false, true),
    (true, true, true)
) as kinds (by_target, by_typicality, by_length)
    on
        (not kinds.by_typicality or margins.typicality is not null)
        and (not kinds.by_length or margins.scope = 'lens')
