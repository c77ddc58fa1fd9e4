"""Checks before a push: complete, made from this warehouse, tested, not from the baseline."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from latent_probes import publication, warehouse
from latent_probes.common import files
from latent_probes.common.home import Home
from latent_probes.publication import card, manifest


class PushError(Exception):
    """The data set cannot be pushed; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Export:
    """An export folder.

    ``hashes`` maps paths to SHA-256, ordered by path; ``texts`` are the folders with texts from
    the web and from models; ``build`` is the hash that identifies the state of the probes.
    ``replaced`` are files that are read from elsewhere than the folder.
    """

    folder: Path
    hashes: dict[str, str]
    texts: tuple[str, ...]
    build: str
    replaced: dict[str, Path] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Where a file is read from."""
        return self.replaced.get(name, self.folder / name)

    def holds_texts(self, path: str) -> bool:
        """Whether a file can contain texts from the web or from models."""
        return path.partition("/")[0] in self.texts


def checked(home: Home, allow_baseline: bool) -> Export:
    """The export, if it can be published; raises PushError otherwise.

    An export always runs the tests first, so a failed test shows as an outdated export.
    """
    if not (home.export / manifest.NAME).exists():
        raise PushError(f"{home.export}: there is no export; make one with `latent-probes export`")
    if not warehouse.is_current(home, tested=True) or not publication.is_current(home):
        raise PushError(
            "the export does not match the current warehouse, or was edited by hand: run "
            "`latent-probes export`, which also runs the tests"
        )
    described = json.loads((home.export / manifest.NAME).read_text(encoding="utf-8"))
    if described["offline_baseline"] and not allow_baseline:
        raise PushError(
            "the offline baseline `lexical` wrote, answered or judged part of the data, so it "
            "measures nothing: use --allow-baseline to push it anyway"
        )
    hashes = {file["path"]: file["sha256"] for file in described["files"]}
    hashes |= {name: files.hash_of(home.export / name) for name in (card.NAME, manifest.NAME)}
    return Export(
        folder=home.export,
        hashes=dict(sorted(hashes.items())),
        texts=tuple(described["texts"]),
        build=described["build"],
    )
