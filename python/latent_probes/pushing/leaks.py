"""What must not leave this computer: keys, and in what we wrote ourselves, paths.

Text of the web and of models may hold paths of anybody's computers: those are listed, not refused.
A key is refused wherever it stands. None is ever repeated, only where it stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
from huggingface_hub import get_token

from latent_probes.common import sql, terminal
from latent_probes.common.home import Home
from latent_probes.pushing.ready import Export, PushError

# Whole keys, in the lengths that they have: prose does not look like this by chance.
KEYS = {
    "a key of Anthropic": r"\bsk-ant-[A-Za-z0-9_-]{24,}",
    "a key of OpenAI": r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_]{40,}",
    "a token of the Hub": r"\bhf_[A-Za-z0-9]{30,}",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{60,}",
    "a key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}",
    "a token of Slack": r"\bxox[abeoprs]-[0-9A-Za-z-]{20,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
# Shorter values of the environment are no secrets, and stand in many a text.
SHORTEST_SECRET = 16
SECRETS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "HF_TOKEN", "OPENAI_API_KEY")
# As somebody's computer has them.
PATHS = (
    r"(?:^|[\s\"'=(:])/(?:(?:home|Users)/[A-Za-z0-9._-]+|root)/"
    r"|[A-Za-z]:\\\\?Users\\|\bfile:///"
)
SHOWN = 5


@dataclass(frozen=True)
class Leak:
    """Something that stands at a place, a file with a column and a row where it has such."""

    place: str
    kind: str


def refuse(home: Home, export: Export) -> None:
    """Raise PushError for what must not leave; say which paths stand in texts of others.

    All files are read, all strings of tables, nested ones too.
    """
    kinds = dict(KEYS)
    kinds |= {f"the value of {name}": re.escape(value) for name, value in known_secrets().items()}
    here = "|".join(map(re.escape, paths_of(home)))
    kinds["a path of this computer"] = f"(?:{here})(?:[^A-Za-z0-9_]|$)"
    kinds["a path of a computer"] = PATHS
    refused, allowed = [], []
    with (
        duckdb.connect() as connection,
        terminal.progress("looking for keys and paths", len(export.hashes), "files") as advance,
    ):
        for path in export.hashes:
            is_text = export.holds_texts(path)
            is_card = path.endswith(".md")
            for leak in found(connection, export.folder, path, kinds):
                # The card shows a probe, which is text of others.
                is_allowed = (is_text and "path" in leak.kind) or (
                    is_card and leak.kind == "a path of a computer"
                )
                (allowed if is_allowed else refused).append(leak)
            advance(1)
    if allowed:
        shown = "; ".join(f"{leak.place}" for leak in allowed[:SHOWN])
        more = f"; and {len(allowed) - SHOWN:,} more" if len(allowed) > SHOWN else ""
        terminal.say(
            f"texts of web and models hold paths, which is no reason to stop: {shown}{more}"
        )
    if refused:
        lines = "\n".join(f"  {leak.place}: {leak.kind}" for leak in refused[:SHOWN])
        raise PushError(
            f"{len(refused):,} places hold what must not leave this computer:\n{lines}\n"
            "Nothing was sent. Take it out of what was landed or configured (a document leaves "
            "with its round), make a new key if one stood there, and export again."
        )


def known_secrets() -> dict[str, str]:
    """The keys that the environment or the client's login holds, by where they are from."""
    values = {name: os.environ.get(name, "") for name in SECRETS}
    values["the Hub's login"] = get_token() or ""
    return {name: value for name, value in values.items() if len(value) >= SHORTEST_SECRET}


def paths_of(home: Home) -> list[str]:
    """Where this project, its files and its user's files lie, as they may be written."""
    folders = {home.project, home.folder, Path.home()}
    folders |= {folder.resolve() for folder in folders}
    return sorted({str(folder) for folder in folders if len(folder.parts) > 1}, key=len)[::-1]


def found(
    connection: duckdb.DuckDBPyConnection, folder: Path, path: str, kinds: dict[str, str]
) -> Iterator[Leak]:
    """What of these kinds stands in a file."""
    if path.endswith(".parquet"):
        yield from found_in_table(connection, folder / path, path, kinds)
    else:
        # A picture has no letters, but what it says of itself.
        text = (folder / path).read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            for kind, pattern in kinds.items():
                if re.search(pattern, line):
                    yield Leak(f"{path}, line {number}", kind)


def found_in_table(
    connection: duckdb.DuckDBPyConnection, file: Path, path: str, kinds: dict[str, str]
) -> Iterator[Leak]:
    """What of these kinds stands in a string of a table."""
    source = f"read_parquet({sql.file_literal(file)})"
    described = connection.execute(f"select * from {source} limit 0").description
    names = [name for name, *_ in described]
    keys = [name for name in ("doc_id", "slot_idx") if name in names]
    row = ", ".join(f"{name}::varchar" for name in keys) or "''"
    # Most files hold nothing: one look at each text says so.
    anything = "|".join(f"(?:{pattern})" for pattern in kinds.values())
    for name, kind, *_ in described:
        if "VARCHAR" not in str(kind):
            continue
        column = f"{sql.identifier(name)}::varchar"
        for *at, text in connection.execute(
            f"select {row}, {column} from {source} where regexp_matches({column}, ?)",
            [anything],
        ).fetchall():
            where = " ".join(filter(None, at))
            for leak, pattern in kinds.items():
                if re.search(pattern, text):
                    place = f"{path}, {name}{f' of {where}' if where else ''}"
                    yield Leak(terminal.printable(place), leak)
