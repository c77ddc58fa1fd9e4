"""Plot of a calibration: scores by level with intervals, and histograms of best scores."""

from __future__ import annotations

from pathlib import Path

import duckdb

from latent_probes import pictures

NAME = "calibration_sweep.png"


def draw(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Draw the levels of the calibration in this warehouse; returns False if nothing is scored."""
    rows = connection.execute(
        """
        select calibration_level, measure, estimate, estimate_low, estimate_high
        from calibration_sweep where scope = 'all' order by calibration_level
        """
    ).fetchall()
    bins = connection.execute("select label from score_bins order by bin").fetchall()
    chosen = connection.execute("select calibration_level from recommended_level").fetchone()
    found = {(level, measure): figures for level, measure, *figures in rows}
    levels = sorted({level for level, measure in found if measure == "mean best score"})
    if not levels:
        return False
    figure = pictures.blank(10, 4)
    scores, histograms = figure.subplots(1, 2)
    for measure in ("mean best score", "share hard", "share easy", "finalize rate"):
        estimates, lows, highs = zip(*(found[level, measure] for level in levels), strict=True)
        (line,) = scores.plot(levels, estimates, marker="o", label=measure)
        # With few documents there is no interval.
        if None not in lows:
            scores.fill_between(levels, lows, highs, color=line.get_color(), alpha=0.15)
    if chosen:
        scores.axvline(chosen[0], color="grey", linestyle=":", label="recommended")
    scores.set(xlabel="calibration level", ylim=(0, 1), xticks=levels)
    scores.legend(fontsize="small")
    bottoms = [0.0] * len(levels)
    for (label,) in bins:
        heights = [found[level, f"best score in {label}"][0] for level in levels]
        histograms.bar(levels, heights, bottom=bottoms, label=label)
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    histograms.set(xlabel="calibration level", ylabel="share of scored probes", xticks=levels)
    histograms.legend(fontsize="small", title="best score", reverse=True)
    pictures.save(figure, path)
    return True
