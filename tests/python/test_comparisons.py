"""Methods in pairs: simultaneous intervals, and places that chance does not give."""

from __future__ import annotations

import numpy
import pytest
from simulated_tables import in_pairs, methods

from latent_probes.warehouse.functions import comparisons

N_REPLICATES = 400
N_BOARDS = 200


def better(rows) -> set[tuple[int, int]]:
    """The pairs of which the first is significantly better."""
    found = comparisons.compared(in_pairs(rows), N_REPLICATES, 1)
    return {(row["method"], row["other_method"]) for row in found if row["low"] > 0}


@pytest.mark.parametrize("n_documents", [10, 60])
def test_methods_that_are_alike_seldom_differ_however_many_there_are(n_documents):
    """Of 200 leaderboards of six equal methods, about one in twenty has any that is better."""
    wrong = sum(
        bool(better(methods(numpy.random.default_rng(seed), [(0.2, 0.2)] * 6, n_documents)))
        for seed in range(N_BOARDS)
    )
    assert wrong / N_BOARDS < 0.08


def test_a_method_is_as_good_as_the_smaller_of_its_effects():
    """High against no state alone is no merit."""
    draw = numpy.random.default_rng(2)
    assert better(methods(draw, [(0.9, 0.0), (0.5, 0.5), (0.0, 0.9)], 100)) == {(1, 0), (1, 2)}


def test_both_orders_of_a_pair_mirror_each_other():
    draw = numpy.random.default_rng(3)
    found = {
        (row["method"], row["other_method"]): (row["difference"], row["low"], row["high"])
        for row in comparisons.compared(
            in_pairs(methods(draw, [(0.1, 0.3), (0.2, 0.2)], 40)), 100, 1
        )
    }
    difference, low, high = found[0, 1]
    assert low < difference < high
    assert found[1, 0] == (-difference, -high, -low)


def test_methods_are_compared_on_the_documents_that_both_answered():
    """Methods that are alike, of which one answered easy documents, too; another shares four."""
    alike = methods(numpy.random.default_rng(5), [(0.2, 0.2)] * 3, 40)
    easy = numpy.array([[document, 1, 2, 2, 2, 2] for document in range(40, 60)])
    few = alike[(alike[:, 1] < 2) | (alike[:, 0] < 4)]
    found = comparisons.compared(in_pairs(numpy.vstack([few, easy])), N_REPLICATES, 1)
    assert [(row["method"], row["other_method"], row["n_no_state"]) for row in found] == [
        (0, 1, 80),
        (1, 0, 80),
    ]
    assert found[0]["low"] < 0 < found[0]["high"]


def test_methods_that_never_differ_are_equal():
    rows = methods(numpy.random.default_rng(4), [(0.1, 0.3)], 20)
    twice = numpy.vstack([rows, numpy.add(rows, [0, 1, 0, 0, 0, 0])])
    found = comparisons.compared(in_pairs(twice), 100, 1)
    assert {row["difference"] for row in found} == {0.0}
    assert all(row["low"] < 0 < row["high"] for row in found)


def test_a_difference_that_never_varies_is_not_certain_in_few_documents():
    """One method gains 1 on all documents, the other nothing: better in 40 documents, not in 5."""

    def constant(n_documents):
        return [
            [document, method, method, 1, method, 1]
            for document in range(n_documents)
            for method in (0, 1)
        ]

    assert better(numpy.array(constant(5), float)) == set()
    assert better(numpy.array(constant(40), float)) == {(1, 0)}
