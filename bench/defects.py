"""Figures that planted defects of the models move beyond their interval: bench/defects.py"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python"))

# Can only be imported with the test folder on the path.
import planted_defects  # noqa: E402
from conftest import copy_of_project  # noqa: E402
from scripted_models import DEFECTS  # noqa: E402


def main() -> None:
    """Print the figures of a correct round, and those that each defect moves."""

    def figures(defect: str | None) -> dict[str, planted_defects.Figure]:
        with tempfile.TemporaryDirectory() as folder:
            return planted_defects.run(copy_of_project(Path(folder)), defect)

    sound = figures(None)
    print("no defect")
    for name, figure in sorted(sound.items()):
        print(f"  {line(name, figure)}")
    for defect in DEFECTS:
        print(defect, flush=True)
        for name, figure in planted_defects.moved(sound, figures(defect)):
            print(f"  {line(name, sound.get(name))} -> {shown(figure.estimate)}")


def line(name: str, figure: planted_defects.Figure | None) -> str:
    """A figure and its interval."""
    if figure is None:
        return f"{name:58} not there"
    return f"{name:58} {shown(figure.estimate)} ({shown(figure.low)} to {shown(figure.high)})"


def shown(value: float | None) -> str:
    """Format a number, which can be missing."""
    return "none" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
