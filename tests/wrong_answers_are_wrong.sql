-- The incorrect plausible answer is not the atom and stands in none of the shown siblings;
-- a lens of fewer than four tokens stands in every text and is only not the atom.
select
    probes.probe_id,
from {{ ref('published_probes') }} as probes
join {{ ref('shown_documents') }} as shown using (round_number, doc_id)
join {{ ref('documents') }} as siblings using (document_id)
where
    trim(lower(probes.incorrect_plausible_answer), e' \t\r\n')
    = trim(lower(probes.atom_text), e' \t\r\n')
    or not (probes.scope = 'lens' and probes.n_tokens_actual < 4)
    and position(
        trim(lower(probes.incorrect_plausible_answer), e' \t\r\n') in lower(siblings.text)
    ) > 0
