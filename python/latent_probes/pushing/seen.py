"""Revisions of data sets and Spaces on the Hub that were reviewed or created from this home."""

from __future__ import annotations

import json

from latent_probes.common import files
from latent_probes.common.home import Home
from latent_probes.common.hub_errors import endpoint
from latent_probes.pushing.places import Place


def is_known(home: Home, place: Place, commit: str) -> bool:
    """Whether a commit is the last one seen of a place."""
    return known(home).get(key(place)) == commit


def remember(home: Home, place: Place, commit: str) -> None:
    """Record that a commit of a place was seen."""
    if is_known(home, place, commit):
        return
    with files.atomic_write(home.pushed) as partial:
        partial.write_text(json.dumps(known(home) | {key(place): commit}, indent=2) + "\n")


def known(home: Home) -> dict[str, str]:
    """The last commit seen of each place; none if the file was damaged by hand."""
    try:
        found = json.loads(home.pushed.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def key(place: Place) -> str:
    """Identity of a place: its address."""
    return f"{endpoint()}/{place.kind}s/{place.name}"
