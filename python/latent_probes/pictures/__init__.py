"""Plots of tables of the warehouse; equal data gives equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latent_probes.common import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def blank(width: float, height: float) -> Figure:
    """An empty figure, with sizes in inches, in matplotlib's default style."""
    # Imported here because it is slow and only plots need it.
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Overrides the user's own style.
    matplotlib.style.use("default")
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    with files.atomic_write(path) as partial:
        # The library's version must not change the bytes.
        figure.savefig(partial, format="png", metadata={"Software": None})
