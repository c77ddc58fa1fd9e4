"""Compare the lines of started rounds with what the landing file froze of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from latent_probes import landing
from latent_probes.common import sql
from latent_probes.common.home import Home
from latent_probes.warehouse.faults import raise_if_any, shown
from latent_probes.warehouse.seed_files import Seed


def refuse_edits(home: Home, rounds: Seed) -> None:
    """Raise ProjectError if the line of a started round was edited or removed.

    The rounds of a calibration's home are its levels, which no line states.
    """
    if not home.landing.exists():
        return
    columns = [rounds.rules["key"], *rounds.rules["frozen"], *rounds.rules["only_grows"]]
    with landing.looked_at(home.landing) as connection:
        if landing.stated_levels(connection):
            return
        names = ", ".join(map(sql.identifier, columns))
        started = connection.execute(
            f"select {names} from started_rounds order by {sql.identifier(columns[0])}"
        ).fetchall()
    raise_if_any(
        [
            fault
            for values in started
            for fault in edits(rounds, dict(zip(columns, values, strict=True)))
        ]
    )


def edits(rounds: Seed, frozen: dict[str, Any]) -> Iterator[str]:
    """What was edited in the line of a started round, a sentence each."""
    number = frozen["round_number"]
    lines = [line for line in rounds.lines if line.values["round_number"] == number]
    if not lines:
        values = frozen | {"withdrawn": "true"}
        restored = ",".join(str(values[column]) for column in rounds.types)
        yield (
            f"{rounds.file}: round {number} has started, and its line was removed: restore it; to "
            f"take the round out of the data set, write {restored}"
        )
        return
    (line,) = lines
    for column in rounds.rules["frozen"]:
        if line.values[column] != frozen[column]:
            yield (
                f"{rounds.at(line, column)}: round {number} started with {shown(frozen[column])}, "
                f"and its line now has {shown(line.values[column])}: restore it, or add another "
                "round with the new value"
            )
    for column in rounds.rules["only_grows"]:
        if line.values[column] < frozen[column]:
            yield (
                f"{rounds.at(line, column)}: round {number} started with {frozen[column]}, and its "
                f"line now has {line.values[column]}: once a round has started, this can only grow"
            )
