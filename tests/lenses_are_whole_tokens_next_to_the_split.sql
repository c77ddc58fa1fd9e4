-- A lens is adjacent to its split and consists of its stated number of complete tokens.
select
    probes.probe_id,
from {{ ref('probes') }} as probes
join {{ ref('document_tokens') }} as tokens using (document_id)
where
    probes.scope = 'lens'
    and (
        probes.n_tokens is distinct from len(
            list_filter(
                tokens.tokens,
                lambda x: x.starts_at >= probes.atom_start and x.ends_at <= probes.atom_end
            )
        )
        or probes.n_tokens is distinct from abs(probes.signed_index)
        or not list_contains(
            list_transform(tokens.tokens, lambda x: x.starts_at), probes.atom_start
        )
        or not list_contains(
            list_transform(tokens.tokens, lambda x: x.ends_at), probes.atom_end
        )
        or case probes.target
            when 'suffix' then probes.atom_start
            else probes.atom_end
        end != probes.split_offset
    )
