"""Places that chance gives, and coverage of headlines: bench/leaderboard.py [LEADERBOARDS]

In simulated leaderboards (default: 300 for each line) all methods read equally much from the state,
with two probes per document. Ranking by the estimate always puts one method alone in the first
place; with simultaneous intervals, as the warehouse computes them, that is rare. The other columns:
how often one method that truly reads 0.15 more is told apart from any other, and how often the
interval of a headline covers the smaller of two effects, if they are equal or differ by 0.3.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python"))

# Can only be imported with the test folder on the path.
from simulated_tables import in_pairs, methods  # noqa: E402

from latent_probes.warehouse.functions import comparisons, intervals  # noqa: E402

N_REPLICATES = 400


def told_apart(effects: list[tuple[float, float]], n_documents: int, seed: int) -> bool:
    """Whether any method is significantly better than another."""
    rows = methods(numpy.random.default_rng(seed), effects, n_documents)
    return any(row["low"] > 0 for row in comparisons.compared(in_pairs(rows), N_REPLICATES, 1))


def covers(effects: tuple[float, float], n_documents: int, seed: int) -> bool:
    """Whether the smaller effect is between the smaller low end and the smaller high end."""
    rows = methods(numpy.random.default_rng(seed), [effects], n_documents)
    lows, highs = zip(
        *(
            intervals.mean_interval(rows[:, column], rows[:, column + 1], N_REPLICATES, 1)
            for column in (2, 4)
        ),
        strict=True,
    )
    return min(lows) <= min(effects) <= min(highs)


def main() -> None:
    """Print one line per number of methods and of documents."""
    n_boards = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seeds = range(n_boards)
    print("methods  documents  any told apart  of 0.15 told apart  covers: equal  different")
    for n_methods in (2, 6, 12):
        for n_documents in (20, 100):
            alike = [(0.2, 0.2)] * n_methods
            better = [(0.35, 0.35), *alike[1:]]
            shares = [
                numpy.mean([told_apart(alike, n_documents, seed) for seed in seeds]),
                numpy.mean([told_apart(better, n_documents, seed) for seed in seeds]),
                numpy.mean([covers((0.2, 0.2), n_documents, seed) for seed in seeds]),
                numpy.mean([covers((0.2, 0.5), n_documents, seed) for seed in seeds]),
            ]
            wrong, right, equal, different = (f"{share:.1%}" for share in shares)
            print(
                f"{n_methods:7}  {n_documents:9}  {wrong:>14}  {right:>18}  {equal:>13}  "
                f"{different:>9}",
                flush=True,
            )


if __name__ == "__main__":
    main()
