"""Plot of the leaderboard: what the real state adds to each method's answers to HARD probes."""

from __future__ import annotations

from pathlib import Path

import duckdb

from latent_probes import pictures
from latent_probes.common import terminal

NAME = "oracle_leaderboard.png"
METHODS = """
select oracle, place, headline, headline_low, headline_high, minus_no_state, minus_other_state
from oracle_leaderboard
where is_headline and headline is not null
"""
COLORS = {"headline": "#1b7f79", "no state": "#b8b8b8", "another document's": "#c8553d"}


def has_headline(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether there is a method to draw."""
    found = connection.execute(f"{METHODS} limit 1").fetchall()
    return bool(found)


def draw(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Draw the leaderboard, best method on top; returns False if no method has a headline."""
    rows = connection.execute(
        f"{METHODS} order by place desc nulls first, headline, oracle desc"
    ).fetchall()
    if not rows:
        return False
    figure = pictures.blank(8, 1.6 + 0.4 * len(rows))
    axes = figure.add_subplot()
    for height, (_, _, headline, low, high, no_state, other_state) in enumerate(rows):
        # With few documents there is no interval.
        if low is not None:
            axes.plot([low, high], [height, height], color=COLORS["headline"], linewidth=2)
        axes.plot(no_state, height, "|", color=COLORS["no state"], markersize=14)
        axes.plot(other_state, height, "|", color=COLORS["another document's"], markersize=14)
        axes.plot(headline, height, "o", color=COLORS["headline"])
    axes.axvline(0, color="grey", linestyle=":")
    for name, color in COLORS.items():
        label = "the smaller one, with 95 % interval" if name == "headline" else f"minus {name}"
        axes.plot([], [], "o" if name == "headline" else "|", color=color, label=label)
    figure.legend(loc="outside lower center", ncols=3)
    names = [
        f"{'' if place is None else f'{place}. '}{terminal.printable(oracle)}"
        for oracle, place, *_ in rows
    ]
    # A dollar sign would start a formula.
    axes.set_yticks(range(len(rows)), [name.replace("$", r"\$") for name in names])
    axes.set_xlabel("score with the real state minus score without, HARD suffix probes")
    pictures.save(figure, path)
    return True
