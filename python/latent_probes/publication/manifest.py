"""The machine-readable manifest: the data set's rounds and files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb

from latent_probes.common import files
from latent_probes.common.home import Home
from latent_probes.explorer import page
from latent_probes.pictures import histogram, leaderboard
from latent_probes.publication import card, queries
from latent_probes.publication.tables import Table, paths

NAME = "manifest.json"
KINDS = {
    "build": str,
    "offline_baseline": bool,
    "rounds": list,
    "files": list,
    "texts": list,
    "settings": dict,
}
KINDS_OF_FILE = {"path": str, "bytes": int, "sha256": str}
KINDS_OF_ROUND = {"round_idx": int, "doc_ids": list, "row_seeds": list}
# Those that the card shows.
KINDS_OF_SETTINGS = {"licence": str, "licence_note": str}
# A word for each kind of value.
MEANINGS = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "an object",
}


def render(
    home: Home, connection: duckdb.DuckDBPyConnection, published: list[Table], settings: dict
) -> str:
    """Rounds with their batches and documents, and files with their hashes, as JSON."""
    found = connection.execute("from round_manifest order by round_idx")
    names = [column[0] for column in found.description]
    rounds = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    listed = [
        {"path": path, "bytes": size, "sha256": digest}
        for path, size, digest in contents(home, connection, published)
    ]
    baseline_rounds = connection.execute("from baseline_rounds").fetchall()
    return (
        json.dumps(
            {
                "build": build_of(listed),
                "offline_baseline": bool(baseline_rounds),
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


def parsed(text: str) -> dict:
    """The manifest in a text.

    Raises ValueError, with a message for people, if it does not have the form of a manifest.
    """
    try:
        described = json.loads(text, object_pairs_hook=without_repeats)
    except json.JSONDecodeError as error:
        raise ValueError(f"{NAME} is not valid JSON (line {error.lineno})") from error
    except KeyError as error:
        raise ValueError(f"{NAME} contains {error.args[0]!r} twice in one object") from error
    except RecursionError as error:
        raise ValueError(f"{NAME} is nested too deeply") from error
    # For example a number of very many digits.
    except ValueError as error:
        raise ValueError(f"{NAME} is not valid JSON") from error
    refuse_other_kinds(NAME, described, KINDS)
    for place, kinds in (("files", KINDS_OF_FILE), ("rounds", KINDS_OF_ROUND)):
        for number, item in enumerate(described[place], start=1):
            refuse_other_kinds(f"item {number} of `{place}` in {NAME}", item, kinds)
    refuse_other_kinds(f"`settings` in {NAME}", described["settings"], KINDS_OF_SETTINGS)
    return described


def without_repeats(pairs: list[tuple[str, object]]) -> dict:
    """The object of these pairs; raises KeyError with a key that occurs twice."""
    found: dict = {}
    for key, value in pairs:
        if key in found:
            raise KeyError(key)
        found[key] = value
    return found


def refuse_other_kinds(place: str, item: object, kinds: Mapping[str, type]) -> None:
    """Raise ValueError unless an item is an object with these keys, each of its kind."""
    if not isinstance(item, dict):
        raise ValueError(f"{place} is not an object")
    for key, kind in kinds.items():
        if key not in item:
            raise ValueError(f"{place} has no `{key}`")
        if type(item[key]) is not kind:
            raise ValueError(f"`{key}` of {place} is not {MEANINGS[kind]}")


def differences_of_rounds(figures: duckdb.DuckDBPyConnection, listed: list[dict]) -> Iterator[str]:
    """Differences between the published rounds and those of the manifest, as messages."""
    found = figures.execute(
        "select round_number as round_idx, seed, source_model, calibration_level, n_answers, "
        "generator_model, answerer_model, judge_model, n_probes > 0 as has_probes "
        "from rounds where state = 'started' order by round_number"
    )
    names = [column[0] for column in found.description]
    rounds = {row[0]: dict(zip(names, row, strict=True)) for row in found.fetchall()}
    numbers = [described["round_idx"] for described in listed]
    yield from repeated(f"round {number}" for number in numbers)
    for number, published in rounds.items():
        # A round without probes is listed once its first batch was sent.
        if published.pop("has_probes") and number not in numbers:
            yield f"round {number} is not listed in the manifest"
    for described in listed:
        number = described["round_idx"]
        if number not in rounds:
            yield f"round {number} of the manifest is not in the files"
            continue
        yield from (
            f"the manifest's {name} of round {number} does not match the files"
            for name, value in rounds[number].items()
            if name not in described or json.dumps(described[name]) != json.dumps(value)
        )
        documents = figures.execute(
            "select doc_id, row_seed from compact where round_number = ?", [number]
        ).fetchall()
        pairs = list(zip(described["doc_ids"], described["row_seeds"], strict=False))
        is_complete = len(pairs) == len(described["doc_ids"]) == len(described["row_seeds"])
        # Those without probes have no row.
        if not is_complete or not {*map(json.dumps, documents)} <= {*map(json.dumps, pairs)}:
            yield f"the manifest's documents of round {number} do not match the files"


def repeated(names: Iterable[str]) -> list[str]:
    """A message for each name that occurs more than once."""
    counted = Counter(names)
    return [f"{name} is listed {n} times in the manifest" for name, n in counted.items() if n > 1]


def differences(folder: Path, there: set[str], listed: list[dict]) -> list[str]:
    """Differences between a data set's folder and its manifest, as messages.

    ``there`` are the paths of the folder's files, ``listed`` the files of the manifest.
    """
    named = {file["path"]: file for file in listed}
    expected = {*named, NAME, card.NAME}
    found = [f"{path} is not listed in the manifest" for path in sorted(there - expected)]
    found += [f"{path} is missing" for path in sorted(expected - there)]
    found += repeated(file["path"] for file in listed)
    return found + [
        f"{path} does not match the hash in the manifest"
        for path in sorted(there & set(named))
        if (folder / path).stat().st_size != named[path]["bytes"]
        or files.hash_of(folder / path) != named[path]["sha256"]
    ]


def is_foreign(path: str) -> bool:
    """Whether a file belongs to git or to the Hub's client, such as .gitattributes or .cache/a."""
    return path.startswith((".git", ".cache/"))


def build_of(listed: list[dict]) -> str:
    """Hash that identifies the state of the probes: over names and hashes of their files."""
    probes = {file["path"]: file["sha256"] for file in listed if file["path"].startswith("data/")}
    return hashlib.sha256(json.dumps(probes).encode()).hexdigest()


def contents(
    home: Home, connection: duckdb.DuckDBPyConnection, published: list[Table]
) -> Iterator[tuple[str, int, str]]:
    """Path, bytes and SHA-256 of each file except manifest and card, ordered by path."""
    for path in listed(connection, published):
        file = home.export / path
        yield path, file.stat().st_size, files.hash_of(file)


def listed(connection: duckdb.DuckDBPyConnection, published: list[Table]) -> list[str]:
    """The paths of all files except manifest and card, in order."""
    exported = [str(path) for table in published for path, _ in paths(connection, table)]
    pages = [f"{page.FOLDER}/{name}" for name in page.files()]
    pictures = [histogram.NAME]
    if leaderboard.has_headline(connection):
        pictures.append(leaderboard.NAME)
    return sorted([*exported, *pages, *pictures, queries.NAME])
