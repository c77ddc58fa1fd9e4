"""Read pages or prefixes from a file, and cut pages at a seeded random position.

A page is cut after a word, before white space, so that the continuation starts with a complete
token. Few cuts are at the end of a sentence, where a model often ends its text.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
import regex

from latent_probes import landing, table_files
from latent_probes.common import files, terminal
from latent_probes.common.sql import literal, macro
from latent_probes.table_files import Column, Source, Text

COLUMNS = ("id", "url", "text", "prefix")
# A cut is between the two characters. DuckDB and Python interpret this pattern identically.
PLACE_TO_CUT = r"[^\s\x0b\x1c-\x1f\x85\p{Z}][ \t\n\r]"
METHOD = "before white space 1"


class PrefixError(Exception):
    """A file without usable prefixes; the message names the file, the row and the remedy."""


@dataclass(frozen=True)
class Prefix:
    """A text for the model to continue, and its origin."""

    doc_id: str
    doc_source: str
    text: str


@dataclass(frozen=True)
class Bounds:
    """Minimum and maximum length of a prefix cut from a page, in code points."""

    shortest: int
    longest: int


def chosen(
    path: Path,
    columns: dict[str, str],
    bounds: Bounds,
    seed: int,
    n_documents: int | None,
    delimiter: str = ",",
) -> tuple[list[Prefix], dict]:
    """The prefixes of a file and their origin; prints how many there are and what was skipped.

    Raises PrefixError, also if there are none, and FileError for a file that cannot be read.
    """
    found, passed_over = read(path, columns, bounds, seed, n_documents, delimiter)
    reasons = ", ".join(f"{n_rows:,} {reason}" for reason, n_rows in sorted(passed_over.items()))
    if not found:
        raise PrefixError(f"{path}: no usable prefixes ({reasons or 'no rows'})")
    terminal.say(f"{len(found):,} prefixes; skipped: {reasons or 'none'}")
    return found, {
        "file": path.name,
        "file_sha256": files.hash_of(path),
        "cut": METHOD,
        "min_prefix": bounds.shortest,
        "max_prefix": bounds.longest,
    }


def cut(text: str, key: str, bounds: Bounds) -> str | None:
    """Cut ``text`` at a position drawn from ``key``; None if no position is possible.

    All positions within the bounds are equally likely. The prefix ends with a word, and white space
    follows it.
    """
    # The pattern also needs the character after the longest prefix.
    window = text[bounds.shortest - 1 : bounds.longest + 1]
    places = [match.start() + bounds.shortest for match in regex.finditer(PLACE_TO_CUT, window)]
    if not places:
        return None
    drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
    return text[: places[drawn % len(places)]]


def read(
    path: Path,
    columns: dict[str, str],
    bounds: Bounds,
    seed: int,
    n_documents: int | None,
    delimiter: str = ",",
) -> tuple[list[Prefix], Counter[str]]:
    """The prefixes of a file, in an order drawn from ``seed``, and counts of skipped rows.

    ``columns`` maps our column names to those of the file. A row with a ``prefix`` is used in full;
    any other row is a page whose ``text`` is cut. ``n_documents`` limits the number; a larger
    number extends the same selection. Equal input gives equal prefixes. Raises PrefixError, and
    FileError for a file that cannot be read.
    """
    source = table_files.local_file(path, delimiter)
    with duckdb.connect() as connection:
        schema = schema_of(connection, source, columns)
        stage(connection, source, schema, bounds, seed)
        refuse_problems(connection, path)
        passed_over = Counter(
            dict(
                connection.execute(
                    "select reason, count(*) from staged where reason is not null group by all"
                ).fetchall()
            )
        )
        connection.execute(
            f"""
            create temp table chosen as
            select doc_id, row_number, drawn, null::varchar as url, null::varchar as text,
                null::varchar as prefix
            from staged
            where reason is null
            order by drawn, doc_id
            limit {"all" if n_documents is None else n_documents}
            """
        )
        # Read again: the texts of all pages can be larger than the memory.
        table_files.read(
            connection,
            source,
            schema,
            lambda rows: (
                f"""
                update chosen
                set url = pages.url, text = left(pages.text, {bounds.longest + 2}),
                    prefix = pages.prefix
                from {rows} as pages
                where pages.row_number = chosen.row_number
            """
            ),
        )
        rows = connection.execute(
            "select doc_id, url, text, prefix from chosen order by drawn, doc_id"
        ).fetchall()
    found = []
    for doc_id, url, text, prefix in rows:
        text = prefix or cut(text, f"cut {seed} {doc_id}", bounds)
        # A page without a place to cut has a reason, and is not among them.
        assert text is not None
        found.append(Prefix(doc_id, url, text))
    return found, passed_over


def schema_of(
    connection: duckdb.DuckDBPyConnection, source: Source, columns: dict[str, str]
) -> list[Column]:
    """The columns to read: ``text`` is needed only of a file without ``prefix``."""
    names = {ours: columns.get(ours, ours) for ours in COLUMNS}
    known = table_files.names(connection, source)
    return [
        Column("id", names["id"], Text(or_integer=True)),
        Column("url", names["url"], Text()),
        Column("text", names["text"], Text(), names["prefix"] not in known, nullable=True),
        Column("prefix", names["prefix"], Text(), required=False, nullable=True),
    ]


def stage(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    schema: list[Column],
    bounds: Bounds,
    seed: int,
) -> None:
    """Create the table ``staged``: one row per page, without its text."""
    names = {column.ours: column.theirs for column in schema}
    window = f"substr(text, {bounds.shortest}, {bounds.longest + 2 - bounds.shortest})"
    connection.execute(
        """
        create temp table staged (
            row_number bigint, doc_id varchar, drawn varchar, text_hash varchar, problem varchar,
            reason varchar
        )
        """
    )
    table_files.read(
        connection,
        source,
        schema,
        lambda rows: (
            rf"""
        insert into staged by name
        select
            row_number,
            id as doc_id,
            sha256({literal(f"draw {seed} ")} || id) as drawn,
            md5(json_array(url, text, prefix)) as text_hash,
            case
                when problem is not null then problem
                when coalesce(prefix, text) is null
                    then {literal(f"neither {names['prefix']} nor {names['text']}")}
                when '' in (id, url) or regexp_matches(id || url, '[\x00-\x1F\x7F]')
                    then 'id or url is empty or contains control characters'
            end as problem,
            case
                when contains(coalesce(prefix, text), chr(0)) then 'with a NUL character'
                when prefix is not null and {macro("is_blank", "prefix")} then 'empty'
                -- <=, since something must follow the prefix.
                when prefix is null and length(text) <= {bounds.shortest} then 'too short'
                when prefix is null and not regexp_matches({window}, {literal(PLACE_TO_CUT)})
                    then 'without white space to cut before'
            end as reason,
        from {rows}
        """
        ),
        ", or map another with --column OURS=THEIRS",
    )
    connection.execute(
        """
        update staged set reason = 'repeated'
        from (
            select row_number
            from staged
            qualify row_number() over (partition by doc_id order by row_number) > 1
        ) as repeated
        where staged.row_number = repeated.row_number and reason is null
        """
    )


def refuse_problems(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raise for the first row that is invalid, or that contradicts another with the same id."""
    found = landing.first(
        connection,
        "select row_number, problem from staged where problem is not null order by all limit 1",
    )
    if found:
        raise PrefixError("{}, row {}: {}; fix or drop the row".format(path, *found))
    found = landing.first(
        connection,
        """
        select row_number, doc_id
        from staged
        qualify text_hash != first_value(text_hash) over (partition by doc_id order by row_number)
        order by all
        limit 1
        """,
    )
    if found:
        raise PrefixError(
            "{}, row {}: id {!r} already exists with a different text; give one of the rows "
            "another id".format(path, *found)
        )
