"""Bootstrap intervals by document: correct coverage, and reproducible."""

from __future__ import annotations

import itertools
import math
import statistics
import time

import numpy
import pytest

from latent_probes.warehouse.functions import intervals

N_DATA_SETS = 1000


def coverage(draw, truth, n_replicates=400):
    """The share of simulated data sets whose interval holds the truth."""
    held = 0
    for seed in range(N_DATA_SETS):
        low, high = intervals.mean_interval(
            *draw(numpy.random.default_rng(seed)), n_replicates, seed
        )
        held += low <= truth <= high
    return held / N_DATA_SETS


def probes_of(draw, n_documents):
    """How many probes of each document are scored: one to six."""
    return draw.integers(1, 7, n_documents)


def means(n_documents):
    """Scores of probes that are alike within a document."""

    def sums(draw):
        counts = probes_of(draw, n_documents)
        level = draw.beta(0.7, 1.0, n_documents)
        return draw.binomial(10 * counts, level) / 10, counts

    return sums


def shares(n_documents):
    """Probes that reach a threshold: rare in most documents, frequent in some."""

    def sums(draw):
        counts = probes_of(draw, n_documents)
        level = numpy.where(draw.random(n_documents) < 0.25, 0.8, 0.1)
        return draw.binomial(counts, level), counts

    return sums


def differences(n_documents):
    """Differences of two arms that share their documents."""

    def sums(draw):
        counts = probes_of(draw, n_documents)
        level = draw.beta(0.7, 1.0, n_documents)
        other = draw.binomial(10 * counts, numpy.clip(level * 0.8, 0, 1)) / 10
        return other - draw.binomial(10 * counts, level) / 10, counts

    return sums


@pytest.mark.parametrize("n_documents", [20, 100])
@pytest.mark.parametrize(
    ("draws", "truth"),
    [(means, 0.7 / 1.7), (shares, 0.275), (differences, -0.2 * 0.7 / 1.7)],
)
def test_ninety_five_in_a_hundred_intervals_hold_the_truth(draws, truth, n_documents):
    assert 0.92 <= coverage(draws(n_documents), truth) <= 0.98


def test_probes_of_one_document_are_no_new_evidence():
    draw = numpy.random.default_rng(1)
    values = draw.random(50)
    low, high = intervals.mean_interval(values, numpy.ones(50), 1000, 1)
    # The same documents with ten equal probes each say no more.
    assert intervals.mean_interval(values * 10, numpy.full(50, 10), 1000, 1) == pytest.approx(
        (low, high)
    )
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(50), rel=0.15)


def test_the_same_numbers_have_the_same_interval():
    values, counts = numpy.arange(40) / 40, numpy.full(40, 3)
    assert intervals.mean_interval(values, counts, 1000, 7) == (
        intervals.mean_interval(values, counts, 1000, 7)
    )
    assert intervals.mean_interval(values, counts, 1000, 7) != (
        intervals.mean_interval(values, counts, 1000, 8)
    )


def test_an_interval_is_the_same_on_every_machine_and_version():
    found = intervals.mean_interval(numpy.arange(40) / 40, numpy.ones(40), 1000, 7)
    assert found == pytest.approx((0.397773, 0.575861), abs=1e-6)


def test_what_never_varies_has_no_width():
    assert intervals.mean_interval(numpy.full(9, 0.5), numpy.ones(9), 1000, 1) == (
        pytest.approx((0.5, 0.5))
    )


@pytest.mark.parametrize("n_documents", [0, 1, 4])
def test_a_few_documents_have_no_interval(n_documents):
    ones = numpy.ones(n_documents)
    assert intervals.mean_interval(ones, ones, 1000, 1) is None


def test_weights_are_poisson():
    weights = intervals.QUANTILES
    assert weights.mean() == pytest.approx(1, abs=1e-3)
    assert weights.var() == pytest.approx(1, abs=1e-3)
    assert (weights == 0).mean() == pytest.approx(math.exp(-1), abs=1e-4)
    totals = intervals.replicated(numpy.eye(6), 20_000, 3)
    assert totals.mean(axis=0) == pytest.approx([1] * 6, abs=0.05)
    assert numpy.corrcoef(totals.T) == pytest.approx(numpy.eye(6), abs=0.05)


def test_many_documents_take_no_longer_than_a_breath():
    started = time.monotonic()
    intervals.mean_interval(numpy.ones(37_000), numpy.ones(37_000), 1000, 1)
    assert time.monotonic() - started < 5


# Agreement ------------------------------------------------------------------------------------


def sums_of(scores, others):
    """The totals of one document with these pairs."""
    scores, others = numpy.array(scores, float), numpy.array(others, float)
    return [
        len(scores),
        ((scores - others) ** 2).sum(),
        (scores + others).sum(),
        (scores**2 + others**2).sum(),
    ]


def alpha_of(scores, others):
    """Alpha of some pairs."""
    found = intervals.alpha_interval(numpy.array([sums_of(scores, others)]), 10, 1)
    return found and found[0]


def test_alpha_is_that_of_the_published_example():
    # Krippendorff, "Computing Krippendorff's alpha-reliability", 2011, part A.
    meg = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    owen = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert alpha_of(meg, owen) == pytest.approx(0.095, abs=5e-4)


def test_alpha_is_one_for_equal_scores_and_nothing_where_nothing_varies():
    assert alpha_of([0, 0.5, 1], [0, 0.5, 1]) == 1
    assert alpha_of([0.5, 0.5], [0.5, 0.5]) is None


@pytest.mark.parametrize("score", [0.1, 0.3, 0.8, 0.9])
def test_agreement_of_constant_scores_is_undefined(score):
    """Sums of such scores do not add up to the last digit."""
    documents = numpy.array([sums_of([score] * n, [score] * n) for n in (2, 3, 7, 10, 3, 2)])
    assert intervals.alpha_interval(documents, 200, 1) is None


@pytest.mark.parametrize("seed", range(5))
def test_alpha_is_that_of_its_definition(seed):
    """One minus the disagreement within answers over that between all pairs of scores."""
    draw = numpy.random.default_rng(seed)
    scores = draw.integers(0, 11, 60) / 10
    others = numpy.clip(scores + draw.integers(-3, 4, 60) / 10, 0, 1).round(1)
    pairs = itertools.permutations([*scores, *others], 2)
    expected = statistics.fmean((one - other) ** 2 for one, other in pairs)
    observed = statistics.fmean((scores - others) ** 2)
    assert alpha_of(scores, others) == pytest.approx(1 - observed / expected, abs=1e-9)


def test_ninety_five_in_a_hundred_intervals_hold_alpha():
    def documents(draw, n_documents):
        level = draw.beta(0.7, 1.0, n_documents)
        for true in level:
            scores = draw.binomial(10, true, 4) / 10
            yield sums_of(scores, numpy.clip(scores + draw.integers(-2, 3, 4) / 10, 0, 1))

    (truth,) = intervals.alpha(
        numpy.sum([*documents(numpy.random.default_rng(1), 50_000)], axis=0)[None]
    )
    held = 0
    for seed in range(N_DATA_SETS):
        sums = numpy.array([*documents(numpy.random.default_rng(seed), 40)])
        _, low, high = intervals.alpha_interval(sums, 400, seed)
        held += low <= truth <= high
    assert 0.92 <= held / N_DATA_SETS <= 0.98


def test_agreement_of_a_few_documents_has_no_interval():
    sums = numpy.array([sums_of([0, 1], [0, 0.5])] * 4)
    assert intervals.alpha_interval(sums, 100, 1)[1:] == (None, None)


def test_a_correlation_is_that_of_its_definition():
    draw = numpy.random.default_rng(1)
    firsts = draw.random(60)
    seconds = firsts + draw.random(60)
    sums = numpy.array(
        [
            [1, first, second, first * second, first**2, second**2]
            for first, second in zip(firsts, seconds, strict=True)
        ]
    )
    estimate, low, high = intervals.correlation_interval(sums, 1000, 1)
    assert estimate == pytest.approx(numpy.corrcoef(firsts, seconds)[0, 1])
    assert low < estimate < high
    assert intervals.correlation_interval(sums[:1], 100, 1) is None


@pytest.mark.parametrize("n_documents", [4, 5, 40])
def test_several_means_at_once_have_the_intervals_that_each_has(n_documents):
    draw = numpy.random.default_rng(1)
    counts = probes_of(draw, n_documents)
    sums = draw.random((n_documents, 3)) * counts[:, None]
    together = intervals.mean_intervals(sums, counts, 400, 7)
    alone = [intervals.mean_interval(column, counts, 400, 7) for column in sums.T]
    if n_documents < 5:
        assert together == alone == [None] * 3
        return
    assert numpy.allclose(together, alone, atol=1e-9)
