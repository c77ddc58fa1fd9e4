"""Probes that a local model has not read yet, and their texts, a slice at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from latent_probes import landing, warehouse
from latent_probes.common import sql
from latent_probes.common.home import Home
from latent_probes.local_models.readings import Text

# Readings whose texts are in memory at a time.
SLICE = 1024


@dataclass(frozen=True)
class Pending:
    """Readings that have not landed, longest complements first, and the number that have.

    ``keys`` are probe_id, form and input_hash; ``n_characters`` is the total length of their input.
    """

    keys: list[tuple[str, str, str]]
    n_known: int
    n_characters: int


def pending(home: Home, reader_hash: str, scopes: list[str], n_documents: int | None) -> Pending:
    """Readings of these scopes that a local model still has to do.

    ``n_documents`` limits the documents; their order depends only on their ids, so a larger number
    extends the same selection.
    """
    with landing.opened(home.landing) as connection:
        known = landing.known_scores(connection, reader_hash)
    with warehouse.opened(home) as connection:
        connection.register("known", known)
        rows = connection.execute(
            f"""
            with chosen as (
                select source_model, doc_id
                from probes
                where scope in (select unnest($scopes))
                group by source_model, doc_id
                order by {sql.macro("identity", ("source_model", "doc_id"))}
                limit coalesce($n_documents, 9223372036854775807)
            )
            select
                inputs.probe_id,
                inputs.form,
                inputs.input_hash,
                known.probe_id is not null as is_known,
                inputs.shown_length,
            from reader_inputs as inputs
            join probes using (probe_id)
            semi join chosen using (source_model, doc_id)
            left join known
                on
                    inputs.probe_id = known.probe_id
                    and inputs.form = known.form
                    and inputs.input_hash = known.input_hash
            where inputs.scope in (select unnest($scopes))
            order by
                inputs.shown_length desc, probes.document_id, probes.target, inputs.form,
                probes.verbalizer_prompt, inputs.probe_id, inputs.compared_with desc
            """,
            {"scopes": scopes, "n_documents": n_documents},
        ).fetchall()
    unread = [row for row in rows if not row[3]]
    return Pending(
        [(probe_id, form, input_hash) for probe_id, form, input_hash, _, _ in unread],
        len(rows) - len(unread),
        sum(length for *_, length in unread),
    )


def texts(home: Home, keys: list[tuple[str, str, str]]) -> Iterator[list[Text]]:
    """The texts of readings, in slices, in the order of ``keys``."""
    for start in range(0, len(keys), SLICE):
        probe_ids, forms, hashes = zip(*keys[start : start + SLICE], strict=True)
        with warehouse.opened(home) as connection:
            rows = connection.execute(
                f"""
                select
                    inputs.probe_id, inputs.form, inputs.input_hash, inputs.scope, inputs.target,
                    {sql.macro("text_between", "text", "complement_start", "complement_end")},
                    probes.verbalizer_prompt,
                    {sql.macro("text_between", "text", "atom_start", "atom_end")},
                    if(
                        inputs.compared_with = 'resampled_text',
                        resampled.resampled_text, probes.incorrect_plausible_answer
                    ),
                    inputs.compared_with,
                from (
                    select
                        unnest($probe_ids) as probe_id, unnest($forms) as form,
                        unnest($hashes) as input_hash, unnest(range(len($forms))) as place,
                ) as wanted
                join reader_inputs as inputs using (probe_id, form, input_hash)
                join probes using (probe_id)
                join documents using (document_id)
                left join resampled_texts as resampled on inputs.probe_id = resampled.probe_id
                order by wanted.place
                """,
                {"probe_ids": list(probe_ids), "forms": list(forms), "hashes": list(hashes)},
            ).fetchall()
        yield [Text(*row) for row in rows]
