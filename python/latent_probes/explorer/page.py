"""The files of the page, as `make explorer` bundles them."""

from __future__ import annotations

import hashlib
from pathlib import Path

# The folder of a data set in which the page lies.
FOLDER = "explore"
NAMES = ("explorer.css", "explorer.js", "index.html", "licences.txt")
STATIC = Path(__file__).parent / "static"
NOT_BUILT = "the explorer's page is not built yet: `make explorer` builds it in a checkout"


def is_built() -> bool:
    """Whether the page's files exist; they are not in git, but in a built wheel."""
    return all((STATIC / name).is_file() for name in NAMES)


def files() -> dict[str, bytes]:
    """The page's files by name; none if it is not built."""
    return {name: (STATIC / name).read_bytes() for name in NAMES} if is_built() else {}


def fingerprint() -> str:
    """Hash that identifies the page's files."""
    digest = hashlib.sha256()
    for name, content in files().items():
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()
