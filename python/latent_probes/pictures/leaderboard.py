"""Plot of the leaderboard: each method's lift on HARD probes."""

from __future__ import annotations

from pathlib import Path

import duckdb

from latent_probes import pictures
from latent_probes.common import terminal

NAME = "oracle_leaderboard.png"
COLORS = {"real_state": "#1b7f79", "no_state": "#b8b8b8", "other_document_state": "#c8553d"}


def draw(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Draw the leaderboard, best method on top; returns False if no method has a lift."""
    rows = connection.execute(
        """
        select oracle, condition, hard_lift, hard_lift_low, hard_lift_high
        from oracle_leaderboard
        where hard_lift is not null
        order by place desc
        """
    ).fetchall()
    if not rows:
        return False
    figure = pictures.blank(8, 1.2 + 0.4 * len(rows))
    axes = figure.add_subplot()
    for place, (_, condition, lift, low, high) in enumerate(rows):
        # With few documents there is no interval.
        if low is not None:
            axes.plot([low, high], [place, place], color=COLORS[condition], linewidth=2)
        axes.plot(lift, place, "o", color=COLORS[condition])
    axes.axvline(0, color="grey", linestyle=":")
    names = [f"{terminal.printable(oracle)}, {condition}" for oracle, condition, *_ in rows]
    # A dollar sign would start a formula.
    axes.set_yticks(range(len(rows)), [name.replace("$", r"\$") for name in names])
    axes.set_xlabel("lift over the text-only answerer, HARD probes")
    pictures.save(figure, path)
    return True
