"""Read pages or prefixes from Parquet and JSONL, and cut pages at a seeded random position.

A page is cut after a word, before white space, so that the continuation starts with a complete
token. Few cuts are at the end of a sentence, where a model often ends its text.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
import regex

from latent_probes import landing
from latent_probes.common import files, terminal
from latent_probes.common.sql import identifier, is_blank, literal
from latent_probes.rollout_files import RolloutFileError, jsonl_rows, parquet_rows
from latent_probes.rollout_files.sources import Source, local_file

COLUMNS = ("id", "url", "text", "prefix")
FORMATS = {".parquet": parquet_rows, ".jsonl": jsonl_rows}
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
    path: Path, columns: dict[str, str], bounds: Bounds, seed: int, n_documents: int | None
) -> tuple[list[Prefix], dict]:
    """The prefixes of a file and their origin; prints how many there are and what was skipped.

    Raises PrefixError, also if there are none.
    """
    found, passed_over = read(path, columns, bounds, seed, n_documents)
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
    path: Path, columns: dict[str, str], bounds: Bounds, seed: int, n_documents: int | None
) -> tuple[list[Prefix], Counter[str]]:
    """The prefixes of a file, in an order drawn from ``seed``, and counts of skipped rows.

    ``columns`` maps our column names to those of the file. A row with a ``prefix`` is used in full;
    any other row is a page whose ``text`` is cut. ``n_documents`` limits the number; a larger
    number extends the same selection. Equal input gives equal prefixes. Raises PrefixError.
    """
    if path.suffix not in FORMATS:
        raise PrefixError(f"{path}: cannot tell the format; name the file .parquet or .jsonl")
    try:
        source = local_file(path)
    except RolloutFileError as error:
        raise PrefixError(str(error)) from error
    with duckdb.connect() as connection:
        try:
            stage(connection, source, columns, bounds, seed)
            refuse_problems(connection, path)
            passed_over = Counter(
                dict(
                    connection.execute(
                        "select reason, count(*) from staged where reason is not null group by all"
                    ).fetchall()
                )
            )
            rows = connection.execute(
                f"""
                with chosen as (
                    select doc_id, row_number
                    from staged
                    where reason is null
                    order by drawn, doc_id
                    limit {"all" if n_documents is None else n_documents}
                )
                select doc_id, pages.url, left(pages.text, {bounds.longest + 2}), pages.prefix
                from pages
                join chosen using (row_number)
                join staged using (row_number, doc_id)
                order by drawn, doc_id
                """
            ).fetchall()
        except RolloutFileError as error:
            raise PrefixError(str(error)) from error
        except duckdb.Error as error:
            first_lines = " ".join(str(error).splitlines()[:3])
            raise PrefixError(
                FORMATS[path.suffix].fault(source, error)
                or f"{path}: cannot be read ({first_lines}); the file may be truncated: write it "
                "again"
            ) from error
    found = []
    for doc_id, url, text, prefix in rows:
        text = prefix or cut(text, f"cut {seed} {doc_id}", bounds)
        # A page without a place to cut has a reason, and is not among them.
        assert text is not None
        found.append(Prefix(doc_id, url, text))
    return found, passed_over


def stage(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    columns: dict[str, str],
    bounds: Bounds,
    seed: int,
) -> None:
    """Create the view ``pages``, and the table ``staged``: one row per page, without its text."""
    path, rows = source.path, FORMATS[source.path.suffix]
    known = rows.columns_of(connection, source)
    fields = {ours: columns.get(ours, ours) for ours in COLUMNS}
    for ours in ("id", "url", "prefix" if fields["prefix"] in known else "text"):
        if fields[ours] not in known:
            raise PrefixError(
                f"{path}, row 1: no column {fields[ours]!r} among {', '.join(known) or 'none'}; "
                "add it, or map another with --column OURS=THEIRS"
            )
    if path.suffix == ".parquet":
        values = {
            ours: f"{identifier(theirs)}::varchar" if theirs in known else "null::varchar"
            for ours, theirs in fields.items()
        }
        kinds = {ours: literal(known[theirs]) for ours, theirs in fields.items() if theirs in known}
    else:
        places = {
            ours: literal("$." + json.dumps(theirs, ensure_ascii=False))
            for ours, theirs in fields.items()
        }
        values = {ours: f"json ->> {place}" for ours, place in places.items()}
        kinds = {ours: f"json_type(json, {place})" for ours, place in places.items()}
    for ours in ("text", "prefix"):
        # Otherwise the JSON of a list would be cut like a text.
        values[f"{ours}_kind"] = kinds.get(ours, "null")
    selected = ", ".join(f"{value} as {ours}" for ours, value in values.items())
    connection.execute(
        f"create temp view pages as select row_number() over () as row_number, {selected} "
        f"from {rows.table(source)}"
    )
    window = f"substr(text, {bounds.shortest}, {bounds.longest + 2 - bounds.shortest})"
    connection.execute(
        rf"""
        create temp table staged as
        select
            row_number,
            id as doc_id,
            sha256({literal(f"draw {seed} ")} || id) as drawn,
            md5(json_array(url, text, prefix)) as text_hash,
            case
                when id is null then {literal(fields["id"] + " is null")}
                when url is null then {literal(fields["url"] + " is null")}
                when coalesce(prefix, text) is null
                    then {literal(f"neither {fields['prefix']} nor {fields['text']}")}
                when text_kind not in ('VARCHAR', 'NULL')
                    then {literal(fields["text"] + " is not a text")}
                when prefix_kind not in ('VARCHAR', 'NULL')
                    then {literal(fields["prefix"] + " is not a text")}
                when '' in (id, url) or regexp_matches(id || url, '[\x00-\x1F\x7F]')
                    then 'id or url is empty or contains control characters'
            end as problem,
            case
                when contains(coalesce(prefix, text), chr(0)) then 'with a NUL character'
                when prefix is not null and {is_blank("prefix")} then 'empty'
                -- <=, since something must follow the prefix.
                when prefix is null and length(text) <= {bounds.shortest} then 'too short'
                when prefix is null and not regexp_matches({window}, {literal(PLACE_TO_CUT)})
                    then 'without white space to cut before'
                when row_number() over (partition by id order by row_number) > 1 then 'repeated'
            end as reason,
        from pages
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
