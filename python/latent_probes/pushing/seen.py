"""Revisions of data sets on the Hub that were reviewed or created from this home."""

from __future__ import annotations

import json

from latent_probes.common import files
from latent_probes.common.home import Home
from latent_probes.common.hub_errors import endpoint


def is_known(home: Home, name: str, commit: str) -> bool:
    """Whether a commit is the last one seen of a data set."""
    return known(home).get(key(name)) == commit


def remember(home: Home, name: str, commit: str) -> None:
    """Record that a commit of a data set was seen."""
    if is_known(home, name, commit):
        return
    with files.atomic_write(home.pushed) as partial:
        partial.write_text(json.dumps(known(home) | {key(name): commit}, indent=2) + "\n")


def known(home: Home) -> dict[str, str]:
    """The last commit seen of each data set; none if the file was damaged by hand."""
    try:
        found = json.loads(home.pushed.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def key(name: str) -> str:
    """Identity of a data set: its address."""
    return f"{endpoint()}/datasets/{name}"
