"""Weights of candidates, among which one is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

MAX_STEPS = 50
# A step changes no coefficient by more than this, on the scale of its feature.
LARGEST_STEP = 2.0
# Strength of the ridge per group of candidates: keeps coefficients finite where no weights balance.
RIDGE = 0.015


def balancing_weights(
    differences: Sequence[Sequence[Sequence[float]]], with_reference: bool
) -> list[float] | None:
    """Coefficients under which the differences of drawn candidates from their reference average 0.

    ``differences`` has, for each reference and each of its candidates, the candidate's features
    minus those of the reference. A candidate is drawn with a probability proportional to
    ``exp(coefficients · differences)``. With ``with_reference`` the reference can be drawn, too,
    with a difference of 0: then the coefficients are those of a conditional logit that prefers it.
    None without any candidate.

    Found by Newton's method on a convex function, the mean logarithm of the sum of those
    exponentials plus a weak ridge.
    """
    groups = [numpy.asarray(group, float) for group in differences if len(group)]
    if not groups:
        return None
    sizes = numpy.array([len(group) for group in groups])
    features = numpy.concatenate(groups)
    scale = numpy.sqrt((features**2).mean(axis=0))
    scale[scale == 0] = 1
    features = features / scale
    starts = numpy.concatenate([[0], numpy.cumsum(sizes)[:-1]])
    group_of = numpy.repeat(numpy.arange(len(groups)), sizes)
    coefficients = numpy.zeros(features.shape[1])
    ridge = RIDGE * numpy.eye(features.shape[1])
    for _ in range(MAX_STEPS):
        values = features @ coefficients
        highest = numpy.maximum.reduceat(values, starts)
        if with_reference:
            highest = numpy.maximum(highest, 0)
        shares = numpy.exp(values - highest[group_of])
        totals = numpy.add.reduceat(shares, starts)
        if with_reference:
            totals = totals + numpy.exp(-highest)
        shares /= totals[group_of]
        weighted = features * shares[:, None]
        means = numpy.add.reduceat(weighted, starts)
        gradient = means.mean(axis=0) + RIDGE * coefficients
        curvature = (features.T @ weighted - means.T @ means) / len(groups) + ridge
        step = numpy.linalg.solve(curvature, gradient)
        largest = numpy.abs(step).max()
        coefficients -= step * min(1.0, LARGEST_STEP / max(largest, 1e-12))
        if largest < 1e-7:
            break
    return [float(value) for value in coefficients / scale]
