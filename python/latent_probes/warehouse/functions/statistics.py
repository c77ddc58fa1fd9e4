"""Intervals and weights as columns, over lists of each document's sums or candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy
import pyarrow

from latent_probes.warehouse.functions import choices, comparisons, intervals

INTERVAL = "STRUCT(low DOUBLE, high DOUBLE)"
ESTIMATE = "STRUCT(estimate DOUBLE, low DOUBLE, high DOUBLE)"
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


def of_means(interval: Callable[..., tuple[float, float] | None]) -> Callable[..., pyarrow.Array]:
    """A column of the intervals that a function of ``intervals`` gives each pair of lists.

    The lists are the sums and numbers of values per document.
    """

    def column(
        sums: pyarrow.ChunkedArray,
        counts: pyarrow.ChunkedArray,
        replicates: pyarrow.ChunkedArray,
        seeds: pyarrow.ChunkedArray,
    ) -> pyarrow.Array:
        found = (
            # A null sum is unknown, so the interval is null.
            interval(numpy.array(of_documents, float), numpy.array(counted, float), n, seed)
            for of_documents, counted, n, seed in zip(
                *(values.to_pylist() for values in (sums, counts, replicates, seeds)), strict=True
            )
        )
        return figures(found, ["low", "high"])

    return column


def mean_intervals(
    sums: pyarrow.ChunkedArray,
    counts: pyarrow.ChunkedArray,
    replicates: pyarrow.ChunkedArray,
    seeds: pyarrow.ChunkedArray,
) -> pyarrow.Array:
    """Lists of low and high ends for each pair of lists: sums and numbers per document."""
    found = [
        figures(
            intervals.mean_intervals(
                numpy.array(of_documents, float), numpy.array(counted, float), n, seed
            ),
            ["low", "high"],
        ).to_pylist()
        for of_documents, counted, n, seed in zip(
            *(column.to_pylist() for column in (sums, counts, replicates, seeds)), strict=True
        )
    ]
    ends = pyarrow.struct({"low": pyarrow.float64(), "high": pyarrow.float64()})
    return pyarrow.array(found, pyarrow.list_(ends))


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


def spread_interval(
    sums: pyarrow.ChunkedArray, replicates: pyarrow.ChunkedArray, seeds: pyarrow.ChunkedArray
) -> pyarrow.Array:
    """Low and high end for each list of documents, each with sum, sum of squares and number."""
    found = (
        intervals.spread_interval(numpy.array(of_documents, float), n, seed)
        for of_documents, n, seed in zip(
            *(column.to_pylist() for column in (sums, replicates, seeds)), strict=True
        )
    )
    return figures(found, ["low", "high"])


def alpha_interval(
    sums: pyarrow.ChunkedArray, replicates: pyarrow.ChunkedArray, seeds: pyarrow.ChunkedArray
) -> pyarrow.Array:
    """Krippendorff's alpha, low and high end for each list of documents.

    A document is a list: pairs, squared differences, sums of both scores, of both squares.
    """
    found = (
        intervals.alpha_interval(numpy.array(of_documents, float), n, seed)
        for of_documents, n, seed in zip(
            *(column.to_pylist() for column in (sums, replicates, seeds)), strict=True
        )
    )
    return figures(found, ["estimate", "low", "high"])


def correlation_interval(
    sums: pyarrow.ChunkedArray, replicates: pyarrow.ChunkedArray, seeds: pyarrow.ChunkedArray
) -> pyarrow.Array:
    """A correlation, low and high end for each list of documents.

    A document is a list: pairs, sums of both values, of products, of both squares.
    """
    found = (
        intervals.correlation_interval(numpy.array(of_documents, float), n, seed)
        for of_documents, n, seed in zip(
            *(column.to_pylist() for column in (sums, replicates, seeds)), strict=True
        )
    )
    return figures(found, ["estimate", "low", "high"])


def compare_methods(
    sums: pyarrow.ChunkedArray, replicates: pyarrow.ChunkedArray, seeds: pyarrow.ChunkedArray
) -> pyarrow.Array:
    """Differences of all ordered pairs of methods for each list, with simultaneous intervals.

    An item is a row of ``comparisons.compared``.
    """
    found = [
        comparisons.compared(numpy.array(of_group, float), n, seed)
        for of_group, n, seed in zip(
            *(column.to_pylist() for column in (sums, replicates, seeds)), strict=True
        )
    ]
    return pyarrow.array(found, pyarrow.list_(pyarrow.struct(COMPARISON)))


def figures(
    found: Iterable[Sequence[float | None] | None], names: list[str]
) -> pyarrow.StructArray:
    """Numbers as a column of structs, rounded because last bits depend on the machine."""
    return pyarrow.array(
        [
            None
            if row is None
            else {
                name: None if value is None else round(value, 9)
                for name, value in zip(names, row, strict=True)
            }
            for row in found
        ],
        pyarrow.struct({name: pyarrow.float64() for name in names}),
    )


# Sums and numbers of values per document, number of replicates, and seed.
OF_MEANS = ["DOUBLE[]", "DOUBLE[]", "BIGINT", "BIGINT"]
# Sums per document, number of replicates, and seed.
OF_DOCUMENTS = ["DOUBLE[][]", "BIGINT", "BIGINT"]

# SQL name, function, parameter types and result type.
FUNCTIONS = (
    ("mean_interval", of_means(intervals.mean_interval), OF_MEANS, INTERVAL),
    ("share_interval", of_means(intervals.share_interval), OF_MEANS, INTERVAL),
    ("difference_interval", of_means(intervals.difference_interval), OF_MEANS, INTERVAL),
    (
        *("mean_intervals", mean_intervals),
        *(["DOUBLE[][]", "DOUBLE[]", "BIGINT", "BIGINT"], f"{INTERVAL}[]"),
    ),
    ("balancing_weights", balancing_weights, ["DOUBLE[][][]", "BOOLEAN"], "DOUBLE[]"),
    ("spread_interval", spread_interval, OF_DOCUMENTS, INTERVAL),
    ("alpha_interval", alpha_interval, OF_DOCUMENTS, ESTIMATE),
    ("correlation_interval", correlation_interval, OF_DOCUMENTS, ESTIMATE),
    ("compare_methods", compare_methods, OF_DOCUMENTS, COMPARISONS),
)
