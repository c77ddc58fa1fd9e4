"""Files of data sets on the Hub: found at one commit, downloaded one after the other, landed.

A download that was broken off goes on where it stopped, in a later run too: the client's own
cache throws a part of a file away, hence the client only fetches, and the parts lie here. A file
stays on the disk until it has landed, so that a data set may be larger than the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import httpx2
from huggingface_hub import (
    HfApi,
    constants,
    errors,
    hf_hub_url,
    parse_hf_uri,
    try_to_load_from_cache,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, logging

from latent_probes import landing
from latent_probes.common import files, terminal
from latent_probes.common.hub_errors import endpoint, explained
from latent_probes.rollout_files.mapping import Mapping
from latent_probes.rollout_files.sources import (
    RolloutFileError,
    Source,
    is_readable,
    refuse_unknown_format,
)
from latent_probes.rollout_files.together import Landed, land_together

COMMIT = re.compile("[0-9a-f]{40}")
SHOWN_FILES = 5
RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True)
class HubFile:
    """A file of a data set at a commit, as the Hub lists it.

    ``sha256`` is known of large files (LFS), of others only git's ``blob_id``.
    """

    dataset: str
    revision: str
    commit: str
    path: str
    size: int
    blob_id: str
    sha256: str | None

    @property
    def address(self) -> str:
        """Where it is, and will always be."""
        return f"hf://datasets/{self.dataset}@{self.commit}/{self.path}"


def find(addresses: list[str]) -> list[HubFile]:
    """The files that addresses name, each once; a revision is resolved once.

    Raises RolloutFileError for an address that names nothing.
    """
    # The client warns in its own words of what it tries again.
    logging.set_verbosity_error()
    listings: dict[tuple[str, str], list[HubFile]] = {}
    found: dict[str, HubFile] = {}
    for address in addresses:
        with explained(address, RolloutFileError):
            uri = parse_hf_uri(address)
            if uri.type != "dataset":
                raise RolloutFileError(
                    f"{address}: not a data set; write hf://datasets/OWNER/NAME[@REVISION][/PATH]"
                )
            key = (uri.id, uri.revision or constants.DEFAULT_REVISION)
            if key not in listings:
                listings[key] = list_files(*key)
        for file in chosen(address, uri.path_in_repo, listings[key]):
            found.setdefault(file.address, file)
    return list(found.values())


def list_files(dataset: str, revision: str) -> list[HubFile]:
    """All files of a data set at the commit that a revision means now, by path."""
    api = HfApi()
    info = api.dataset_info(dataset, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    if not COMMIT.fullmatch(info.sha):
        raise ValueError("no commit")
    entries = api.list_repo_tree(
        dataset, repo_type="dataset", revision=info.sha, recursive=True, expand=False
    )
    listed = [
        HubFile(
            *(dataset, revision, info.sha, entry.path, int(entry.size), entry.blob_id),
            sha256=entry.lfs.sha256 if entry.lfs else None,
        )
        for entry in entries
        if isinstance(entry, RepoFile)
    ]
    for file in listed:
        # Half a character cannot be written down.
        file.address.encode()
    return sorted(listed, key=lambda file: file.path)


def chosen(address: str, pattern: str, listed: list[HubFile]) -> list[HubFile]:
    """The file of that path, or those of rollouts in that folder or of that pattern."""
    for file in listed:
        if file.path == pattern:
            refuse_unknown_format(file.address)
            return [file]
    readable = [file for file in listed if is_readable(file.path)]
    folder = pattern.rstrip("/") + "/" if pattern else ""
    matching = [
        file for file in readable if file.path.startswith(folder) or fnmatchcase(file.path, pattern)
    ]
    if not matching:
        shown = [file.path for file in readable[:SHOWN_FILES]]
        more = ["…"] if len(readable) > SHOWN_FILES else []
        raise RolloutFileError(
            f"{address}: no such Parquet, JSONL or CSV file among "
            f"{', '.join(shown + more) or 'none'}; check the path"
        )
    return matching


def land_hub_file(landing_path: Path, file: HubFile, mapping: Mapping, downloads: Path) -> Landed:
    """Land one file of the Hub, whole or not at all, unless it has landed before."""
    name = hashlib.sha256(file.address.encode()).hexdigest()[:32] + Path(file.path).suffix
    download = downloads / name
    details = {"revision": file.revision}
    if endpoint() != constants.HUGGINGFACE_CO_URL_HOME.rstrip("/"):
        details["endpoint"] = endpoint()
    if has_landed(landing_path, file, mapping):
        landed = Landed(known_files=1)
    else:
        path, source_hash = fetched(file, download)
        source = Source(path, file.address, file.address, "hub", source_hash, details)
        landed = land_together(landing_path, [source], mapping)
        terminal.say(f"{file.address}: landed {landed.added:,} of {landed.rollouts:,} rollouts")
    download.unlink(missing_ok=True)
    return landed


def has_landed(landing_path: Path, file: HubFile, mapping: Mapping) -> bool:
    """Whether the same bytes landed from the Hub, with the same mapping.

    Of two mappings of a file only the first is recorded: with the second it is read every time.
    """
    with landing.opened(landing_path) as connection:
        rows = connection.execute(
            "select details from rollout_sources "
            "where kind = 'hub' and (name = ? or source_hash = ?)",
            [file.address, file.sha256],
        ).fetchall()
    return any(mapping.matches(json.loads(details)) for (details,) in rows)


def fetched(file: HubFile, download: Path) -> tuple[Path, str]:
    """The file's bytes on this machine, and their SHA-256, proven to be those that are listed.

    They may lie in the client's cache already.
    """
    try:
        cached = try_to_load_from_cache(
            file.dataset, file.path, revision=file.commit, repo_type="dataset"
        )
    except ValueError as error:
        # A path that leads out of the cache.
        raise RolloutFileError(f"{file.address}: {' '.join(str(error).split())}") from error
    if isinstance(cached, str) and (source_hash := proven_hash(file, Path(cached))):
        return Path(cached), source_hash
    if file.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
        raise RolloutFileError(
            f"{file.address}: {file.size:,} bytes are more than can be downloaded this way; run "
            "`hf download` for it, then this command again, which finds it in the cache"
        )
    download.parent.mkdir(parents=True, exist_ok=True)
    with explained(file.address, RolloutFileError):
        fetch(file, download)
    source_hash = proven_hash(file, download)
    if source_hash is None:
        download.unlink()
        raise RolloutFileError(
            f"{file.address}: what came is not what the Hub lists ({file.sha256 or file.blob_id}); "
            "run again to download it anew"
        )
    return download, source_hash


def fetch(file: HubFile, download: Path) -> None:
    """Download a file, or what is missing of it, for as long as anything comes."""
    url = hf_hub_url(file.dataset, file.path, repo_type="dataset", revision=file.commit)
    with download.open("ab") as partial:
        if partial.tell() > file.size:
            partial.truncate(0)
        while True:
            size = partial.seek(0, os.SEEK_END)
            try:
                http_get(
                    url,
                    partial,
                    resume_size=size,
                    headers=build_hf_headers(),
                    expected_size=file.size,
                    displayed_filename=terminal.printable(file.path),
                )
                return
            except httpx2.TransportError:
                # The client tries again by itself, but not after a reset.
                if partial.tell() <= size:
                    raise
            except errors.HfHubHTTPError as error:
                if error.response.status_code != RANGE_NOT_SATISFIABLE:
                    raise
                # There is less than was listed: what came is no part of the file.
                return
            except OSError as error:
                # The client finds another length than was listed.
                if error.errno is not None:
                    raise
                if partial.tell() <= size:
                    return


def proven_hash(file: HubFile, path: Path) -> str | None:
    """The SHA-256 of the bytes, if they are those that the Hub lists."""
    source_hash = files.hash_of(path)
    if file.sha256:
        return source_hash if source_hash == file.sha256 else None
    return source_hash if files.blob_id(path) == file.blob_id else None
