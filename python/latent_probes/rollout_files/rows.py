"""The final select of all formats: one row per continuation."""

from __future__ import annotations

from latent_probes.common import sql


def is_null(column: str, value: str) -> str:
    """A case branch for a value that is null."""
    return f"when {value} is null then {sql.literal(column + ' is null')}"


def is_too_large(column: str, value: str) -> str:
    """A case branch for a number that became null in a cast."""
    return f"when {value} is null then {sql.literal(column + ' is too large')}"


def numbered(source: str, values: dict[str, str], problems: list[str], sampling: str) -> str:
    """SQL for one row per continuation, numbered by the file's row.

    ``source`` is the table to select from, ``values`` the expression of each of our columns, and
    ``problems`` are case branches that report errors of a row.
    """
    listed = "continuations" in values
    if not listed:
        index = values["continuation_idx"]
        problems = [*problems, f"when {index} < 0 then 'continuation_idx is below 0'"]
    problem = f"case {' '.join(problems)} end" if problems else "null"
    selected = ", ".join(f"{value} as {ours}" for ours, value in values.items())
    rows = (
        f"select row_number() over () as row_number, {problem} as problem, "
        f"{sampling} as sampling, {selected} from {source}"
    )
    if not listed:
        return rows
    # `unnest` would drop a null list together with its problem.
    return (
        f"select * exclude (continuations), "
        f"unnest(coalesce(continuations, [null])) as continuation, "
        f"generate_subscripts(coalesce(continuations, [null]), 1) - 1 as continuation_idx "
        f"from ({rows})"
    )
