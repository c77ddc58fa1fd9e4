"""Bootstrap intervals by document: correct coverage, and reproducible."""

from __future__ import annotations

import itertools
import math
import statistics
import time

import numpy
import pyarrow
import pytest

from latent_probes.warehouse.functions import intervals
from latent_probes.warehouse.functions import statistics as columns

N_DATA_SETS = 1000
# Where a difference is large.
FEW_DATA_SETS = 200


def coverage(
    draw,
    truth,
    interval=intervals.mean_interval,
    n_data_sets=FEW_DATA_SETS,
    is_counted=lambda sums: True,
):
    """The share of the counted simulated data sets that have an interval which holds the truth."""
    held = []
    for seed in range(n_data_sets):
        sums, counts = draw(numpy.random.default_rng(seed))
        if is_counted(sums):
            # One seed, as in a build, whose intervals share their draws of documents.
            low, high = interval(sums, counts, 400, 1) or (math.inf, -math.inf)
            held.append(low <= truth <= high)
    return numpy.mean(held)


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


def rare(n_documents, share, likeness):
    """Probes with an event, this share of all; how alike those of a document are: 0 to 1."""

    def sums(draw):
        counts = probes_of(draw, n_documents)
        parts = 1 / likeness - 1
        return draw.binomial(counts, draw.beta(share * parts, (1 - share) * parts, n_documents)), (
            counts
        )

    return sums


@pytest.mark.parametrize("n_documents", [20, 100])
@pytest.mark.parametrize(
    ("draws", "truth", "interval"),
    [
        (means, 0.7 / 1.7, intervals.share_interval),
        (shares, 0.275, intervals.share_interval),
        (differences, -0.2 * 0.7 / 1.7, intervals.difference_interval),
    ],
)
def test_ninety_five_in_a_hundred_intervals_hold_the_truth(draws, truth, interval, n_documents):
    assert 0.92 <= coverage(draws(n_documents), truth, interval, N_DATA_SETS) <= 0.98


def test_intervals_of_shares_in_five_documents_hold_the_truth():
    assert coverage(shares(5), 0.275) < 0.92
    assert coverage(shares(5), 0.275, intervals.share_interval) > 0.95


@pytest.mark.parametrize("likeness", [0.01, 0.3])
def test_a_share_that_was_seen_once_or_twice_can_be_the_true_one(likeness):
    """Also in the data sets with too few events; a bootstrap knows of no document with more."""
    draws = rare(20, 0.06, likeness)

    def of_few(interval):
        return coverage(draws, 0.06, interval, FEW_DATA_SETS, lambda sums: 0 < sums.sum() <= 2)

    assert of_few(intervals.mean_interval) < 0.8
    assert of_few(intervals.share_interval) > 0.95


@pytest.mark.parametrize("likeness", [0.01, 0.3, 0.95])
@pytest.mark.parametrize("interval", [intervals.share_interval, intervals.difference_interval])
def test_intervals_of_rare_events_hold_their_share(interval, likeness):
    assert coverage(rare(20, 0.08, likeness), 0.08, interval) > 0.92


def test_more_events_move_both_ends_and_what_all_have_mirrors_what_none_has():
    counts = numpy.full(20, 6)
    ends = []
    for n_events in range(1, 5):
        sums = (numpy.arange(20) < n_events).astype(float)
        ends.append(intervals.share_interval(sums, counts, 400, 1))
        low, high = intervals.share_interval(counts - sums, counts, 400, 1)
        assert (1 - high, 1 - low) == pytest.approx(ends[-1])
    assert ends == sorted(ends)
    assert [high for _, high in ends] == sorted(high for _, high in ends)


def test_an_event_of_all_probes_of_a_document_tells_less():
    """One document of 20: as the exact interval of one of 20, widened for what is estimated."""
    low, high = intervals.share_interval(numpy.eye(20)[0] * 6, numpy.full(20, 6), 400, 1)
    assert (low, high) == pytest.approx((0.0013, 0.249), abs=0.03)
    assert high > intervals.share_interval(numpy.eye(20)[0], numpy.full(20, 6), 400, 1)[1] + 0.1


@pytest.mark.parametrize("mean", [-1, 0, 0.5, 1])
def test_a_difference_that_never_varies_has_the_bounds_of_documents_not_seen(mean):
    """An unseen share of documents, at most 17 % with 20 of them, can be -1 or 1 instead."""
    unseen = 1 - 0.025 ** (1 / 20)
    counts = probes_of(numpy.random.default_rng(1), 20)
    assert intervals.difference_interval(mean * counts, counts, 400, 1) == pytest.approx(
        (mean - (1 + mean) * unseen, mean + (1 - mean) * unseen)
    )


def test_a_difference_in_few_documents_is_between_losses_and_gains_not_ruled_out():
    counts = numpy.full(20, 6)
    gain, loss = numpy.eye(20)[:2]
    _, few = intervals.share_interval(gain + loss, counts, 400, 1)
    low, high = intervals.difference_interval(gain - loss, counts, 400, 1)
    assert low == pytest.approx(-high)
    assert 0 < high < few
    low, high = intervals.difference_interval(gain, counts, 400, 1)
    assert low < 0 < 1 / 120 < high


def test_documents_without_probes_do_not_count():
    sums, counts = numpy.array([0.0] * 9), numpy.array([3] * 4 + [0] * 5)
    assert intervals.share_interval(sums, counts, 400, 1) is None
    assert intervals.difference_interval(sums, counts, 400, 1) is None


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
    assert found == pytest.approx((0.392262, 0.583634), abs=1e-6)


def test_a_bootstrap_of_what_never_varies_has_no_interval():
    assert intervals.mean_interval(numpy.full(9, 0.5), numpy.ones(9), 1000, 1) is None
    of_pairs = numpy.array([sums_of([0, 1], [0, 1])] * 9)
    assert intervals.alpha_interval(of_pairs, 400, 1) == (1, None, None)


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


@pytest.mark.parametrize("n_documents", [1_001, 1_999, 20_000])
def test_random_groups_of_documents_have_the_width_of_documents(n_documents):
    drawn = numpy.random.default_rng(n_documents)
    counts = drawn.integers(1, 17, n_documents).astype(float)
    # Neighbours in the order of documents are alike, as those of one source are.
    shares = numpy.sort(drawn.beta(2, 3, n_documents))
    sums = shares * counts
    mean = sums.sum() / counts.sum()
    error = math.sqrt(((sums - mean * counts) ** 2).sum()) / counts.sum()
    widths = []
    for seed in range(20):
        low, high = intervals.mean_interval(sums, counts, 1000, seed)
        assert low < mean < high
        widths.append(high - low)
    assert numpy.mean(widths) / (2 * 1.96 * error) == pytest.approx(1, abs=0.03)


def test_fewer_documents_have_the_first_of_the_same_weights():
    few, many = (intervals.replicated(numpy.eye(n), 1000, 1) for n in (6, 450))
    assert (few == many[:, :6]).all()


def test_groups_hold_every_document_once():
    counts = numpy.ones((1_500, 1))
    groups = intervals.in_random_groups(counts, 1_000, 1)
    assert sorted(set(groups[:, 0])) == [1, 2]
    assert groups.sum() == 1_500


def test_time_does_not_grow_with_documents():
    few, many = [], []
    for n_documents, seconds in ((1_000, few), (37_000, many)) * 5:
        intervals.weights.cache_clear()
        ones = numpy.ones(n_documents)
        started = time.process_time()
        intervals.mean_interval(ones, ones, 1000, 1)
        seconds.append(time.process_time() - started)
    assert min(many) < 4 * min(few)


def test_lists_of_a_column_are_read_as_they_are_however_it_is_cut():
    numbers = pyarrow.array([[7.0], [1.0, None], [], [2.0, 3.0]]).slice(1)
    column = pyarrow.chunked_array([numbers, pyarrow.array([[9.0], [8.0, 0.5]]).slice(1)])
    read = [array.tolist() for array in columns.arrays(column)]
    assert str(read) == "[[1.0, nan], [], [2.0, 3.0], [8.0, 0.5]]"
    nested = pyarrow.array([[[0.0, 0.0]], [[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]]).slice(1)
    read = [array.tolist() for array in columns.arrays(pyarrow.chunked_array([nested]))]
    assert read == [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]]


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
        numpy.sum([*documents(numpy.random.default_rng(1), 20_000)], axis=0)[None]
    )
    held = 0
    for seed in range(N_DATA_SETS // 2):
        sums = numpy.array([*documents(numpy.random.default_rng(seed), 40)])
        _, low, high = intervals.alpha_interval(sums, 400, 1)
        held += low <= truth <= high
    assert 0.92 <= held / (N_DATA_SETS // 2) <= 0.98


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
