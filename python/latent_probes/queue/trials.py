"""Stop a run at answers that cannot be used, before more of them are paid for."""

from __future__ import annotations

import duckdb

from latent_probes import landing, warehouse
from latent_probes.common import connections, terminal
from latent_probes.common.home import Home
from latent_probes.providers import names

# A few unusable answers stop no run.
MIN_UNUSABLE = 10
EXAMPLES = 2
SHOWN_CHARACTERS = 200


class UnusableError(Exception):
    """Answers cannot be used; the message shows some and gives the remedy."""


class Watch:
    """Looks at the answers that land during a run. Those that landed before are not looked at."""

    def __init__(self, home: Home):
        self.home = home
        self.shown: set[tuple[str, str, str]] = set()
        with landing.opened(home.landing) as connection:
            self.looked_at = landed_batches(connection)

    def look(self) -> None:
        """Look at what has landed since the last time; the warehouse must be built.

        Shows one answer of each kind that cannot be used. Raises UnusableError if a response names
        another model than the one that was asked, or if more than half of the first answers of a
        model cannot be used.
        """
        with landing.opened(self.home.landing) as connection:
            warehouse.attach(self.home, connection)
            landed = landed_batches(connection)
            new = sorted(landed - self.looked_at)
            self.looked_at = landed
            connection.execute(
                """
                create or replace temp table unusable as
                from warehouse.unusable_responses
                where list_contains($batches, batch_id)
                order by request_id, attempt
                """,
                {"batches": new},
            )
            refuse_other_models(connection)
            say_refused_schemas(connection, new)
            refuse_failed_trials(connection, new)
            for stage, model, meaning, n, text in connection.execute(
                "select stage, asked_model, meaning, count(*), first(text) from unusable "
                "group by stage, asked_model, meaning order by all"
            ).fetchall():
                if (stage, model, meaning) not in self.shown:
                    self.shown.add((stage, model, meaning))
                    terminal.say(
                        f"{n:,} unusable {stage} answers of {model}: {example(meaning, text)}"
                    )


def landed_batches(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The ids of the batches that have landed."""
    found = connection.execute("select batch_id from batches where state = 'landed'").fetchall()
    return {batch_id for (batch_id,) in found}


def refuse_other_models(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise UnusableError if an answer names another model than the one that was asked, or none."""
    found = landing.first(
        connection,
        "select stage, asked_model, named_model from unusable where problem = 'other_model' "
        "order by all limit 1",
    )
    if found:
        raise UnusableError(names.remedy(*found))


def say_refused_schemas(connection: duckdb.DuckDBPyConnection, batches: list[str]) -> None:
    """Say which models do not take a schema while they think, as these batches showed."""
    for stage, model, refusal in connection.execute(
        "select stage, model, refusal from warehouse.schema_trials "
        "where is_refused and list_contains($batches, batch_id) order by all",
        {"batches": batches},
    ).fetchall():
        terminal.say(
            f"{model} takes no JSON schema while it thinks ({connections.shown(refusal)}): "
            f"{stage} requests go on without the schema"
        )


def refuse_failed_trials(connection: duckdb.DuckDBPyConnection, batches: list[str]) -> None:
    """Raise UnusableError if most of a model's first answers, in these batches, cannot be used."""
    otherwise = (
        "; the models are those of the adopted data set"
        if landing.adopted_set(connection)
        else "; or withdraw the round in seeds/rounds.csv and add a line with another model"
    )
    for stage, model, batch_id, n_answers, n_usable in connection.execute(
        """
        select stage, model, latest_batch_id, n_latest, n_latest_usable
        from warehouse.model_trials
        where list_contains($batches, latest_batch_id) and n_usable = n_latest_usable
        order by all
        """,
        {"batches": batches},
    ).fetchall():
        n_unusable = n_answers - n_usable
        if n_unusable * 2 <= n_answers or n_unusable < MIN_UNUSABLE:
            continue
        examples = connection.execute(
            "select meaning, text from unusable "
            "where (stage, asked_model, batch_id) = ($1, $2, $3) limit $4",
            [stage, model, batch_id, EXAMPLES],
        ).fetchall()
        shown = "\n".join(f"- {example(meaning, text)}" for meaning, text in examples)
        raise UnusableError(
            f"{n_unusable:,} of the first {n_answers:,} {stage} answers of {model!r} cannot be "
            f"used; nothing more was sent. Two of them:\n{shown}\n"
            f"Correct how the model or its server answers, then run again{otherwise}"
        )


def example(meaning: str, text: str | None) -> str:
    """An unusable answer in one line: why it cannot be used, and its beginning."""
    text = " ".join((text or "")[: 10 * SHOWN_CHARACTERS].split())
    shown = text[:SHOWN_CHARACTERS] + ("…" if len(text) > SHOWN_CHARACTERS else "")
    return f"{meaning.rstrip('.')}: {shown!r}" if shown else meaning
