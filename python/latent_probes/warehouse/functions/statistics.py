"""Intervals and weights as columns, over lists of each document's sums or candidates."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy
import pyarrow

from latent_probes.warehouse.functions import choices, comparisons, intervals

INTERVAL = "STRUCT(low DOUBLE, high DOUBLE)"
ESTIMATE = "STRUCT(estimate DOUBLE, low DOUBLE, high DOUBLE)"
ENDS = pyarrow.struct({"low": pyarrow.float64(), "high": pyarrow.float64()})
ESTIMATES = pyarrow.struct({name: pyarrow.float64() for name in ("estimate", "low", "high")})
COMPARISON = {
    "method": pyarrow.int64(),
    "other_method": pyarrow.int64(),
    "difference": pyarrow.float64(),
    "low": pyarrow.float64(),
    "high": pyarrow.float64(),
    "n_no_state": pyarrow.int64(),
    "n_other_state": pyarrow.int64(),
}
COMPARISONS = (
    "STRUCT(method BIGINT, other_method BIGINT, difference DOUBLE, low DOUBLE, high DOUBLE, "
    "n_no_state BIGINT, n_other_state BIGINT)[]"
)


def of_sums(interval: Callable, column: Callable[[Iterable], pyarrow.Array]) -> Callable:
    """A column of what a function of ``intervals`` finds for each list of sums per document."""

    def function(
        sums: pyarrow.ChunkedArray, replicates: pyarrow.ChunkedArray, seeds: pyarrow.ChunkedArray
    ) -> pyarrow.Array:
        drawn = (replicates.to_pylist(), seeds.to_pylist())
        return column(map(interval, arrays(sums), *drawn))

    return function


def of_means(interval: Callable, column: Callable[[Iterable], pyarrow.Array]) -> Callable:
    """The same for each pair of lists: sums and numbers of values per document."""

    def function(
        sums: pyarrow.ChunkedArray,
        counts: pyarrow.ChunkedArray,
        replicates: pyarrow.ChunkedArray,
        seeds: pyarrow.ChunkedArray,
    ) -> pyarrow.Array:
        drawn = (replicates.to_pylist(), seeds.to_pylist())
        return column(map(interval, arrays(sums), arrays(counts), *drawn))

    return function


def arrays(lists: pyarrow.ChunkedArray) -> list[numpy.ndarray]:
    """Each list of numbers, or of lists of equally many numbers, as an array; null is NaN.

    The arrays share the memory of the column: as Python's numbers, they would need five times that.
    """
    column = lists.combine_chunks()
    values = column.values
    if pyarrow.types.is_list(values.type):
        width = len(values[0]) if len(values) else 0
        numbers = values.flatten().to_numpy(zero_copy_only=False).reshape(len(values), width)
    else:
        numbers = values.to_numpy(zero_copy_only=False)
    offsets = column.offsets.to_numpy()
    return [numbers[start:end] for start, end in itertools.pairwise(offsets)]


def balancing_weights(
    differences: pyarrow.ChunkedArray, with_reference: pyarrow.ChunkedArray
) -> pyarrow.Array:
    """A list of coefficients for each list of groups of candidates, rounded."""
    found = [
        choices.balancing_weights(groups, reference)
        for groups, reference in zip(
            *(column.to_pylist() for column in (differences, with_reference)), strict=True
        )
    ]
    return pyarrow.array(
        [None if row is None else [round(value, 6) for value in row] for row in found],
        pyarrow.list_(pyarrow.float64()),
    )


def ends(found: Iterable[Sequence[float] | None]) -> pyarrow.Array:
    """Low and high ends as a column of structs."""
    return pyarrow.array([figures(row, ENDS) for row in found], ENDS)


def several_ends(found: Iterable[Iterable[Sequence[float] | None]]) -> pyarrow.Array:
    """Lists of low and high ends as a column."""
    return pyarrow.array(
        [[figures(row, ENDS) for row in rows] for rows in found], pyarrow.list_(ENDS)
    )


def estimates(found: Iterable[Sequence[float | None]]) -> pyarrow.Array:
    """Estimates with their low and high ends as a column of structs."""
    return pyarrow.array([figures(row, ESTIMATES) for row in found], ESTIMATES)


def figures(
    row: Sequence[float | None] | None, kind: pyarrow.StructType
) -> dict[str, float | None] | None:
    """Numbers as a struct, rounded because last bits depend on the machine."""
    if row is None:
        return None
    return {
        field.name: None if value is None else round(value, 9)
        for field, value in zip(kind, row, strict=True)
    }


def pairs(found: Iterable[list[dict]]) -> pyarrow.Array:
    """Comparisons of methods as a column of lists."""
    return pyarrow.array(list(found), pyarrow.list_(pyarrow.struct(COMPARISON)))


# Sums and numbers of values per document, number of replicates, and seed.
OF_MEANS = ["DOUBLE[]", "DOUBLE[]", "BIGINT", "BIGINT"]
# Sums per document, number of replicates, and seed.
OF_DOCUMENTS = ["DOUBLE[][]", "BIGINT", "BIGINT"]

# SQL name, function, parameter types and result type.
FUNCTIONS = (
    ("mean_interval", of_means(intervals.mean_interval, ends), OF_MEANS, INTERVAL),
    ("share_interval", of_means(intervals.share_interval, ends), OF_MEANS, INTERVAL),
    ("difference_interval", of_means(intervals.difference_interval, ends), OF_MEANS, INTERVAL),
    (
        *("mean_intervals", of_means(intervals.mean_intervals, several_ends)),
        *(["DOUBLE[][]", "DOUBLE[]", "BIGINT", "BIGINT"], f"{INTERVAL}[]"),
    ),
    ("balancing_weights", balancing_weights, ["DOUBLE[][][]", "BOOLEAN"], "DOUBLE[]"),
    ("spread_interval", of_sums(intervals.spread_interval, ends), OF_DOCUMENTS, INTERVAL),
    ("alpha_interval", of_sums(intervals.alpha_interval, estimates), OF_DOCUMENTS, ESTIMATE),
    (
        *("correlation_interval", of_sums(intervals.correlation_interval, estimates)),
        *(OF_DOCUMENTS, ESTIMATE),
    ),
    ("compare_methods", of_sums(comparisons.compared, pairs), OF_DOCUMENTS, COMPARISONS),
)
