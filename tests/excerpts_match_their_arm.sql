-- Only full information contains text of the target side; another document is of another
-- prefix; what is shown is no longer than what the complement's reader is shown, but where the arm is
-- about that.
select
    arms.probe_id,
    arms.arm,
from {{ ref('probe_arms') }} as arms
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('round_settings') }} as settings on probes.round_number = settings.round_number
left join {{ ref('documents') }} as shown on arms.document_id = shown.document_id
where
    case arms.arm
        when 'question_only' then arms.document_id is not null
        when 'other_document'
            then shown.document_id is null or shown.doc_id = probes.doc_id
        else
            arms.document_id is distinct from probes.document_id
            or arms.excerpt_start < probes.complement_start
            or arms.excerpt_end > probes.complement_end
    end
    or arms.excerpt_start >= arms.excerpt_end
    or arms.excerpt_end > shown.text_length
    or arms.arm != 'full_complement'
    and arms.excerpt_end - arms.excerpt_start > settings.complement_characters
