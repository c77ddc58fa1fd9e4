"""Changes that a push would make on the Hub, by file, and the number of bytes to upload."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, errors, hf_hub_download
from huggingface_hub.hf_api import RepoFile
from rich import box
from rich.table import Table
from rich.text import Text

from latent_probes.common import files, limits, terminal
from latent_probes.publication import card, manifest
from latent_probes.pushing.places import Place
from latent_probes.pushing.ready import Export


@dataclass(frozen=True)
class Change:
    """A file that is new, changed or deleted; ``n_travelling`` bytes have to be uploaded."""

    path: str
    kind: str
    n_bytes: int
    n_travelling: int


def head(api: HfApi, place: Place) -> str | None:
    """The newest commit of a place; None if it does not exist."""
    try:
        return api.repo_info(place.name, repo_type=place.kind).sha
    except errors.RepositoryNotFoundError as error:
        # Without a token, it may exist and be private.
        if error.response.status_code == 404:
            return None
        raise


def changes(
    place: Place, commit: str | None, there: dict[str, RepoFile], export: Export
) -> list[Change]:
    """The changes of a push, ordered by path, without unchanged files.

    ``there`` are the files at ``commit``.
    """
    held = {file.lfs.sha256 for file in there.values() if file.lfs}
    found = []
    for path, sha256 in export.hashes.items():
        local = export.path(path)
        if path in there and is_same(local, sha256, there[path]):
            continue
        size = local.stat().st_size
        travels = sha256 not in held
        kind = "changed" if path in there else "new"
        found.append(Change(path, kind, size, size if travels else 0))
    gone = ours(place, commit, there) - set(export.hashes) if commit else set()
    found += [Change(path, "deleted", there[path].size, 0) for path in gone]
    return sorted(found, key=lambda change: change.path)


def listed(api: HfApi, place: Place, commit: str) -> dict[str, RepoFile]:
    """The files of a place at a commit, by path."""
    entries = api.list_repo_tree(place.name, repo_type=place.kind, revision=commit, recursive=True)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def is_empty(place: Place, there: dict[str, RepoFile]) -> bool:
    """Whether a place has no files except the Hub's own: .gitattributes, and a Space's card."""
    own = {card.NAME} if place.kind == "space" else set()
    return not any(is_plain(path) for path in set(there) - own)


def is_same(local: Path, sha256: str, remote: RepoFile) -> bool:
    """Whether a local file has the same bytes as one on the Hub."""
    if remote.lfs:
        return sha256 == remote.lfs.sha256
    return local.stat().st_size == remote.size and files.blob_id(local) == remote.blob_id


def ours(place: Place, commit: str, there: dict[str, RepoFile]) -> set[str]:
    """Files that an earlier push uploaded: those in its manifest.

    All other files belong to other users and are kept.
    """
    if manifest.NAME not in there or there[manifest.NAME].size > limits.DATA_SET_TEXT_BYTES:
        return set()
    with tempfile.TemporaryDirectory() as folder:
        path = hf_hub_download(
            place.name, manifest.NAME, repo_type=place.kind, revision=commit, local_dir=folder
        )
        try:
            named = [file["path"] for file in json.loads(Path(path).read_bytes())["files"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            # Another tool's manifest.
            return set()
    pushed = {path for path in named if isinstance(path, str) and is_plain(path)}
    return (pushed | {card.NAME, manifest.NAME}) & set(there)


def is_plain(path: str) -> bool:
    """Whether a path is a plain relative path, not one of the Hub's own files."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not any(part.startswith(".") for part in parts) and path[0] != "/"


def show(place: Place, commit: str | None, changed: list[Change], export: Export) -> None:
    """Print what would change."""
    where = f"at commit {commit[:12]}" if commit else "does not exist yet"
    table = Table(title=f"{place.name} {where}", title_justify="left", box=box.SIMPLE_HEAD)
    for title in ("file", "", "bytes", "to upload"):
        table.add_column(title, justify="right" if title in ("bytes", "to upload") else "left")
    for change in changed:
        shown = terminal.printable(change.path)
        table.add_row(Text(shown), change.kind, f"{change.n_bytes:,}", f"{change.n_travelling:,}")
    if changed:
        terminal.console.print(table)
    kinds = Counter(change.kind for change in changed)
    unchanged = len(export.hashes) - kinds["new"] - kinds["changed"]
    n_bytes = sum(export.path(path).stat().st_size for path in export.hashes)
    terminal.say(
        f"{kinds['new']} new, {kinds['changed']} changed, {kinds['deleted']} deleted, "
        f"{unchanged} unchanged: {sum(change.n_travelling for change in changed):,} of {n_bytes:,} "
        "bytes to upload at most; content that the Hub already has is not uploaded"
    )
