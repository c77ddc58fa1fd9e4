"""Coverage of figures about unsolved probes in five truths: bench/hardness.py [DOCUMENTS [TABLES]]

How often 95 % intervals cover the truth in simulated tables (default: 200 tables of 200 documents,
1 to 7 probes each). `re_solved` is computed by the warehouse. The other two columns are what a beta
distribution of solve rates, fitted by maximum likelihood, says of probes that five answers leave
unsolved: the share with a solve rate above 13 %, and the share that five more answers would solve.
No table has them, because they do not cover.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy
from scipy.special import betaincc, betaln, expit

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python"))

# Can only be imported with the test folder on the path.
from simulated_tables import MANY, N_ANSWERS, SEED, TRUTHS, Simulations, of_hardness  # noqa: E402

from latent_probes.common.home import Home  # noqa: E402
from latent_probes.warehouse.functions import intervals  # noqa: E402

HIGHEST_RATE = 0.13
N_REPLICATES = 400
# Beta distributions by mean and precision, among which the most likely one is searched.
MEANS, PRECISIONS = numpy.meshgrid(
    expit(numpy.linspace(-6, 4, 60)), numpy.exp(numpy.linspace(-3, 7, 40))
)
ALPHAS, BETAS = (MEANS * PRECISIONS).ravel(), ((1 - MEANS) * PRECISIONS).ravel()


def log_likelihoods(n_answers: int) -> numpy.ndarray:
    """Logarithm of the probability of 0 to n solving answers (rows) in each distribution."""
    solved = numpy.arange(n_answers + 1)[:, None]
    return betaln(ALPHAS + solved, BETAS + n_answers - solved) - betaln(ALPHAS, BETAS)


LIKELIHOODS = log_likelihoods(N_ANSWERS)
# One pseudo-probe with two answers and a uniform prior keeps the fit away from its limits.
PSEUDO_PROBE = log_likelihoods(2).mean(axis=0)
FITTED = {
    "rate above 13 %": betaincc(ALPHAS, BETAS + N_ANSWERS, HIGHEST_RATE),
    "five more": 1
    - numpy.exp(betaln(ALPHAS, BETAS + 2 * N_ANSWERS) - betaln(ALPHAS, BETAS + N_ANSWERS)),
}


def true_figures(rates: numpy.ndarray) -> dict[str, float]:
    """The same figures of probes with these solve rates."""
    unsolved = (1 - rates) ** N_ANSWERS
    return {
        "rate above 13 %": float((unsolved * (rates > HIGHEST_RATE)).mean() / unsolved.mean()),
        "five more": float(1 - (unsolved**2).mean() / unsolved.mean()),
    }


def fitted_coverage(made: Simulations, rates: numpy.ndarray, truths: dict) -> dict[str, float]:
    """How often the intervals of the fitted figures cover the truths."""
    n_solved = made.draw.binomial(N_ANSWERS, rates)
    covered = dict.fromkeys(FITTED, 0)
    n_tables = int(made.simulations.max()) + 1
    for table in range(n_tables):
        ours = made.simulations == table
        _, documents = numpy.unique(made.documents[ours], return_inverse=True)
        counts = numpy.zeros((documents.max() + 1, N_ANSWERS + 1))
        numpy.add.at(counts, (documents, n_solved[ours]), 1)
        totals = intervals.replicated(counts, N_REPLICATES, 1)
        best = (totals @ LIKELIHOODS + PSEUDO_PROBE).argmax(axis=1)
        for name, values in FITTED.items():
            low, high = intervals.ends(values[best], len(counts))
            covered[name] += low <= truths[name] <= high
    return {name: n_covered / n_tables for name, n_covered in covered.items()}


def main() -> None:
    """Print one line per truth."""
    n_documents, n_tables = (*map(int, sys.argv[1:]), *(200, 200)[len(sys.argv) - 1 :])
    print(f"{'solve rates':34} {'re_solved':>9}  " + "  ".join(f"{name:>15}" for name in FITTED))
    with tempfile.TemporaryDirectory() as folder:
        made = Simulations(Home(ROOT, Path(folder)), n_tables, n_documents)
        for (name, drawn), (_, share) in zip(TRUTHS.items(), of_hardness(made), strict=True):
            truths = true_figures(drawn(numpy.random.default_rng(SEED), MANY))
            fitted = fitted_coverage(made, drawn(made.draw, len(made.rates)), truths)
            shown = "  ".join(f"{covered:15.1%}" for covered in fitted.values())
            print(f"{name:34} {share:9.1%}  {shown}", flush=True)


if __name__ == "__main__":
    main()
