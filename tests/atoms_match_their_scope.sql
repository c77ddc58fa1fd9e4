-- A sentence is one sentence, a paragraph one of at least two sentences and not the whole side,
-- a whole is the half, of at least two paragraphs: in the units that were shown.
with

measured as (

    select
        probes.probe_id,
        probes.scope,
        len(
            list_filter(
                chosen.sentences,
                lambda x: x.starts_at >= probes.atom_start and x.ends_at <= probes.atom_end
            )
        ) as n_sentences,
        len(
            list_filter(
                chosen.sentences,
                lambda x: case probes.target
                    when 'suffix' then x.starts_at >= probes.split_offset
                    else x.ends_at <= probes.split_offset
                end
            )
        ) as n_side_sentences,
        len(
            list_filter(
                chosen.paragraphs,
                lambda x: x.ends_at > probes.atom_start and x.starts_at < probes.atom_end
            )
        ) as n_paragraphs,
        list_contains(
            chosen.paragraphs,
            {
                'starts_at': probes.atom_start,
                'ends_at': probes.atom_end
            }
        ) as is_paragraph,
    from {{ ref('probes') }} as probes
    join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
    where probes.is_written

)

select *
from measured
where
    case scope
        when 'sentence' then n_sentences != 1
        when 'paragraph'
            then not is_paragraph or n_sentences < 2 or n_sentences >= n_side_sentences
        when 'whole' then n_sentences != n_side_sentences or n_paragraphs < 2
    end
