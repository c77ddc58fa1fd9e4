"""Bootstrap intervals with documents as the unit, since probes of a document are not independent.

An estimate is a function of sums over documents: a mean over probes is the sum of values divided by
the number of probes. A replicate weights each document with a draw from the Poisson distribution of
mean 1, which approximates drawing the same number of documents with replacement (Chamandy et al.,
"Estimating uncertainty for massive data streams", 2012).

More than 1,000 documents are put into as many groups at random, which are drawn in their place: the
sums of groups vary as those of documents do (Wolter, "Introduction to Variance Estimation", chapter
2, 2007), so that time does not grow with documents. Standard errors are off by
about 2 % for that, besides the 2 % of 1,000 replicates.

The interval is the expanded percentile interval (Hesterberg, "What teachers should know about the
bootstrap", The American Statistician 69, 2015), with percentiles from the t distribution, because
plain percentile intervals are too narrow for few documents.

If only a few documents have an event, a bootstrap knows no document with more of them. A share has
the exact bounds of Clopper and Pearson then, for the effective number of probes (Korn and Graubard,
"Confidence intervals for proportions with small expected number of positive counts estimated from
survey data", Survey Methodology 24, 1998). Without any event nothing shows how alike the probes of
a document are; that number is the number of documents then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy

# A figure and the ends of its interval, if it has one.
Estimate = tuple[float, float | None, float | None]

LEVEL = 0.95
# With fewer documents, no interval is given; with events in fewer documents, no bootstrap is made.
FEWEST_DOCUMENTS = 5
# A share of a document nearer than this to none or all is none or all.
LEAST_SHARE = 1e-9
# A variance below this share of the mean square is rounding error: all values are equal.
LEAST_VARIANCE = 1e-12
# More documents are put into this many random groups, which are drawn in their place.
MOST_UNITS = 1_000
UNITS_AT_ONCE = 200


def poisson_quantiles() -> numpy.ndarray:
    """Map 65,536 equally likely numbers to draws of the Poisson distribution."""
    probabilities = numpy.exp(-1) / numpy.cumprod([1, *range(1, 12)])
    places = (numpy.arange(1 << 16) + 0.5) / (1 << 16)
    return numpy.searchsorted(numpy.cumsum(probabilities), places).astype(numpy.float64)


QUANTILES = poisson_quantiles()


def interval(
    sums: numpy.ndarray,
    statistic: Callable[[numpy.ndarray], numpy.ndarray],
    n_replicates: int,
    seed: int,
) -> tuple[float, float] | None:
    """The 95 % interval of a statistic; None for fewer than five documents.

    ``sums`` has one row per document and one column per sum; ``statistic`` maps rows of totals
    (weighted sums over documents) to values, vectorized. Replicates in which the value is NaN are
    dropped. Equal arguments give an equal interval on any machine.
    """
    if len(sums) < FEWEST_DOCUMENTS:
        return None
    with numpy.errstate(divide="ignore", invalid="ignore"):
        values = statistic(replicated(sums, n_replicates, seed))
    return ends(values, len(sums))


def ends(values: numpy.ndarray, n_documents: int) -> tuple[float, float] | None:
    """The ends of the interval, from the values in all replicates; None if they do not vary."""
    values = values[numpy.isfinite(values)]
    if not len(values) or numpy.ptp(values) <= LEAST_SHARE:
        return None
    tail = expanded_tail(n_documents)
    low, high = numpy.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def mean_interval(
    sums: numpy.ndarray, counts: numpy.ndarray, n_replicates: int, seed: int
) -> tuple[float, float] | None:
    """The interval of a mean over probes, from each document's sum and number of values."""
    return interval(
        numpy.column_stack([sums, counts]),
        lambda totals: totals[:, 0] / totals[:, 1],
        n_replicates,
        seed,
    )


def share_interval(
    sums: numpy.ndarray, counts: numpy.ndarray, n_replicates: int, seed: int
) -> tuple[float, float] | None:
    """The interval of a mean of values from 0 to 1, as ``mean_interval``.

    Exact if fewer than five documents have a value above 0, or fewer than five one below 1.
    """
    sums, counts = sums[counts > 0], counts[counts > 0]
    if len(sums) < FEWEST_DOCUMENTS or not numpy.isfinite(sums).all():
        return None
    shares = sums / counts
    if min(number_of(shares), number_of(1 - shares)) >= FEWEST_DOCUMENTS:
        return mean_interval(sums, counts, n_replicates, seed)
    return exact_ends(sums.sum() / counts.sum(), effective_number(sums, counts))


def difference_interval(
    sums: numpy.ndarray, counts: numpy.ndarray, n_replicates: int, seed: int
) -> tuple[float, float] | None:
    """The interval of a mean of values from -1 to 1, as ``mean_interval``.

    If all documents have the same mean, an unseen share of them, as large as the exact bound
    allows, can have another one. If fewer than five differ from 0, gains and losses have the exact
    bounds of shares.
    """
    sums, counts = sums[counts > 0], counts[counts > 0]
    if len(sums) < FEWEST_DOCUMENTS or not numpy.isfinite(sums).all():
        return None
    mean = sums.sum() / counts.sum()
    if not number_of(sums / counts - mean):
        _, unseen = exact_ends(0.0, len(sums))
        return float(mean - (1 + mean) * unseen), float(mean + (1 - mean) * unseen)
    if number_of(sums / counts) >= FEWEST_DOCUMENTS:
        return mean_interval(sums, counts, n_replicates, seed)
    n_effective = effective_number(numpy.abs(sums), counts)
    gains, losses = (numpy.maximum(sign * sums, 0).sum() / counts.sum() for sign in (1, -1))
    return -exact_ends(losses, n_effective)[1], exact_ends(gains, n_effective)[1]


def number_of(shares: numpy.ndarray) -> int:
    """How many documents have a share that is not 0."""
    return int((numpy.abs(shares) > LEAST_SHARE).sum())


def effective_number(sums: numpy.ndarray, counts: numpy.ndarray) -> float:
    """The number of independent probes that would give a share as precisely, for its exact bounds.

    At most the number of probes. It is less because it is itself estimated from few documents. If
    no document differs from another, it is the number of documents.
    """
    from scipy.special import stdtrit

    n_documents, n_probes = len(sums), counts.sum()
    share = sums.sum() / n_probes
    variance = ((sums - share * counts) ** 2).sum() * n_documents / (n_documents - 1) / n_probes**2
    if min(share, 1 - share) <= LEAST_SHARE or variance <= LEAST_SHARE**2:
        return float(n_documents)
    most, least = (stdtrit(n - 1, (1 + LEVEL) / 2) for n in (n_documents, n_probes))
    n_effective = min(share * (1 - share) / variance, n_probes)
    return float(n_effective * min(1.0, (least / most) ** 2))


def exact_ends(share: float, n_effective: float) -> tuple[float, float]:
    """The interval of Clopper and Pearson for a share of a number of probes, of documents, ..."""
    from scipy.special import betaincinv

    tail = (1 - LEVEL) / 2
    n_events, n_others = share * n_effective, (1 - share) * n_effective
    low = betaincinv(n_events, n_others + 1, tail) if share > LEAST_SHARE else 0.0
    high = betaincinv(n_events + 1, n_others, 1 - tail) if 1 - share > LEAST_SHARE else 1.0
    return float(low), float(high)


def mean_intervals(
    sums: numpy.ndarray, counts: numpy.ndarray, n_replicates: int, seed: int
) -> list[tuple[float, float] | None]:
    """The intervals of several means over the same probes, one column of ``sums`` each.

    They share the replicates, because drawing these takes most of the time.
    """
    n_documents, n_means = sums.shape
    if n_documents < FEWEST_DOCUMENTS:
        return [None] * n_means
    totals = replicated(numpy.column_stack([sums, counts]), n_replicates, seed)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        means = totals[:, :-1] / totals[:, -1:]
    return [ends(values, n_documents) for values in means.T]


def spread_interval(
    sums: numpy.ndarray, n_replicates: int, seed: int
) -> tuple[float, float] | None:
    """The interval of a standard deviation, from each document's sum, sum of squares and number."""

    def spread(totals: numpy.ndarray) -> numpy.ndarray:
        values, squares, counts = totals.T
        return numpy.sqrt(numpy.maximum(0, squares / counts - (values / counts) ** 2))

    return interval(sums, spread, n_replicates, seed)


def alpha(totals: numpy.ndarray) -> numpy.ndarray:
    """Krippendorff's alpha of two raters with the interval metric, for many rows of totals at once.

    Columns: pairs, squared differences, sums of both scores, sums of both squares. Alpha is 1 minus
    observed disagreement divided by disagreement expected by chance ("Computing Krippendorff's
    alpha-reliability", 2011).
    """
    pairs, differences, sums, squares = totals.T
    values = 2 * pairs
    by_chance = 2 * variation_of(values, sums, squares) / (values * (values - 1))
    return 1 - (differences / pairs) / by_chance


def correlation(totals: numpy.ndarray) -> numpy.ndarray:
    """Pearson's correlation of two values, for many rows of totals at once.

    Columns: pairs, sums of both, sum of products, sums of both squares.
    """
    pairs, firsts, seconds, products, first_squares, second_squares = totals.T
    first_variation = variation_of(pairs, firsts, first_squares)
    second_variation = variation_of(pairs, seconds, second_squares)
    return (pairs * products - firsts * seconds) / numpy.sqrt(first_variation * second_variation)


def variation_of(
    values: numpy.ndarray, sums: numpy.ndarray, squares: numpy.ndarray
) -> numpy.ndarray:
    """Sum of squared deviations times the number of values.

    0 for equal values, whose deviation is only rounding error.
    """
    variation = values * squares - sums**2
    return numpy.where(variation > LEAST_VARIANCE * values * squares, variation, 0)


def estimated(
    sums: numpy.ndarray,
    statistic: Callable[[numpy.ndarray], numpy.ndarray],
    n_replicates: int,
    seed: int,
) -> Estimate | None:
    """A statistic and its interval, from the totals of each document.

    None if it is not a number, for example if all values are equal; without an interval for fewer
    than five documents.
    """
    with numpy.errstate(divide="ignore", invalid="ignore"):
        (estimate,) = statistic(sums.sum(axis=0, keepdims=True))
    if not numpy.isfinite(estimate):
        return None
    low, high = interval(sums, statistic, n_replicates, seed) or (None, None)
    return float(estimate), low, high


def alpha_interval(sums: numpy.ndarray, n_replicates: int, seed: int) -> Estimate | None:
    """Krippendorff's alpha as ``estimated``."""
    return estimated(sums, alpha, n_replicates, seed)


def correlation_interval(sums: numpy.ndarray, n_replicates: int, seed: int) -> Estimate | None:
    """A correlation as ``estimated``."""
    return estimated(sums, correlation, n_replicates, seed)


def replicated(sums: numpy.ndarray, n_replicates: int, seed: int) -> numpy.ndarray:
    """The totals of each replicate, one row each, with the columns of ``sums``."""
    if len(sums) > MOST_UNITS:
        sums = in_random_groups(sums, MOST_UNITS, seed)
    drawn = weights(n_replicates, seed)[: len(sums)]
    totals = numpy.zeros((n_replicates, sums.shape[1]))
    # In parts: for larger ones, threads of BLAS take more CPU time than they save.
    for start in range(0, len(sums), UNITS_AT_ONCE):
        part = slice(start, start + UNITS_AT_ONCE)
        totals += drawn[part].T @ sums[part]
    return totals


def in_random_groups(sums: numpy.ndarray, n_groups: int, seed: int) -> numpy.ndarray:
    """The sums of documents that are dealt to groups at random, of equal size but for one."""
    order = numpy.argsort(numpy.random.PCG64(seed).random_raw(len(sums)), kind="stable")
    starts = numpy.arange(n_groups) * len(sums) // n_groups
    return numpy.add.reduceat(sums[order], starts)


@functools.lru_cache(maxsize=2)
def weights(n_replicates: int, seed: int) -> numpy.ndarray:
    """The weight of each unit (row) in each replicate (column), read-only.

    Fewer units have the first of these weights, so that groups of any size share them: to draw them
    took most of the time.
    """
    n_draws = MOST_UNITS * n_replicates
    # The raw bits of a generator are stable across versions, unlike its distributions.
    bits = numpy.random.PCG64(seed).random_raw((n_draws + 3) // 4)
    found = QUANTILES[bits.astype("<u8").view("<u2")[:n_draws]].reshape(MOST_UNITS, n_replicates)
    found.setflags(write=False)
    return found


def expanded_tail(n_documents: int) -> float:
    """The share of replicates beyond each end of the interval."""
    # Importing takes a quarter of a second.
    from scipy.special import ndtr, stdtrit

    quantile = stdtrit(n_documents - 1, (1 + LEVEL) / 2)
    return float(ndtr(-quantile * (n_documents / (n_documents - 1)) ** 0.5))
