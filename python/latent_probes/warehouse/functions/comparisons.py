"""Pairs of methods compared with simultaneous intervals, by a bootstrap over documents.

A method's headline is the smaller of two means over probes: the effects of the real state against
no state and against another document's. All methods share the replicates of ``intervals``, so
methods that answered the same probes are compared on them. The intervals of all pairs hold together
with 95 %: their common half-width, in standard errors, is the 95th percentile of the largest
deviation of any pair (max-t; Westfall and Young, "Resampling-based multiple testing", 1993). For
few documents it is widened as in ``intervals``.
"""

from __future__ import annotations

import numpy

from latent_probes.warehouse.functions import intervals

# Columns of a method: sums and numbers of probes, against no state and another document's state.
N_SUMS = 4
# A standard error below this is rounding error: the methods never differ by another amount.
LEAST_ERROR = 1e-9


def headlines(totals: numpy.ndarray) -> numpy.ndarray:
    """The smaller mean of each method, for each row of totals with four sums per method."""
    parts = totals.reshape(len(totals), -1, 2, 2)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        return (parts[..., 0] / parts[..., 1]).min(axis=2)


def compared(rows: numpy.ndarray, n_replicates: int, seed: int) -> list[dict]:
    """The difference of headlines of each ordered pair of methods, with simultaneous intervals.

    ``rows`` has one row per document and method, with both numbers (0-based) and the method's four
    sums. Keys of the result: method, other_method, difference, low, high.
    """
    documents, methods = rows[:, :2].astype(int).T
    n_methods = int(methods.max()) + 1
    sums = numpy.zeros((int(documents.max()) + 1, n_methods, N_SUMS))
    sums[documents, methods] = rows[:, 2:]
    flat = sums.reshape(len(sums), -1)
    (estimates,) = headlines(flat.sum(axis=0, keepdims=True))
    replicates = headlines(intervals.replicated(flat, n_replicates, seed))
    replicates = replicates[numpy.isfinite(replicates).all(axis=1)]
    firsts, seconds = numpy.triu_indices(n_methods, k=1)
    if not len(firsts) or not len(replicates):
        return []
    differences = estimates[firsts] - estimates[seconds]
    deviations = replicates[:, firsts] - replicates[:, seconds] - differences
    errors = numpy.sqrt((deviations**2).mean(axis=0))
    scaled = numpy.abs(deviations) / numpy.where(errors > LEAST_ERROR, errors, 1)
    widest = numpy.quantile(scaled.max(axis=1), intervals.LEVEL)
    # Documents with a probe in each comparison of a method.
    n_documents = (sums[:, :, 1::2] > 0).sum(axis=0).min(axis=1)
    widened = numpy.array([widening(n) for n in n_documents])
    halves = widest * errors * numpy.maximum(widened[firsts], widened[seconds])
    return [
        {
            "method": int(method),
            "other_method": int(other),
            "difference": round(float(sign * difference), 9),
            "low": round(float(sign * difference - half), 9),
            "high": round(float(sign * difference + half), 9),
        }
        for first, second, difference, half in zip(
            firsts, seconds, differences, halves, strict=True
        )
        for method, other, sign in ((first, second, 1), (second, first, -1))
    ]


def widening(n_documents: int) -> float:
    """The factor by which intervals of this many documents are wider than a normal one."""
    # Importing takes a quarter of a second.
    from scipy.special import ndtri, stdtrit

    tail = (1 + intervals.LEVEL) / 2
    quantile = stdtrit(n_documents - 1, tail) / ndtri(tail)
    return float(quantile * (n_documents / (n_documents - 1)) ** 0.5)
