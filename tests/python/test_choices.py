"""Weights of the candidates for a wrong answer."""

from __future__ import annotations

import numpy
import pytest

from latent_probes.warehouse.functions import choices

N_PROBES = 400


@pytest.fixture(scope="module")
def pools() -> list[numpy.ndarray]:
    """Candidates' features minus their atom's: the first is usually less, the second more."""
    draw = numpy.random.default_rng(5)
    return [draw.normal([-1, 0.2], 1, (12, 2)) for _ in range(N_PROBES)]


def drawn_mean(pools: list[numpy.ndarray], weights: list[float]) -> numpy.ndarray:
    """Mean difference of a candidate that is drawn with the weights."""
    means = []
    for pool in pools:
        shares = numpy.exp(pool @ numpy.array(weights))
        means.append(shares @ pool / shares.sum())
    return numpy.mean(means, axis=0)


def test_drawn_candidates_do_not_differ_from_the_atom_on_average(pools):
    assert abs(drawn_mean(pools, [0.0, 0.0])).max() > 0.9
    assert abs(drawn_mean(pools, choices.balancing_weights(pools, False))).max() < 0.05


def test_weights_stay_finite_where_no_weights_balance():
    weights = choices.balancing_weights([[[1.0], [2.0]], [], [[3.0]]], False)
    assert weights is not None
    assert -100 < weights[0] < -1


def test_without_candidates_there_are_no_weights():
    assert choices.balancing_weights([[], []], False) is None


def test_with_the_reference_the_weights_are_those_of_a_logistic_regression():
    draw = numpy.random.default_rng(2)
    truth = numpy.array([1.0, -0.5])
    rows = draw.normal(size=(4000, 2))
    # The reference is preferred to a candidate with probability 1 / (1 + exp(truth * difference)).
    signs = numpy.where(draw.random(4000) < 1 / (1 + numpy.exp(-rows @ truth)), -1, 1)
    found = choices.balancing_weights([[list(row)] for row in signs[:, None] * rows], True)
    assert found == pytest.approx(truth, abs=0.15)
