"""Strings that must not be published: keys, and local paths outside of texts.

Texts from the web and from models can contain paths of other computers: those are listed, not
refused. A key is refused anywhere. Messages give the place of a match, never the match.
"""

from __future__ import annotations

import contextlib
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

# Complete keys, in their real lengths, so that prose does not match by chance.
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
# Shorter values of these variables are not secrets and occur in ordinary text.
SHORTEST_SECRET = 16
SECRETS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "HF_TOKEN", "OPENAI_API_KEY")
# Typical paths of any computer.
PATHS = (
    r"(?:^|[\s\"'=(:])/(?:(?:home|Users)/[A-Za-z0-9._-]+|root)/"
    r"|[A-Za-z]:\\\\?Users\\|\bfile:///"
)
SHOWN = 5


@dataclass(frozen=True)
class Leak:
    """A match of some kind, and its place: the file, with column and row if it has them."""

    place: str
    kind: str


def refuse(home: Home, export: Export) -> None:
    """Raise PushError if the export contains keys or local paths; list paths in external texts.

    All files are searched, and all strings of tables, including nested ones.
    """
    kinds = dict(KEYS)
    kinds |= {f"the value of {name}": re.escape(value) for name, value in known_secrets().items()}
    here = "|".join(map(re.escape, paths_of(home)))
    kinds["a path on this computer"] = f"(?:{here})(?:[^A-Za-z0-9_]|$)"
    kinds["a local path"] = PATHS
    refused: list[Leak] = []
    allowed: list[Leak] = []
    with (
        duckdb.connect() as connection,
        terminal.progress("searching for keys and paths", len(export.hashes), "files") as advance,
    ):
        for path in export.hashes:
            is_text = export.holds_texts(path)
            is_card = path.endswith(".md")
            for leak in found(connection, export.path(path), path, kinds):
                # The card shows a probe, which is external text.
                is_allowed = (is_text and "path" in leak.kind) or (
                    is_card and leak.kind == "a local path"
                )
                (allowed if is_allowed else refused).append(leak)
            advance(1)
    if allowed:
        shown = "; ".join(f"{leak.place}" for leak in allowed[:SHOWN])
        more = f"; and {len(allowed) - SHOWN:,} more" if len(allowed) > SHOWN else ""
        terminal.say(f"local paths inside texts from the web or models (allowed): {shown}{more}")
    if refused:
        lines = "\n".join(f"  {leak.place}: {leak.kind}" for leak in refused[:SHOWN])
        raise PushError(
            f"{len(refused):,} strings must not be published:\n{lines}\n"
            "Nothing was uploaded. Remove them from the source data or settings (a document is "
            "removed by withdrawing its round), revoke any exposed key, and export again."
        )


def known_secrets() -> dict[str, str]:
    """Keys in the environment or the client's login, by their origin."""
    values = {name: os.environ.get(name, "") for name in SECRETS}
    values["the Hub's login"] = get_token() or ""
    return {name: value for name, value in values.items() if len(value) >= SHORTEST_SECRET}


def paths_of(home: Home) -> list[str]:
    """Paths of this project, its files and the user's home directory, in all spellings."""
    folders = {home.project, home.folder}
    # A user of a container can have no home directory.
    with contextlib.suppress(RuntimeError):
        folders.add(Path.home())
    folders |= {folder.resolve() for folder in folders}
    return sorted({str(folder) for folder in folders if len(folder.parts) > 1}, key=len)[::-1]


def found(
    connection: duckdb.DuckDBPyConnection, file: Path, path: str, kinds: dict[str, str]
) -> Iterator[Leak]:
    """Find matches of these kinds in a file."""
    if path.endswith(".parquet"):
        yield from found_in_table(connection, file, path, kinds)
    else:
        # Of an image, this searches the metadata.
        text = file.read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            for kind, pattern in kinds.items():
                if re.search(pattern, line):
                    yield Leak(f"{path}, line {number}", kind)


def found_in_table(
    connection: duckdb.DuckDBPyConnection, file: Path, path: str, kinds: dict[str, str]
) -> Iterator[Leak]:
    """Find matches of these kinds in the strings of a table."""
    source = f"read_parquet({sql.file_literal(file)})"
    described = connection.execute(f"select * from {source} limit 0").description
    names = [name for name, *_ in described]
    keys = [name for name in ("doc_id", "slot_idx") if name in names]
    row = ", ".join(f"{name}::varchar" for name in keys) or "''"
    texts = {
        name: f"{sql.identifier(name)}::varchar"
        for name, kind, *_ in described
        if "VARCHAR" in str(kind)
    }
    # Most files have no match, which one combined pattern over all columns shows.
    anything = "|".join(f"(?:{pattern})" for pattern in kinds.values())
    joined = f"concat_ws({', '.join(('chr(10)', *texts.values()))})"
    first = f"select 1 from {source} where regexp_matches({joined}, ?) limit 1"
    if not texts or not connection.execute(first, [anything]).fetchall():
        return
    for name, column in texts.items():
        for *at, text in connection.execute(
            f"select {row}, {column} from {source} where regexp_matches({column}, ?)",
            [anything],
        ).fetchall():
            where = " ".join(filter(None, at))
            for leak, pattern in kinds.items():
                if re.search(pattern, text):
                    place = f"{path}, {name}{f' of {where}' if where else ''}"
                    yield Leak(terminal.printable(place), leak)
