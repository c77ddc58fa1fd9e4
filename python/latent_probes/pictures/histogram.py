"""The histogram on the card."""

from __future__ import annotations

from pathlib import Path

import duckdb

from latent_probes import pictures

NAME = "score_histogram.png"
COLORS = {"hard": "#1b7f79", "middle": "#b8b8b8", "easy": "#c8553d"}


def draw(figures: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Draw the histogram of the scored probes' best scores, one bar per bin.

    ``figures`` is a connection in which `score_histogram` is a table.
    """
    bins = figures.execute(
        "select label, band, n_probes, share from score_histogram order by bin"
    ).fetchall()
    figure = pictures.blank(7, 3.2)
    axes = figure.add_subplot()
    labels = [label for label, *_ in bins]
    bars = axes.bar(
        labels, [n_probes for *_, n_probes, _ in bins], color=[COLORS[band] for _, band, *_ in bins]
    )
    axes.bar_label(
        bars,
        [f"{n_probes:,}\n{share:.1%} {band.upper()}" for _, band, n_probes, share in bins],
        fontsize=8,
    )
    axes.set(xlabel="best score of a probe's answers", ylabel="probes")
    axes.margins(y=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    pictures.save(figure, path)
