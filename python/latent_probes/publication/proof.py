"""Does a data set agree with itself? Its files with the manifest, its card with the files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import jinja2
import pyarrow

from latent_probes.publication import card, manifest, queries


class ProofError(Exception):
    """The folder cannot be checked; the message says why."""


def faults(folder: Path) -> list[str]:
    """What does not agree in a data set's folder, a sentence each; none if all does.

    Nothing but the folder is read: not the warehouse that it came from, and, whatever its queries
    say, no other file. That its queries ask what their names say is not proven: read them.
    """
    try:
        described = json.loads((folder / manifest.NAME).read_text(encoding="utf-8"))
        shown = (folder / card.NAME).read_text(encoding="utf-8")
        found = manifest.differences(folder, described["files"])
        if described["build"] != manifest.build_of(described["files"]):
            found.append("the manifest's build is not that of its files")
        with queries.opened(folder) as figures:
            computed = card.render(figures, folder, described["settings"])
            is_offline = bool(figures.execute("from baseline_rounds").fetchall())
        if described["offline_baseline"] != is_offline:
            found.append("the manifest's offline_baseline is not what the requests say")
    except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise ProofError(unreadable(folder, error)) from error
    except (duckdb.Error, jinja2.TemplateError, pyarrow.ArrowException) as error:
        raise ProofError(unreadable(folder, error)) from error
    if computed != shown:
        of_card, of_files = tables_of(shown), tables_of(computed)
        names = [name for name in of_files if of_card.get(name) != of_files[name]]
        found += [f"the card's figures of `{name}` are not those of the files" for name in names]
        if not names:
            found.append("the card's text or header is not that of the files")
    return found


def unreadable(folder: Path, error: Exception) -> str:
    """Why a folder cannot be checked."""
    return f"{folder}: cannot be checked ({error}); is it the whole folder of an export?"


def tables_of(text: str) -> dict[str, str]:
    """The tables and histograms of a card by the names of their queries."""
    blocks = re.findall(r"((?:^(?:\||\[).*\n)+)(?:```\n)?\nQuery: `(\w+)`", text, re.MULTILINE)
    return {name: lines for lines, name in blocks}
