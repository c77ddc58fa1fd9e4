"""Write the data set: Parquet files, the queries of its card, the card, and a manifest.

``tables`` lists the published tables, ``parquet`` writes them, ``queries`` defines the card's
figures as SQL over the files, ``card`` runs these, ``header`` and ``manifest`` describe the files.
``made_elsewhere`` copies the files that a build on a cluster has written.
``proof`` checks them, also those of a stranger, from whom ``strangers`` protects.
Nothing depends on the clock: the same landing file gives the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from latent_probes import warehouse
from latent_probes.common import files, terminal
from latent_probes.common.home import Home
from latent_probes.explorer import page
from latent_probes.pictures import histogram, leaderboard
from latent_probes.publication import card, made_elsewhere, manifest, parquet, queries, tables


class ExportError(Exception):
    """The data set cannot be written; the message names what is missing."""


def export(home: Home) -> None:
    """Test the warehouse, then write the data set to the export folder.

    Unchanged files are not touched. Raises ExportError if anything is pending, and
    warehouse.WarehouseError if a test fails; the export folder is then unchanged. Raises
    ExportError, too, if the folder cannot be written.
    """
    warehouse.build(home, tested=False)
    with warehouse.opened(home) as connection:
        refuse_pending(connection)
    warehouse.build(home, tested=True)
    if is_current(home):
        return
    try:
        write(home)
    except OSError as error:
        reason = error.strerror or terminal.shortened(str(error))
        raise ExportError(
            f"{error.filename or home.export} cannot be written ({reason}): free some space, or "
            "change the permissions, and run `latent-probes export` again"
        ) from error


def write(home: Home) -> None:
    """Write the data set; its stamp comes last, so an interrupted export is not pushed."""
    home.export_stamp.unlink(missing_ok=True)
    # Before the warehouse is open here: dbt may have to compile them again, and opens it to write.
    compiled = warehouse.compiled(home, queries.FIGURES)
    with warehouse.opened(home) as connection:
        settings = settings_of(home, connection)
        published = tables.published(connection)
        write_tables(home, connection, published)
        remove_others(home, connection, published)
        write_text(home.export / queries.NAME, queries.text(connection, published, compiled))
        with queries.opened(home.export) as figures:
            histogram.draw(figures, home.export / histogram.NAME)
            leaderboard.draw(figures, home.export / leaderboard.NAME)
            written = card.render(figures, home.export, settings)
        write_text(home.export / card.NAME, written)
        for name, content in page.files().items():
            write_bytes(home.export / page.FOLDER / name, content)
        described = manifest.render(home, connection, published, settings)
        write_text(home.export / manifest.NAME, described)
    with files.atomic_write(home.export_stamp) as partial:
        partial.write_text(json.dumps(stamp(home)) + "\n")


def stamp(home: Home) -> dict:
    """Identity of the export and of the warehouse it was made from."""
    return {
        "state": warehouse.state(home),
        "manifest": files.hash_of(home.export / manifest.NAME),
        "card": files.hash_of(home.export / card.NAME),
        "page": page.fingerprint(),
    }


def is_current(home: Home) -> bool:
    """Whether the export folder contains exactly what the current warehouse would give."""
    described = (home.export / manifest.NAME, home.export / card.NAME)
    if not all(path.exists() for path in (home.export_stamp, *described)):
        return False
    if home.export_stamp.read_bytes().strip() != json.dumps(stamp(home)).encode():
        return False
    listed = json.loads((home.export / manifest.NAME).read_text())["files"]
    there = {str(path.relative_to(home.export)) for path in files_in(home.export)}
    return not manifest.differences(home.export, there, listed)


def settings_of(home: Home, connection: duckdb.DuckDBPyConnection) -> dict:
    """The project's vars as published, without the places of tokenizers' files.

    Those that are frozen with a round are published with the round.
    """
    frozen = {name for name, *_ in connection.execute("describe round_settings").fetchall()}
    settings = warehouse.settings(home)
    return {
        name: value
        for name, value in settings.items()
        if name not in frozen and name != "tokenizer_files"
    }


def refuse_pending(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise if a slot or a score of a started round is pending, or if no round was started."""
    n_slots, n_scores, n_rounds = connection.execute(
        """
        select
            (
                select count(*)
                from slots
                join round_settings using (round_number)
                where slots.state = 'pending' and round_settings.state = 'started'
            ),
            (select count(*) from probe_scores where unscored_reason = 'pending'),
            (select count(*) from published_rounds)
        """
    ).fetchall()[0]
    if n_slots or n_scores:
        raise ExportError(
            f"{n_slots:,} slots and the scores of {n_scores:,} probes are pending: "
            "complete them with `latent-probes run --provider …`, "
            "or withdraw the round in seeds/rounds.csv"
        )
    if not n_rounds:
        raise ExportError("there are no probes yet: land rollouts and run a round first")


def write_tables(
    home: Home, connection: duckdb.DuckDBPyConnection, published: list[tables.Table]
) -> None:
    """Write the files of these tables; unchanged files are not touched."""
    # Otherwise DuckDB would use all memory as a cache.
    connection.execute("set memory_limit = '1GB'")
    wanted = {
        home.export / path: (table, round_number)
        for table in published
        for path, round_number in tables.paths(connection, table)
    }
    made = made_elsewhere.MadeElsewhere(home)
    with terminal.progress("exporting", len(wanted), "files") as advance:
        for path, (table, round_number) in wanted.items():
            partial = path.with_name(f".{path.name}.partial")
            partial.parent.mkdir(parents=True, exist_ok=True)
            if not made.copy(path.relative_to(home.export), partial):
                parquet.write(connection, table, round_number, partial)
            if path.exists() and files.hash_of(path) == files.hash_of(partial):
                partial.unlink()
            else:
                files.replace(partial, path)
            advance(1)


def remove_others(
    home: Home, connection: duckdb.DuckDBPyConnection, published: list[tables.Table]
) -> None:
    """Remove files that are no longer published, or left by a killed export: all are uploaded."""
    kept = {*manifest.listed(connection, published), card.NAME, manifest.NAME}
    for path in files_in(home.export):
        if str(path.relative_to(home.export)) not in kept:
            path.unlink()


def files_in(folder: Path) -> list[Path]:
    """All files in the folder of an export, except those of git and of the Hub's client."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not manifest.is_foreign(str(path.relative_to(folder)))
    ]


def write_text(path: Path, text: str) -> None:
    """Write a text file, unless it is unchanged."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, unless it is unchanged."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic_write(path) as partial:
            partial.write_bytes(content)
