"""Pairs of methods compared with simultaneous intervals, by a bootstrap over documents.

A method's headline is the smaller of two means over probes: the effects of the real state against
no state and against another document's. A pair is compared on the probes that both answered, and
all pairs share the replicates of ``intervals``. The intervals of all pairs hold together with 95 %:
their common half-width, in standard errors, is the 95th percentile of the largest deviation of any
pair (max-t; Westfall and Young, "Resampling-based multiple testing", 1993). For few documents it is
widened as in ``intervals``.
"""

from __future__ import annotations

import numpy

from latent_probes.warehouse.functions import intervals

# A standard error below this is rounding error: the methods never differ by another amount.
LEAST_ERROR = 1e-9


def differences(totals: numpy.ndarray) -> numpy.ndarray:
    """The difference of both headlines of each pair, for each row of totals.

    ``totals`` has, for each pair, against another document's state and against no state: the sum of
    either method, and the number of probes.
    """
    parts = totals.reshape(len(totals), -1, 2, 3)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        first, second = ((parts[..., method] / parts[..., 2]).min(axis=2) for method in (0, 1))
    return first - second


def compared(rows: numpy.ndarray, n_replicates: int, seed: int) -> list[dict]:
    """The difference of headlines of each ordered pair of methods, with simultaneous intervals.

    ``rows`` has one row per document, pair of methods and control: the numbers of the document, of
    the method and of the other one (0-based), 1 for no state or 0 for another document's, the sum
    of either method over the probes that both answered, and their number. Pairs that share fewer
    than five documents under a control are left out. Keys of the result: method, other_method,
    difference, low, high, n_no_state, n_other_state.
    """
    documents, controls = rows[:, [0, 3]].astype(int).T
    pairs, places = numpy.unique(rows[:, 1:3].astype(int), axis=0, return_inverse=True)
    sums = numpy.zeros((int(documents.max()) + 1, len(pairs), 2, 3))
    sums[documents, places.ravel(), controls] = rows[:, 4:]
    # Documents with a probe under each control.
    n_documents = (sums[..., 2] > 0).sum(axis=0).min(axis=1)
    is_known = n_documents >= intervals.FEWEST_DOCUMENTS
    pairs, sums, n_documents = pairs[is_known], sums[:, is_known], n_documents[is_known]
    flat = sums.reshape(len(sums), -1)
    replicates = differences(intervals.replicated(flat, n_replicates, seed))
    replicates = replicates[numpy.isfinite(replicates).all(axis=1)]
    if not len(pairs) or not len(replicates):
        return []
    (estimates,) = differences(flat.sum(axis=0, keepdims=True))
    deviations = replicates - estimates
    errors = numpy.sqrt((deviations**2).mean(axis=0))
    scaled = numpy.abs(deviations) / numpy.where(errors > LEAST_ERROR, errors, 1)
    widest = numpy.quantile(scaled.max(axis=1), intervals.LEVEL)
    halves = widest * errors * numpy.array([widening(n) for n in n_documents])
    # Without variation, of so many documents an unseen share can have another difference (-2 to 2).
    unseen = 1 - ((1 - intervals.LEVEL) / 2 / len(pairs)) ** (1 / n_documents)
    is_constant = errors <= LEAST_ERROR
    below = numpy.where(is_constant, unseen * (2 + estimates), halves)
    above = numpy.where(is_constant, unseen * (2 - estimates), halves)
    return [
        {
            "method": int(method),
            "other_method": int(other),
            "difference": round(float(sign * difference), 9),
            "low": round(float(sign * difference - (lower if sign > 0 else upper)), 9),
            "high": round(float(sign * difference + (upper if sign > 0 else lower)), 9),
            "n_no_state": int(n_no_state),
            "n_other_state": int(n_other_state),
        }
        for (first, second), difference, lower, upper, (n_other_state, n_no_state) in zip(
            pairs, estimates, below, above, sums[..., 2].sum(axis=0), strict=True
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
