"""Where a data set is: a folder, or a commit of a data set on the Hub, which is downloaded."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from latent_probes.common import files, terminal
from latent_probes.explorer.sources import is_plain
from latent_probes.publication import card, manifest
from latent_probes.table_files import FileError

HUB = "hf://"


class AdoptionError(Exception):
    """The data set cannot be adopted; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Place:
    """A data set: its name, its manifest as a file, and the folder with all of its files."""

    name: str
    manifest: Callable[[], Path]
    folder: Callable[[], Path]


@contextmanager
def opened(place: str, downloads: Path) -> Iterator[Place]:
    """The data set at a folder's path, or at hf://datasets/OWNER/NAME[@REVISION].

    What is downloaded is kept if the block fails, so that an interrupted download resumes, and
    removed when it has ended. Raises AdoptionError if there is none.
    """
    if place.startswith(HUB):
        with on_the_hub(place, downloads) as found:
            yield found
    else:
        yield in_folder(Path(place))


def in_folder(folder: Path) -> Place:
    """The data set in a folder."""
    path = folder / manifest.NAME
    if folder.name == manifest.NAME and folder.is_file():
        raise AdoptionError(f"{folder} is a file of a data set: adopt its folder, {folder.parent}")
    if not folder.is_dir():
        raise AdoptionError(
            f"{folder}: no such folder; check the path, or write hf://datasets/OWNER/NAME for a "
            "data set on the Hub"
        )
    if not path.is_file():
        inside = folder / "export"
        is_home = (inside / manifest.NAME).is_file()
        remedy = (
            f"adopt {inside}" if is_home else "name the folder of an export, or hf://datasets/…"
        )
        raise AdoptionError(f"{folder} is not a data set (it has no {manifest.NAME}): {remedy}")
    return Place(str(folder.absolute()), lambda: path, lambda: folder)


@contextmanager
def on_the_hub(address: str, downloads: Path) -> Iterator[Place]:
    """A data set on the Hub, at the commit that its revision points to now."""
    from huggingface_hub import constants, parse_hf_uri

    from latent_probes.common import hub_client
    from latent_probes.common.hub_errors import explained
    from latent_probes.rollout_files import hub_files

    with explained(address, AdoptionError), hub_client.listing():
        uri = parse_hf_uri(address)
        if uri.type != "dataset" or uri.path_in_repo:
            raise AdoptionError(f"{address}: write hf://datasets/OWNER/NAME[@REVISION]")
        listed = hub_files.list_files(uri.id, uri.revision or constants.DEFAULT_REVISION)
    by_path = {file.path: file for file in listed if not manifest.is_foreign(file.path)}
    if manifest.NAME not in by_path:
        raise AdoptionError(
            f"{address} has no {manifest.NAME}: `latent-probes push` makes such data sets"
        )
    if odd := [path for path in by_path if not is_plain(path)]:
        raise AdoptionError(f"{address}: {terminal.shortened(odd[0])!r} is no name of an export")
    commit = listed[0].commit
    folder = downloads / f"adopted-{commit}"

    def fetch(path: str) -> Path:
        target = folder / path
        if not (target.is_file() and hub_files.proven_hash(by_path[path], target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            # Not in the folder, which must have nothing but the files of the data set.
            partial = downloads / hashlib.sha256(by_path[path].address.encode()).hexdigest()[:32]
            try:
                found, _ = hub_files.fetched(by_path[path], partial)
            except FileError as error:
                raise AdoptionError(str(error)) from error
            if found != partial:
                shutil.copyfile(found, partial)
            files.replace(partial, target)
        return target

    def fetch_all() -> Path:
        # Other files that people have added beside the data set are left there.
        described = manifest.parsed(fetch(manifest.NAME).read_text(encoding="utf-8"))
        wanted = {manifest.NAME, card.NAME, *(file["path"] for file in described["files"])}
        paths = [path for path in by_path if path in wanted]
        with terminal.progress("downloading", len(paths), "files") as advance:
            for path in paths:
                fetch(path)
                advance(1)
        return folder

    yield Place(f"hf://datasets/{uri.id}@{commit}", lambda: fetch(manifest.NAME), fetch_all)
    shutil.rmtree(folder, ignore_errors=True)
