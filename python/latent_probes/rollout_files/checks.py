"""Checks of the rows that were read: queries over ``incoming`` that find the first bad row."""

from __future__ import annotations

import duckdb

from latent_probes import landing
from latent_probes.table_files import FileError


def refuse_first_problem(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise for the first row that is invalid in itself."""
    found = landing.first(
        connection,
        r"""
        select
            source_name,
            row_number,
            coalesce(
                problem,
                'source_model, doc_id or doc_source is empty or contains control characters'
            )
        from incoming
        where
            problem is not null
            or '' in (source_model, doc_id, doc_source)
            or regexp_matches(concat(source_model, doc_id, doc_source), '[\x00-\x1F\x7F]')
        order by source_name, row_number limit 1
        """,
    )
    if found:
        raise FileError("{}, row {}: {}; fix or drop the row".format(*found))


def refuse_contradictions(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise for the first row whose key already exists with a different text."""
    for what, keys, texts in [
        ("continuation", "source_model, doc_id, continuation_idx", "continuation"),
        ("prefix or doc_source", "source_model, doc_id", "prefix, doc_source"),
    ]:
        found = landing.first(
            connection,
            f"""
            with known as (
                select {keys}, md5(json_array({texts})) as text_hash,
                    'what landed before' as source_name, 0 as row_number
                from rollouts
                semi join incoming using ({keys})
                union all
                select {keys}, md5(json_array({texts})), source_name, row_number from incoming
            )
            select source_name, row_number, json_array({keys})::varchar
            from known
            qualify text_hash != first_value(text_hash) over (
                partition by {keys} order by row_number, source_name
            )
            order by source_name, row_number limit 1
            """,
        )
        if found:
            raise FileError(
                f"{found[0]}, row {found[1]}: key {found[2]} already exists with a different "
                f"{what}; rollouts never change, so give the new text a new doc_id"
            )
