"""Solve rates: the fitted prior, and its estimates for probes that no answer solves."""

from __future__ import annotations

import numpy
import pytest
from scipy import optimize, special

from latent_probes.warehouse.functions import solve_rates

HIGHEST_RATE = 0.13


def counts_of(n_answers, n_solved, documents):
    """A row per probe: its document, its answers, those that solve it, and one probe."""
    return numpy.column_stack([documents, n_answers, n_solved, numpy.ones(len(n_solved))])


def drawn(draw, alpha, beta, n_documents, n_probes=6, n_answers=5):
    """Counts of probes whose rates follow a beta distribution, and the rates."""
    documents = numpy.repeat(numpy.arange(n_documents), n_probes)
    rates = draw.beta(alpha, beta, len(documents))
    solved = draw.binomial(n_answers, rates)
    return counts_of(numpy.full(len(rates), n_answers), solved, documents), rates


def fitted(counts):
    """Both parameters for one group."""
    alpha, beta = solve_rates.fitted(solve_rates.tallies(counts).sum(axis=0, keepdims=True))
    return alpha[0], beta[0]


def log_likelihood(parameters, counts):
    """That of a beta-binomial model by its definition, with the invented probe."""
    alpha, beta = numpy.exp(parameters)
    _, n, k, _ = counts.T
    n, k = numpy.append(n, [2, 2, 2]), numpy.append(k, [0, 1, 2])
    weights = numpy.append(numpy.ones(len(counts)), [1 / 3] * 3)
    return (weights * (special.betaln(alpha + k, beta + n - k) - special.betaln(alpha, beta))).sum()


@pytest.mark.parametrize("seed", range(3))
def test_the_prior_has_the_highest_likelihood(seed):
    draw = numpy.random.default_rng(seed)
    counts, _ = drawn(draw, 0.4, 1.2, 40)
    # Probes of rounds that ask for another number of answers.
    counts[::7, 1] += 3
    counts[::14, 2] += 2
    best = optimize.minimize(lambda x: -log_likelihood(x, counts), [0, 0], tol=1e-10)
    assert fitted(counts) == pytest.approx(numpy.exp(best.x), rel=1e-3)


@pytest.mark.parametrize(("n_answers", "n_solved"), [(5, 2), (10, 1), (25, 8)])
def test_rates_that_are_all_alike_have_their_mean(n_answers, n_solved):
    counts = counts_of(numpy.full(200, n_answers), numpy.full(200, n_solved), numpy.arange(200))
    alpha, beta = fitted(counts)
    assert alpha + beta == pytest.approx(solve_rates.SUREST)
    assert alpha / (alpha + beta) == pytest.approx(n_solved / n_answers, rel=0.01)


def test_single_answers_tell_no_more_than_the_mean():
    """How alike the rates are is known from the invented probe alone."""
    counts = counts_of(numpy.ones(100), numpy.arange(100) < 20, numpy.arange(100))
    best = optimize.minimize(lambda x: -log_likelihood(x, counts), [0, 0], tol=1e-10)
    assert fitted(counts) == pytest.approx(numpy.exp(best.x), rel=1e-3)


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.9), (0.1, 1), (2, 3)])
def test_many_probes_give_the_prior_that_they_were_drawn_from(alpha, beta):
    counts, _ = drawn(numpy.random.default_rng(1), alpha, beta, 4000)
    assert fitted(counts) == pytest.approx((alpha, beta), rel=0.08)


@pytest.mark.parametrize("n_solved", [0, 5])
def test_probes_that_are_all_alike_leave_room_for_doubt(n_solved):
    counts = counts_of(numpy.full(40, 5), numpy.full(40, n_solved), numpy.arange(40))
    alpha, beta = fitted(counts)
    assert min(alpha, beta) > 0
    assert 0.0001 < min(alpha, beta) / (alpha + beta) < 0.05


@pytest.mark.parametrize("n_answers", [1, 5, 10])
def test_shares_of_unsolved_probes_are_those_of_a_simulation(n_answers):
    draw = numpy.random.default_rng(3)
    rates = draw.beta(0.4, 0.9, 400_000)
    unsolved = draw.binomial(n_answers, rates) == 0
    shares = [share[0, -1] for share in solve_rates.of_unsolved(0.4, 0.9, n_answers, HIGHEST_RATE)]
    anew = draw.binomial(n_answers, rates[unsolved]) > 0
    assert shares == pytest.approx(
        (unsolved.mean(), (rates[unsolved] > HIGHEST_RATE).mean(), anew.mean()), abs=5e-3
    )


def test_shares_by_number_of_answers_are_those_of_the_incomplete_beta_function():
    draw = numpy.random.default_rng(4)
    alpha, beta = numpy.exp(draw.uniform(-6, 8, (2, 500)))
    for rate in (0, HIGHEST_RATE, 0.9, 1):
        _, mislabelled, _ = solve_rates.of_unsolved(alpha, beta, 30, rate)
        exact = special.betaincc(alpha[:, None], beta[:, None] + numpy.arange(1, 31), rate)
        assert numpy.abs(mislabelled - exact).max() < 1e-11


def test_posterior_intervals_and_probabilities_are_calibrated():
    """Posterior intervals hold the rates, and posterior probabilities are frequencies."""
    counts, rates = drawn(numpy.random.default_rng(5), 0.4, 1.0, 3000)
    alpha, beta = fitted(counts)
    _, n, k, _ = counts.T
    low, high = (special.betaincinv(alpha + k, beta + n - k, tail) for tail in (0.025, 0.975))
    assert ((low <= rates) & (rates <= high)).mean() == pytest.approx(0.95, abs=0.01)
    unsolved = k == 0
    said = special.betaincc(alpha, beta + n[unsolved], HIGHEST_RATE).mean()
    assert said == pytest.approx((rates[unsolved] > HIGHEST_RATE).mean(), abs=0.015)


def test_a_few_documents_have_no_interval():
    counts, _ = drawn(numpy.random.default_rng(1), 0.3, 0.9, 4)
    (row,) = solve_rates.described(counts, HIGHEST_RATE, 1, 100, 1)["by_answers"]
    assert row["mislabelled_low"] is row["re_solved_high"] is None
    assert 0 < row["mislabelled"] < 1


def test_probes_of_one_document_are_no_new_evidence():
    counts, _ = drawn(numpy.random.default_rng(1), 0.3, 0.9, 50)
    repeated = counts.copy()
    repeated[:, 3] = 10
    (row,), (again,) = (
        solve_rates.described(one, HIGHEST_RATE, 1, 500, 1)["by_answers"]
        for one in (counts, repeated)
    )
    width, other_width = (one["mislabelled_high"] - one["mislabelled_low"] for one in (row, again))
    assert other_width == pytest.approx(width, rel=0.1)


def test_rates_that_are_all_alike_have_a_prior_that_is_as_sure_as_it_may_be():
    # Each probe is solved by half of its answers: less scattered than any chance.
    counts = counts_of(numpy.full(60, 4), numpy.full(60, 2), numpy.arange(60))
    alpha, beta = fitted(counts)
    assert alpha == pytest.approx(beta)
    assert alpha + beta == pytest.approx(solve_rates.SUREST)
