-- One row per probe: the other document of its round whose text or state is given in place of its own.
-- Among the next few in the circular order, the first at least as long as the complement, or the longest.
with

asked as (

    select
        probes.round_number,
        probes.probe_id,
        probes.complement_end - probes.complement_start as complement_length,
        document_order.position,
        document_order.n_documents,
        settings.max_neighbours,
        {{ seeded_integer(['settings.seed', 'probes.probe_id', "'other_document'"]) }} as draw,
    from {{ ref('probes') }} as probes
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('document_order') }} as document_order
        on
            probes.round_number = document_order.round_number
            and probes.doc_id = document_order.doc_id

)

select
    asked.round_number,
    asked.probe_id,
    others.document_id,
    others.text_length,
from asked
cross join lateral range(asked.max_neighbours) as steps (step)
join {{ ref('document_order') }} as others
    on
        asked.round_number = others.round_number
        and others.position
        = (asked.position + (asked.draw + steps.step) % (asked.n_documents - 1)) % asked.n_documents + 1
where asked.n_documents > 1
qualify
    row_number() over (
        partition by asked.round_number, asked.probe_id
        order by least(others.text_length, asked.complement_length) desc, steps.step
    ) = 1
order by asked.round_number, asked.probe_id
