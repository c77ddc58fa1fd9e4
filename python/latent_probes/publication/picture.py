"""The histogram of the card as a picture."""

from __future__ import annotations

from pathlib import Path

from latent_probes import files

NAME = "score_histogram.png"
COLORS = {"hard": "#1b7f79", "middle": "#b8b8b8", "easy": "#c8553d"}


def write_histogram(figures, path: Path) -> None:
    """Draw the best scores of the scored probes, a bar for each bin; PNG.

    ``figures`` is a connection in which `score_histogram` is a table. The same figures give the
    same bytes.
    """
    # Slow to import.
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Whatever a person has set for pictures of their own.
    matplotlib.style.use("default")
    bins = figures.execute(
        "select label, band, n_probes, share from score_histogram order by bin"
    ).fetchall()
    figure = Figure(figsize=(7, 3.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
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
    with files.written_whole(path) as partial:
        # The version of the library is no figure.
        figure.savefig(partial, format="png", metadata={"Software": None})
