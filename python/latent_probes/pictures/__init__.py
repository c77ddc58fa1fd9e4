"""Pictures, each from a table of the warehouse: equal figures give equal bytes."""

from __future__ import annotations

from pathlib import Path

from latent_probes.common import files


def blank(width: float, height: float):
    """A figure of so many inches, in the style that matplotlib comes with."""
    # Slow to import, and only pictures need it.
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Whatever a person has set for pictures of their own.
    matplotlib.style.use("default")
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with files.atomic_write(path) as partial:
        # The version of the library is no figure.
        figure.savefig(partial, format="png", metadata={"Software": None})
