"""Verify a data set: its files against the manifest, its card against the files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb

from latent_probes.common import limits, terminal
from latent_probes.publication import card, manifest, queries, strangers


class ProofError(Exception):
    """The folder cannot be checked; the message gives the reason."""


def faults(folder: Path) -> list[str]:
    """Errors in a data set's folder, one message each; empty if everything agrees.

    Only the folder is read: not its warehouse and, whatever its queries contain, no other file. It
    does not verify that the queries compute what their names promise: read them. Raises ProofError
    if the folder is not a data set, or if checking it takes too much time or memory.
    """
    try:
        is_folder = folder.is_dir()
    # For example a name that is too long.
    except OSError:
        is_folder = False
    if not is_folder:
        raise ProofError(
            f"{folder} is not a folder; `latent-probes export` makes one, or download a data set"
        )
    if not os.path.lexists(folder / manifest.NAME):
        inside = folder / "export"
        remedy = (
            f"run `latent-probes check {inside}`"
            if os.path.lexists(inside / manifest.NAME)
            else "name the folder that `latent-probes export` made, or that was downloaded"
        )
        raise ProofError(f"{folder} is not a data set (it has no {manifest.NAME}): {remedy}")
    try:
        answer = json.loads(strangers.in_another_process(__name__, folder))
    except strangers.LimitError as error:
        raise ProofError(
            f"{folder}: the check was stopped, because {error}; the folder is damaged, or its "
            "queries are not those of an export"
        ) from error
    except (OSError, ValueError) as error:
        raise ProofError(unreadable(folder, error)) from error
    if "reason" in answer:
        raise ProofError(answer["reason"])
    return answer["faults"]


def compare(folder: Path) -> list[str]:
    """The same in this process, without limits of time and memory."""
    try:
        found = list(differences(folder))
    # Anything can be in the folder of a stranger.
    except Exception as error:
        raise ProofError(unreadable(folder, error)) from error
    shown = [terminal.shortened(fault) for fault in found[: limits.FAULTS_SHOWN]]
    more = len(found) - limits.FAULTS_SHOWN
    return [*shown, f"and {more:,} more"] if more > 0 else shown


def differences(folder: Path) -> Iterator[str]:
    """Errors in a data set's folder, as they are found."""
    there = strangers.files_of(folder)
    described = manifest.parsed(strangers.text_of(folder / manifest.NAME))
    shown = strangers.text_of(folder / card.NAME)
    there = {path for path in there if not manifest.is_foreign(path)}
    yield from manifest.differences(folder, there, described["files"])
    if described["build"] != manifest.build_of(described["files"]):
        yield "the manifest's build does not match its files"
    with queries.opened(folder) as figures:
        computed = card.render(figures, folder, described["settings"])
        is_offline = bool(figures.execute("from baseline_rounds limit 1").fetchall())
        texts = figures.execute(
            "select folder from published_tables where holds_texts order by position"
        ).fetchall()
        yield from manifest.differences_of_rounds(figures, described["rounds"])
    if described["offline_baseline"] != is_offline:
        yield "the manifest's offline_baseline does not match the requests"
    if described["texts"] != [name for (name,) in texts]:
        yield "the manifest's texts do not match the files"
    if computed != shown:
        of_card, of_files = card.tables_of(shown), card.tables_of(computed)
        names = [name for name in of_files if of_card.get(name) != of_files[name]]
        yield from (f"the card's figures of `{name}` do not match the files" for name in names)
        if not names:
            yield "the card's text or header does not match the files"


def unreadable(folder: Path, error: Exception) -> str:
    """Message for a folder that cannot be checked."""
    if isinstance(error, OSError):
        reason = f"{error.filename}: {error.strerror}" if error.strerror else str(error)
    elif isinstance(error, ValueError | duckdb.Error):
        reason = str(error)
    elif isinstance(error, MemoryError):
        reason = "more memory is needed than is available"
    # Anything else is an error of Python, whose words name nothing in the folder.
    else:
        reason = "its card, manifest or queries do not have the form of an export"
    reason = terminal.shortened(reason)
    return (
        f"{folder}: cannot be checked ({reason}); it must be the complete folder of an export by "
        "this version"
    )


def main() -> None:
    """Check the folder that is given as argument; print the result as JSON."""
    strangers.limit_memory()
    try:
        answer: dict = {"faults": compare(Path(sys.argv[1]))}
    except ProofError as error:
        answer = {"reason": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
