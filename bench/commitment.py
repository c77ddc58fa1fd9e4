"""Agreement against the best score, and bands from half of the draws: bench/commitment.py [TABLES]

In simulated tables (default: 100 tables of 200 lenses) the source model draws each text from a
known distribution, once as the atom and five times again. Agreement and bands are computed by the
warehouse. Naming the most probable text scores more than the agreement A and at most its square
root; a band whose figures come from the draws that set it shows more than the truth.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy
import pyarrow

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python"))

# Can only be imported with the test folder on the path.
from simulated_tables import SEED, Simulations  # noqa: E402

from latent_probes.common.home import Home  # noqa: E402

N_TEXTS = 30
N_DRAWS = 5
N_PROBES = 200


def drawn(n_probes: int) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Distributions of texts (one row per probe), the atoms, and what is drawn again."""
    draw = numpy.random.default_rng(SEED)
    # From nearly decided splits to open ones.
    concentrations = numpy.exp(draw.uniform(-4.5, -1, n_probes))
    weights = draw.gamma(concentrations[:, None], 1.0, (n_probes, N_TEXTS)) + 1e-12
    shares = weights / weights.sum(axis=1, keepdims=True)
    places = draw.random((n_probes, 1 + N_DRAWS))
    texts = (places[:, :, None] > shares.cumsum(axis=1)[:, None, :]).sum(axis=2)
    return shares, texts[:, 0], texts[:, 1:]


def rows_of(
    home: Home, atoms: numpy.ndarray, again: numpy.ndarray, n_tables: int
) -> tuple[list[dict], list[dict]]:
    """The rows of `commitment` and of `commitment_summary`, a table being a scope."""
    made = Simulations(home, 1, 1)
    n_probes = len(atoms)
    probes = numpy.arange(n_probes)
    tables = (probes * n_tables // n_probes).astype(str)
    is_same = (again == atoms[:, None]).ravel()
    given = {
        "resample_passages": pyarrow.table(
            {
                "round_number": numpy.ones(is_same.size, int),
                "probe_id": numpy.repeat(probes, N_DRAWS),
                "continuation_idx": numpy.tile(numpy.arange(N_DRAWS), n_probes),
                "is_written": numpy.zeros(is_same.size, bool),
                "is_empty": numpy.zeros(is_same.size, bool),
                "was_cut": numpy.zeros(is_same.size, bool),
                "has_atom": is_same,
                "is_same": is_same,
            }
        ),
        "judge_scores": pyarrow.table(
            {
                "probe_id": numpy.zeros(0, int),
                "arm": numpy.zeros(0, str),
                "answer_number": numpy.zeros(0, int),
                "score": numpy.zeros(0),
            }
        ),
        "probes": pyarrow.table(
            {
                "probe_id": probes,
                "source_model": numpy.repeat("m", n_probes),
                "doc_id": probes.astype(str),
                "slot_idx": numpy.ones(n_probes, int),
                "scope": tables,
                "is_written": numpy.zeros(n_probes, bool),
                "typicality": numpy.repeat("typical", n_probes),
            }
        ),
        "probe_scores": pyarrow.table({"probe_id": probes[:0], "score_mean": numpy.zeros(0)}),
    }
    return made.rows("commitment", **given), made.rows("commitment", "commitment_summary", **given)


def main() -> None:
    """Print the figures, each beside the truth."""
    n_tables = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    shares, atoms, again = drawn(n_tables * N_PROBES)
    with tempfile.TemporaryDirectory() as folder:
        probes, tables = rows_of(Home(ROOT, Path(folder)), atoms, again, n_tables)
    of_all = [row for row in tables if row["recurrence"] == "all" and row["typicality"] == "all"]
    agreement = (shares**2).sum(axis=1).reshape(n_tables, -1).mean(axis=1)
    best = shares.max(axis=1).reshape(n_tables, -1).mean(axis=1)
    of_all.sort(key=lambda row: int(row["scope"]))

    def mean(name: str) -> float:
        return float(numpy.mean([row[name] for row in of_all]))

    print(f"agreement A, the truth                             {agreement.mean():.3f}")
    print(f"agreement A, measured                              {mean('agreement'):.3f}")
    print(f"score of naming the most probable text             {best.mean():.3f}")
    print(f"  measured to lie from                             {mean('best_score_min'):.3f}")
    print(f"  to                                               {mean('best_score_max'):.3f}")
    below, within = numpy.mean(
        [
            (
                row["agreement_low"] <= true <= row["agreement_high"],
                row["agreement_low"] <= score <= row["agreement_high"] ** 0.5,
            )
            for row, true, score in zip(of_all, agreement, best, strict=True)
        ],
        axis=0,
    )
    print(f"tables whose interval of A covers it               {below:.1%}")
    print(f"tables whose ends, with their intervals, hold it   {within:.1%}")
    print()
    print(f"{'band':8} {'probes':>7} {'truth':>7} {'other half':>11}   ", end="")
    print("band and figure from all five: truth, figure")
    chance = shares[numpy.arange(len(atoms)), atoms]
    recurred = (again == atoms[:, None]).mean(axis=1)
    rows = {row["probe_id"]: row for row in probes}
    bands = numpy.array([rows[probe]["recurrence"] for probe in range(len(atoms))])
    others = numpy.array([rows[probe]["other_mean"] for probe in range(len(atoms))])
    old = numpy.where(recurred == 0, "never", numpy.where(recurred < 0.5, "seldom", "often"))
    for band in ("never", "seldom", "often"):
        ours, before = bands == band, old == band
        print(
            f"{band:8} {ours.sum():7,} {chance[ours].mean():7.3f} {others[ours].mean():11.3f}   "
            f"{chance[before].mean():.3f}, {recurred[before].mean():.3f}"
        )


if __name__ == "__main__":
    main()
