-- A published atom is the text of its span in the document.
select
    probes.probe_id,
    published.atom_text,
from {{ ref('published_probes') }} as published
join {{ ref('probes') }} as probes using (round_number, doc_id, slot_idx)
where
    published.atom_text
    is distinct from published.doc[probes.atom_start + 1:probes.atom_end]
    or published.atom_text is null
    or published.split_char_offset != probes.split_offset
