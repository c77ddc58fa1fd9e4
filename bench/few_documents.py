"""How often 95 % intervals of a difference cover it: bench/few_documents.py [SIMULATIONS]

In simulated comparisons (default: 1,000 for each figure) of 5 to 40 documents with one to three
probes, by how the documents' differences are distributed: normal; right-skewed, with most gains
near 0 and a few large; or rare losses, where 15 % of the documents lose .8 and the others gain .2.
Beside it, in brackets, the mean width of the intervals.
"""

from __future__ import annotations

import sys

import numpy

from latent_probes.warehouse.functions import intervals

N_DOCUMENTS = (5, 7, 10, 15, 20, 40)
N_REPLICATES = 400


def normal(draw: numpy.random.Generator, n_documents: int) -> numpy.ndarray:
    """Differences around .1."""
    return draw.normal(0.1, 0.2, n_documents).clip(-1, 1)


def skewed(draw: numpy.random.Generator, n_documents: int) -> numpy.ndarray:
    """Gains, most of them small."""
    return draw.exponential(0.2, n_documents).clip(0, 1)


def rare_losses(draw: numpy.random.Generator, n_documents: int) -> numpy.ndarray:
    """Gains of about .2, and losses of about .8 in 15 % of the documents."""
    is_loss = draw.random(n_documents) < 0.15
    return numpy.where(is_loss, -0.8, 0.2) + draw.normal(0, 0.05, n_documents)


def main() -> None:
    """Print one line per number of documents."""
    n_simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    shapes = (normal, skewed, rare_losses)
    truths = [shape(numpy.random.default_rng(0), 1_000_000).mean() for shape in shapes]
    print("documents " + "".join(f"{shape.__name__:>20}" for shape in shapes))
    for n_documents in N_DOCUMENTS:
        line = f"{n_documents:9,} "
        for shape, truth in zip(shapes, truths, strict=True):
            found = []
            for seed in range(n_simulations):
                draw = numpy.random.default_rng(seed)
                counts = draw.integers(1, 4, n_documents).astype(float)
                sums = shape(draw, n_documents) * counts
                found.append(intervals.difference_interval(sums, counts, N_REPLICATES, seed))
            ends = numpy.array(found, float)
            covers = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
            line += f"{covers.mean():11.1%} ({numpy.ptp(ends, axis=1).mean():.2f})"
        print(line, flush=True)


if __name__ == "__main__":
    main()
