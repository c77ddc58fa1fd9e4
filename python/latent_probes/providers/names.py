"""The names by which responses call the model that answered."""

from __future__ import annotations

import csv
import functools
import io
import json
from pathlib import Path

import duckdb

from latent_probes.common import sql
from latent_probes.providers import ProviderError
from latent_probes.warehouse import ProjectError, seed_files

# A longer name is not shown in full.
LONGEST_NAME = 200
ALIASES = Path("seeds", "model_aliases.csv")
Aliases = frozenset[tuple[str, str]]


def aliases(project: Path) -> Aliases:
    """The declared other names of models: pairs of a model and an alias, "" for none.

    Raises ProviderError if the seed cannot be read.
    """
    try:
        lines = seed_files.read_seed(project, ALIASES.stem).lines
    except ProjectError as error:
        raise ProviderError(str(error)) from error
    return frozenset((line.values["model"], line.values["alias"] or "") for line in lines)


@functools.cache
def is_named(named: str, asked: str) -> bool:
    """Whether ``named`` is the name of the model ``asked``, or of a dated version of it."""
    with duckdb.default_connection().cursor() as connection:
        (found,) = connection.execute(
            f"select {sql.macro('is_named', '$named', '$asked')}", {"named": named, "asked": asked}
        ).fetchall()[0]
        return bool(found)


def refuse_other(request: bytes, result: bytes, declared: Aliases) -> None:
    """Raise ProviderError if a line of results names another model than its request asks for.

    A response that names none is not refused here.
    """
    asked = json.loads(request)
    message = json.loads(result)["result"].get("message")
    named = message.get("model") if isinstance(message, dict) else None
    model = asked["params"]["model"]
    if (
        isinstance(named, str)
        and named.strip()
        and not is_named(named.strip(), model)
        and (model, named.strip()) not in declared
    ):
        stage = asked["custom_id"].split("-")[0]
        raise ProviderError(remedy(stage, model, named.strip()))


def remedy(stage: str, asked: str, named: str | None) -> str:
    """What to do about a response that names another model than the one that was asked, or none."""
    if named and (len(named) > LONGEST_NAME or not named.isprintable()):
        return (
            f"{asked!r} was asked as {stage}, but the response names {named[:LONGEST_NAME]!r}, "
            "which is no name of a model. Let the server name its model, then run again"
        )
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([asked, named or ""])
    said = f"names {named!r}" if named else "names no model"
    otherwise = (
        f"set withdrawn to true in the round's line of seeds/rounds.csv, and add a line whose "
        f"{stage}_model is {named} (the models of an adopted data set stay as they are)"
        if named
        else "let the server name its model"
    )
    return (
        f"{asked!r} was asked as {stage}, but the response {said}. If it is the same model, add "
        f"the line `{line.getvalue()}` to {ALIASES.as_posix()} and run again: its answers then "
        f"count. Otherwise stop it with `latent-probes cancel`, and {otherwise}"
    )
