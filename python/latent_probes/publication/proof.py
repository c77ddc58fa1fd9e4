"""Verify a data set: its files against the manifest, its card against the files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import jinja2
import pyarrow

from latent_probes.publication import card, manifest, queries


class ProofError(Exception):
    """The folder cannot be checked; the message gives the reason."""


def faults(folder: Path) -> list[str]:
    """Errors in a data set's folder, one message each; empty if everything agrees.

    Only the folder is read: not its warehouse and, whatever its queries contain, no other file. It
    does not verify that the queries compute what their names promise: read them.
    """
    try:
        described = json.loads((folder / manifest.NAME).read_text(encoding="utf-8"))
        shown = (folder / card.NAME).read_text(encoding="utf-8")
        found = manifest.differences(folder, described["files"])
        if described["build"] != manifest.build_of(described["files"]):
            found.append("the manifest's build does not match its files")
        with queries.opened(folder) as figures:
            computed = card.render(figures, folder, described["settings"])
            is_offline = bool(figures.execute("from baseline_rounds").fetchall())
        if described["offline_baseline"] != is_offline:
            found.append("the manifest's offline_baseline does not match the requests")
    except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise ProofError(unreadable(folder, error)) from error
    except (duckdb.Error, jinja2.TemplateError, pyarrow.ArrowException) as error:
        raise ProofError(unreadable(folder, error)) from error
    if computed != shown:
        of_card, of_files = tables_of(shown), tables_of(computed)
        names = [name for name in of_files if of_card.get(name) != of_files[name]]
        found += [f"the card's figures of `{name}` do not match the files" for name in names]
        if not names:
            found.append("the card's text or header does not match the files")
    return found


def unreadable(folder: Path, error: Exception) -> str:
    """Message for a folder that cannot be checked."""
    return f"{folder}: cannot be checked ({error}); it must be the complete folder of an export"


def tables_of(text: str) -> dict[str, str]:
    """The tables and histograms of a card, by the name of the query."""
    blocks = re.findall(r"((?:^(?:\||\[).*\n)+)(?:```\n)?\nQuery: `(\w+)`", text, re.MULTILINE)
    return {name: lines for lines, name in blocks}
