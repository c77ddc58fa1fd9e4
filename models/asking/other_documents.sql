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

),

-- As a column: compared in the join itself, it was compared with every document of the round.
neighbours as (

    select
        * exclude (position, draw),
        (position + (draw + step) % (n_documents - 1)) % n_documents + 1 as position,
    from (
        select
            *,
            unnest(range(max_neighbours)) as step,
        from asked
        where n_documents > 1
    )

)

select
    neighbours.round_number,
    neighbours.probe_id,
    others.document_id,
    others.text_length,
from neighbours
join {{ ref('document_order') }} as others using (round_number, position)
qualify
    row_number() over (
        partition by neighbours.round_number, neighbours.probe_id
        order by least(others.text_length, neighbours.complement_length) desc, neighbours.step
    ) = 1
order by neighbours.round_number, neighbours.probe_id
