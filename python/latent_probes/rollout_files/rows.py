"""The select that all formats end in: one row per continuation."""

from __future__ import annotations

from latent_probes.common import sql


def is_null(column: str, value: str) -> str:
    """A case branch for a value that is null."""
    return f"when {value} is null then {sql.literal(column + ' is null')}"


def is_too_large(column: str, value: str) -> str:
    """A case branch for a number that is cut to nothing."""
    return f"when {value} is null then {sql.literal(column + ' is too large')}"


def numbered(source: str, values: dict[str, str], problems: list[str], sampling: str) -> str:
    """One row per continuation, numbered by the row of the file that holds it.

    ``source`` is what to select from, ``values`` the expression of each of our columns, and
    ``problems`` are case branches that say what is wrong with a row.
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
    # A null list would vanish in unnest, and its problem with it.
    return (
        f"select * exclude (continuations), "
        f"unnest(coalesce(continuations, [null])) as continuation, "
        f"generate_subscripts(coalesce(continuations, [null]), 1) - 1 as continuation_idx "
        f"from ({rows})"
    )
