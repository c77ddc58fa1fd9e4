"""May the export leave? It is whole, of this warehouse, tested, and no baseline wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from latent_probes import publication, warehouse
from latent_probes.common import files
from latent_probes.common.home import Home
from latent_probes.publication import card, manifest


class PushError(Exception):
    """The data set cannot be pushed; the message says why and what to do."""


@dataclass(frozen=True)
class Export:
    """An export folder. ``hashes`` are the SHA-256 of its files by their paths, in order, and
    ``texts`` the folders with text of web and models.

    ``build`` is the hash that names the state of its probes.
    """

    folder: Path
    hashes: dict[str, str]
    texts: tuple[str, ...]
    build: str

    def holds_texts(self, path: str) -> bool:
        """Whether a file may hold what web and models say."""
        return path.partition("/")[0] in self.texts


def checked(home: Home, allow_baseline: bool) -> Export:
    """The export, if it may leave; raises PushError if not.

    A test that failed since shows itself as a warehouse that is another: an export tests first.
    """
    if not (home.export / manifest.NAME).exists():
        raise PushError(f"{home.export}: there is no export; make one with `latent-probes export`")
    if not warehouse.is_current(home, tested=True) or not publication.is_current(home):
        raise PushError(
            "the export is not of the warehouse as it is now, or was changed by hand: run "
            "`latent-probes export`, which tests first"
        )
    described = json.loads((home.export / manifest.NAME).read_text(encoding="utf-8"))
    if described["offline_baseline"] and not allow_baseline:
        raise PushError(
            "the offline baseline `lexical` wrote, answered or judged some of it, so that it "
            "measures nothing: if you want that on the Hub, say --allow-baseline"
        )
    hashes = {file["path"]: file["sha256"] for file in described["files"]}
    hashes |= {name: files.hash_of(home.export / name) for name in (card.NAME, manifest.NAME)}
    return Export(
        folder=home.export,
        hashes=dict(sorted(hashes.items())),
        texts=tuple(described["texts"]),
        build=described["build"],
    )
