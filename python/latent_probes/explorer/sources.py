"""Where the server reads a data set's files from: a folder of this machine, or the Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from latent_probes.common import limits
from latent_probes.common.hub_errors import explained

MANIFEST = "manifest.json"
# In bytes; no name of a file can be longer.
LONGEST_PATH = 255
HUB = re.compile(r"hf://datasets/(?P<name>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[\w.-]+))?/?")


class SourceError(Exception):
    """The data set cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """A data set: the sizes of the files that may be served, and how to read a range of one.

    ``read`` takes path, first byte and end; a file never changes while it is served.
    """

    name: str
    sizes: dict[str, int]
    read: Callable[[str, int, int], bytes]


def opened(place: str) -> Source:
    """The data set at a folder's path, or at an address like hf://datasets/OWNER/NAME.

    Raises SourceError if there is none.
    """
    if place.startswith("hf://"):
        found = HUB.fullmatch(place)
        if not found:
            raise SourceError(f"{place} is not an address like hf://datasets/OWNER/NAME")
        return hub(found["name"], found["revision"])
    return folder(Path(place))


def folder(root: Path) -> Source:
    """The data set in a folder; links that lead out of it are not followed."""
    path = root / MANIFEST
    if not path.is_file():
        raise SourceError(
            f"{root} is not a data set (it has no {MANIFEST}): name the folder of one, or set "
            "LATENT_PROBES_HOME to the home whose export is meant (`latent-probes export` makes it)"
        )

    def inside(name: str) -> Path:
        file = root / name
        try:
            is_inside = file.resolve().is_relative_to(root.resolve())
        except (OSError, RuntimeError) as error:
            raise SourceError(f"{name} is a link in a loop of links") from error
        if not is_inside:
            raise SourceError(f"{name} is a link to something outside of {root}")
        return file

    def read(name: str, start: int, end: int) -> bytes:
        with inside(name).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    size = inside(MANIFEST).stat().st_size
    if size > limits.DATA_SET_TEXT_BYTES:
        raise SourceError(f"{path} is larger than {limits.DATA_SET_TEXT_BYTES:,} bytes")
    sizes = {
        name: inside(name).stat().st_size
        for name in tables(read(MANIFEST, 0, size), str(root))
        if inside(name).is_file()
    }
    return Source(str(root), sizes | {MANIFEST: size}, read)


def hub(name: str, revision: str | None) -> Source:
    """A data set on the Hub, at the commit that its revision has now; ranges are read from there.

    The token comes from HF_TOKEN or `hf auth login`.
    """
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    def read(path: str, start: int, end: int) -> bytes:
        address = hf_hub_url(name, path, repo_type="dataset", revision=commit)
        headers = {**build_hf_headers(), "Range": f"bytes={start}-{end - 1}"}
        # A redirect leads to the store of large files, which gets no token.
        response = get_session().get(address, headers=headers, follow_redirects=True)
        hf_raise_for_status(response)
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            raise SourceError(f"{address} was not read by a range")
        return bytes(response.content)

    with explained(name, SourceError):
        commit = HfApi().dataset_info(name, revision=revision).sha
        entries = HfApi().list_repo_tree(name, repo_type="dataset", revision=commit, recursive=True)
        sizes = {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}
        size = sizes.get(MANIFEST, 0)
        if not 0 < size <= limits.DATA_SET_TEXT_BYTES:
            raise SourceError(
                f"{name} has no {MANIFEST}: `latent-probes push` makes such data sets"
            )
        served = tables(read(MANIFEST, 0, size), name)
    return Source(
        f"{name} at {str(commit)[:12]}",
        {path: sizes[path] for path in served if path in sizes} | {MANIFEST: size},
        read,
    )


def tables(text: bytes, name: str) -> list[str]:
    """The Parquet files that a manifest lists. Raises SourceError if it is not a manifest."""
    try:
        listed = [str(file["path"]) for file in json.loads(text)["files"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(f"{name}: {MANIFEST} is not that of an export") from error
    return [path for path in listed if path.endswith(".parquet") and is_plain(path)]


def is_plain(path: str) -> bool:
    """Whether a path is relative, stays in its folder, and can be that of a file."""
    parts = PurePosixPath(path).parts
    if not parts or path[0] == "/" or "\\" in path or ".." in parts:
        return False
    return path.isprintable() and len(path.encode()) <= LONGEST_PATH
