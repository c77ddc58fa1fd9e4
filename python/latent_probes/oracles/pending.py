"""Probes that a method has not answered yet, by the document whose state they are asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow

from latent_probes import warehouse
from latent_probes.common import sql
from latent_probes.common.home import Home
from latent_probes.evaluation.oracles import probes_of
from latent_probes.oracles.prompts import Question

# Tables that asking reads. None of them changes with the answers.
READ = ("documents", "oracle_states", "probes", "round_settings")


@dataclass(frozen=True)
class Pending:
    """Documents to read, with the splits at which their states are asked about.

    ``known`` are the probes that have been answered.
    """

    documents: list[tuple[str, tuple[int, ...]]]
    n_probes: int
    known: pyarrow.Table


def wanted(
    condition: str, scopes: tuple[str, ...], n_documents: int | None, rounds: Sequence[int]
) -> str:
    """The query for all probes of these rounds to ask, with document and split of their state."""
    state = "real_state" if condition == "no_state" else condition
    return f"""
        with published as ({probes_of(rounds)}),

        chosen as (
            select source_model, doc_id
            from published
            group by source_model, doc_id
            order by {sql.macro("identity", ("source_model", "doc_id"))}
            limit {"all" if n_documents is None else n_documents}
        )

        select published.*, states.document_id as state_document_id, states.split_offset as split
        from published
        semi join chosen using (source_model, doc_id)
        join oracle_states as states
            on published.probe_id = states.probe_id and states.condition = {sql.literal(state)}
        anti join known on published.probe_id = known.probe_id
        where published.scope in ({", ".join(map(sql.literal, scopes))})
    """


def n_probes(home: Home, scopes: Sequence[str], rounds: Sequence[int]) -> int:
    """Number of published probes of these scopes."""
    with warehouse.opened(home) as connection:
        ((found,),) = connection.execute(
            f"select count(*) from ({probes_of(rounds)}) where list_contains($scopes, scope)",
            {"scopes": list(scopes)},
        ).fetchall()
    return found


def pending(home: Home, query: str, known: pyarrow.Table) -> Pending:
    """What is left to ask of ``query``, except the probes in ``known``."""
    with warehouse.opened(home) as connection:
        connection.register("known", known)
        rows = connection.execute(
            f"""
            select state_document_id, list(distinct split order by split), count(*)
            from ({query})
            group by state_document_id
            order by min(round_number), state_document_id
            """
        ).fetchall()
    return Pending(
        [(document_id, tuple(splits)) for document_id, splits, _ in rows],
        sum(count for *_, count in rows),
        known,
    )


def questions(
    home: Home, query: str, known: pyarrow.Table, document_ids: list[str]
) -> list[Question]:
    """The questions about the states of some documents, in the order of probes."""
    with warehouse.opened(home) as connection:
        connection.register("known", known)
        rows = connection.execute(
            f"""
            select
                asked.probe_id,
                asked.state_document_id,
                asked.split,
                asked.scope,
                asked.target,
                asked.verbalizer_prompt,
                {sql.macro("text_between", "documents.text", "asked.atom_start", "asked.atom_end")},
                asked.incorrect_plausible_answer,
            from ({query}) as asked
            join documents on asked.document_id = documents.document_id
            where list_contains($document_ids, asked.state_document_id)
            order by asked.probe_id
            """,
            {"document_ids": document_ids},
        ).fetchall()
    return [Question(*row) for row in rows]


def texts(home: Home, document_ids: list[str]) -> dict[str, str]:
    """Texts of documents by id."""
    with warehouse.opened(home) as connection:
        return dict(
            connection.execute(
                "select document_id, text from documents "
                "where list_contains($document_ids, document_id)",
                {"document_ids": document_ids},
            ).fetchall()
        )
