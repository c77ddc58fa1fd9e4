"""The machine-readable manifest: the data set's rounds and files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb

from latent_probes.common import files
from latent_probes.common.home import Home
from latent_probes.pictures import histogram
from latent_probes.publication import card, queries
from latent_probes.publication.tables import Table, paths

NAME = "manifest.json"


def render(
    home: Home, connection: duckdb.DuckDBPyConnection, published: list[Table], settings: dict
) -> str:
    """Rounds with their batches and documents, and files with their hashes, as JSON."""
    found = connection.execute("from round_manifest order by round_idx")
    names = [column[0] for column in found.description]
    rounds = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    listed = [
        {"path": path, "bytes": size, "sha256": digest}
        for path, size, digest in contents(home, connection, published)
    ]
    baseline_rounds = connection.execute("from baseline_rounds").fetchall()
    return (
        json.dumps(
            {
                "build": build_of(listed),
                "offline_baseline": bool(baseline_rounds),
                "rounds": rounds,
                "files": listed,
                "texts": [table.folder for table in published if table.holds_texts],
                "settings": settings,
            },
            indent=2,
            ensure_ascii=False,
            default=str,
        )
        + "\n"
    )


def differences(folder: Path, there: set[str], listed: list[dict]) -> list[str]:
    """Differences between a data set's folder and its manifest, as messages.

    ``there`` are the paths of the folder's files, ``listed`` the files of the manifest.
    """
    named = {file["path"]: file for file in listed}
    expected = {*named, NAME, card.NAME}
    found = [f"{path} is not listed in the manifest" for path in sorted(there - expected)]
    found += [f"{path} is missing" for path in sorted(expected - there)]
    return found + [
        f"{path} does not match the hash in the manifest"
        for path in sorted(there & set(named))
        if (folder / path).stat().st_size != named[path]["bytes"]
        or files.hash_of(folder / path) != named[path]["sha256"]
    ]


def is_foreign(path: str) -> bool:
    """Whether a file belongs to git or to the Hub's client, such as .gitattributes or .cache/a."""
    return path.startswith((".git", ".cache/"))


def build_of(listed: list[dict]) -> str:
    """Hash that identifies the state of the probes: over names and hashes of their files."""
    probes = {file["path"]: file["sha256"] for file in listed if file["path"].startswith("data/")}
    return hashlib.sha256(json.dumps(probes).encode()).hexdigest()


def contents(
    home: Home, connection: duckdb.DuckDBPyConnection, published: list[Table]
) -> Iterator[tuple[str, int, str]]:
    """Path, bytes and SHA-256 of each file except manifest and card, ordered by path."""
    exported = [path for table in published for path, _ in paths(connection, table)]
    for path in sorted([str(path) for path in exported] + [queries.NAME, histogram.NAME]):
        file = home.export / path
        yield path, file.stat().st_size, files.hash_of(file)
