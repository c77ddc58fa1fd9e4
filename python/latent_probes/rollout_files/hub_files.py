"""Files of data sets on the Hub: found at one commit, downloaded and landed one by one.

An interrupted download resumes, also in a later run. The client's cache discards partial files, so
partial files are kept here and the client only fetches. A file is deleted once it has landed, so a
data set can be larger than the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
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
from latent_probes.common import files, hub_client, limits, terminal
from latent_probes.common.connections import ResponseLimitError
from latent_probes.common.hub_errors import endpoint, explained
from latent_probes.rollout_files.mapping import Mapping
from latent_probes.rollout_files.together import Landed, land_together
from latent_probes.table_files import (
    FileError,
    NoRowsError,
    Source,
    is_readable,
    refuse_unknown_format,
    suffixes,
)

COMMIT = re.compile("[0-9a-f]{40}")
SHOWN_FILES = 5
NAMED_FILES = 1000
RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True)
class HubFile:
    """A file of a data set at a commit, as listed by the Hub.

    ``sha256`` is known for large files (LFS); for the others only git's ``blob_id``.
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
        """Permanent address, which includes the commit."""
        return f"hf://datasets/{self.dataset}@{self.commit}/{self.path}"


def find(addresses: list[str]) -> list[HubFile]:
    """Find the files at these addresses, without duplicates; each revision is resolved once.

    Raises FileError for an address without files.
    """
    # Retries of the client would be logged as warnings.
    logging.set_verbosity_error()
    listings: dict[tuple[str, str], list[HubFile]] = {}
    found: dict[str, HubFile] = {}
    for address in addresses:
        with explained(address, FileError), hub_client.listing():
            uri = parse_hf_uri(address)
            if uri.type != "dataset":
                raise FileError(
                    f"{address}: not a data set; write hf://datasets/OWNER/NAME[@REVISION][/PATH]"
                )
            key = (uri.id, uri.revision or constants.DEFAULT_REVISION)
            if key not in listings:
                listings[key] = list_files(*key)
        for file in chosen(address, uri.path_in_repo, listings[key]):
            found.setdefault(file.address, file)
    return list(found.values())


def list_files(dataset: str, revision: str) -> list[HubFile]:
    """All files of a data set at the commit that a revision points to now, ordered by path."""
    api = HfApi()
    info = api.dataset_info(dataset, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    commit = info.sha or ""
    if not COMMIT.fullmatch(commit):
        raise ValueError("no commit")
    entries = api.list_repo_tree(
        dataset, repo_type="dataset", revision=commit, recursive=True, expand=False
    )
    listed = [
        HubFile(
            *(dataset, revision, commit, entry.path, int(entry.size), entry.blob_id),
            sha256=entry.lfs.sha256 if entry.lfs else None,
        )
        for entry in islice(entries, limits.HUB_FILES + 1)
        if isinstance(entry, RepoFile)
    ]
    if len(listed) > limits.HUB_FILES:
        raise ResponseLimitError(f"the data set has more than {limits.HUB_FILES:,} files")
    for file in listed:
        # Raises for a lone surrogate, which cannot be stored.
        file.address.encode()
    return sorted(listed, key=lambda file: file.path)


def chosen(address: str, pattern: str, listed: list[HubFile]) -> list[HubFile]:
    """The file at that path, or all readable files in that folder or matching that pattern.

    Prints the names of the others there.
    """
    for file in listed:
        if file.path == pattern:
            refuse_unknown_format(file.address)
            return [file]
    folder = pattern.rstrip("/") + "/" if pattern else ""
    there = [
        file for file in listed if file.path.startswith(folder) or fnmatchcase(file.path, pattern)
    ]
    matching = [file for file in there if is_readable(file.path)]
    if not matching:
        readable = [file for file in listed if is_readable(file.path)]
        shown = [file.path for file in readable[:SHOWN_FILES]]
        more = ["…"] if len(readable) > SHOWN_FILES else []
        raise FileError(
            f"{address}: no matching Parquet, JSONL or CSV file (found: "
            f"{', '.join(shown + more) or 'none'}); check the path"
        )
    if others := [file.path for file in there if not is_readable(file.path)]:
        more = [f"… ({len(others):,} files)"] if len(others) > NAMED_FILES else []
        terminal.say(
            f"{address}: not Parquet, JSONL or CSV, so not read: "
            f"{', '.join(others[:NAMED_FILES] + more)}"
        )
    return matching


def land_hub_file(landing_path: Path, file: HubFile, mapping: Mapping, downloads: Path) -> Landed:
    """Land one file from the Hub, completely or not at all, unless it has already landed."""
    name = hashlib.sha256(file.address.encode()).hexdigest()[:32] + suffixes(file.path)
    download = downloads / name
    details = {"revision": file.revision}
    if endpoint() != constants.HUGGINGFACE_CO_URL_HOME.rstrip("/"):
        details["endpoint"] = endpoint()
    if has_landed(landing_path, file, mapping):
        landed = Landed(known_files=1)
    else:
        path, source_hash = fetched(file, download)
        source = Source(
            *(path, file.address, file.address, "hub", source_hash, details),
            delimiter=mapping.delimiter,
        )
        try:
            landed = land_together(landing_path, [source], mapping)
        except NoRowsError:
            landed = Landed()
        terminal.say(f"{file.address}: landed {landed.added:,} of {landed.rollouts:,} rollouts")
    download.unlink(missing_ok=True)
    return landed


def has_landed(landing_path: Path, file: HubFile, mapping: Mapping) -> bool:
    """Whether the same bytes have landed from the Hub with the same mapping.

    Only the first mapping of a file is recorded: with another one it is read every time.
    """
    with landing.opened(landing_path) as connection:
        rows = connection.execute(
            "select details from rollout_sources "
            "where kind = 'hub' and (name = ? or source_hash = ?)",
            [file.address, file.sha256],
        ).fetchall()
    return any(mapping.matches(json.loads(details)) for (details,) in rows)


def fetched(file: HubFile, download: Path) -> tuple[Path, str]:
    """Local path and SHA-256 of the file, verified against the Hub's listing.

    The client's cache is used if it has the file.
    """
    try:
        cached = try_to_load_from_cache(
            file.dataset, file.path, revision=file.commit, repo_type="dataset"
        )
    except ValueError as error:
        # The path would escape the cache.
        raise FileError(f"{file.address}: {' '.join(str(error).split())}") from error
    if isinstance(cached, str) and (source_hash := proven_hash(file, Path(cached))):
        return Path(cached), source_hash
    if file.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
        raise FileError(
            f"{file.address}: too large to download this way ({file.size:,} bytes); download it "
            "with `hf download`, then rerun this command, which will find it in the cache"
        )
    download.parent.mkdir(parents=True, exist_ok=True)
    with explained(file.address, FileError), hub_client.downloading(file.size):
        fetch(file, download)
    source_hash = proven_hash(file, download)
    if source_hash is None:
        download.unlink()
        raise FileError(
            f"{file.address}: downloaded file does not match the Hub's hash "
            f"({file.sha256 or file.blob_id}); rerun to download it again"
        )
    return download, source_hash


def fetch(file: HubFile, download: Path) -> None:
    """Download a file, or the rest of it, for as long as data arrives."""
    url = hf_hub_url(file.dataset, file.path, repo_type="dataset", revision=file.commit)
    with download.open("ab") as partial:
        if partial.tell() > file.size:
            partial.truncate(0)
        while True:
            size = partial.seek(0, os.SEEK_END)
            if size > file.size + limits.HUB_EXTRA_BYTES:
                raise ResponseLimitError(f"the file is longer than the {file.size:,} bytes listed")
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
                # The client retries by itself, but not after a connection reset.
                if partial.tell() <= size:
                    raise
            except errors.HfHubHTTPError as error:
                if error.response.status_code != RANGE_NOT_SATISFIABLE:
                    raise
                # The file is shorter than listed, so the partial file is not part of it.
                return
            except OSError as error:
                # The client found a length that differs from the listing.
                if error.errno is not None:
                    raise
                if partial.tell() <= size:
                    return


def proven_hash(file: HubFile, path: Path) -> str | None:
    """SHA-256 of the file if it matches the Hub's listing, otherwise None."""
    source_hash = files.hash_of(path)
    if file.sha256:
        return source_hash if source_hash == file.sha256 else None
    return source_hash if files.blob_id(path) == file.blob_id else None
