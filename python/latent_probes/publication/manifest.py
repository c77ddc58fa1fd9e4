"""What the data set was made of, file by file and round by round, for programs."""

from __future__ import annotations

import hashlib
import json

from latent_probes import files
from latent_probes.home import Home
from latent_probes.publication import picture, queries
from latent_probes.publication.tables import Table, paths

NAME = "manifest.json"


def render(home: Home, connection, published: list[Table], settings: dict) -> str:
    """Rounds with their batches and documents, and the files with their hashes, as JSON.

    ``build`` names this state of the probes: the hash of the names and hashes of their files.
    """
    found = connection.execute("from round_manifest order by round_idx")
    names = [column[0] for column in found.description]
    rounds = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    listed = [
        {"path": path, "bytes": size, "sha256": digest}
        for path, size, digest in contents(home, connection, published)
    ]
    probes = {file["path"]: file["sha256"] for file in listed if file["path"].startswith("data/")}
    offline_rounds = connection.execute("from offline_rounds").fetchall()
    return (
        json.dumps(
            {
                "build": hashlib.sha256(json.dumps(probes).encode()).hexdigest(),
                "offline_baseline": bool(offline_rounds),
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


def contents(home: Home, connection, published: list[Table]):
    """Path, bytes and SHA-256 of each file but this one and the card, in order of paths."""
    exported = [path for table in published for path, _ in paths(connection, table)]
    for path in sorted([str(path) for path in exported] + [queries.NAME, picture.NAME]):
        file = home.export / path
        yield path, file.stat().st_size, files.hash_of(file)
