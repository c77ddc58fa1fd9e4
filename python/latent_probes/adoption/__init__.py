"""Make a home from a published data set, in a folder or on the Hub.

``places`` finds and downloads it. Its files are proven as `check` does, and land as they are; the
models over them are in models/adopted, and the models that unite them with those of a maker's home.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from latent_probes import landing
from latent_probes.adoption import places
from latent_probes.adoption.places import AdoptionError
from latent_probes.common import files, terminal
from latent_probes.common.home import Home
from latent_probes.publication import manifest, proof, strangers, tables

__all__ = ["Adopted", "AdoptionError", "adopt"]


@dataclass(frozen=True)
class Adopted:
    """What was adopted; ``is_new`` is false if it had already landed."""

    name: str
    build: str
    n_documents: int
    n_probes: int
    is_new: bool


def adopt(home: Home, place: str) -> Adopted:
    """Land the data set at a folder's path or at hf://datasets/OWNER/NAME[@REVISION].

    Lands all or nothing, and does nothing if the same data set has landed. Raises AdoptionError or
    LandingError if the home is not empty or has adopted another one, if the files are not those of
    the manifest and the card, or if they are by another version of latent-probes.
    """
    known = made = None
    if home.landing.exists():
        with landing.opened(home.landing) as connection:
            known = landing.adopted_set(connection)
            made = None if known else landing.made_here(connection)
    if made:
        raise AdoptionError(
            f"{home.folder} contains {made}: a data set is adopted into an empty home, so set "
            "LATENT_PROBES_HOME to a new directory"
        )
    with places.opened(place, home.downloads) as source:
        digest = files.hash_of(source.manifest())
        if known is None:
            land(home, source, digest)
        elif known.manifest_sha256 != digest:
            raise AdoptionError(
                f"{home.folder} was adopted from {known.name}, and {source.name} is another data "
                "set, or another state of it: adopt it into a new directory (LATENT_PROBES_HOME)"
            )
    with landing.opened(home.landing) as connection:
        n_documents, n_probes = landing.one(
            connection,
            "select count(*), coalesce(sum(len(probes)), 0)::bigint from adopted_compact",
        )
        found = landing.adopted_set(connection)
    assert found is not None
    return Adopted(found.name, found.build, n_documents, n_probes, known is None)


def land(home: Home, source: places.Place, digest: str) -> None:
    """Prove the files of a data set, and land them."""
    folder = source.folder()
    refuse_faults(source.name, folder)
    text = strangers.text_of(folder / manifest.NAME)
    described = manifest.parsed(text)

    def prove() -> None:
        there = {path for path in strangers.files_of(folder) if not manifest.is_foreign(path)}
        is_same = files.hash_of(folder / manifest.NAME) == digest
        if not is_same or manifest.differences(folder, there, described["files"]):
            raise AdoptionError(
                f"{source.name} was changed while it was read, and nothing has landed: run again "
                "when it is complete"
            )

    incoming = landing.AdoptedSet(digest, source.name, described["build"])
    try:
        with landing.only_if_it_succeeds(home.landing) as connection:
            landing.adopt(connection, incoming, text, files_by_config(folder, described), prove)
    except (duckdb.ConstraintException, duckdb.InvalidInputException) as error:
        reason = terminal.shortened(str(error).splitlines()[0])
        raise AdoptionError(
            f"{source.name}: its rows do not have the form of an export ({reason}), and nothing "
            "has landed; its maker must export it again"
        ) from error


def refuse_faults(name: str, folder: Path) -> None:
    """Raise AdoptionError unless the files are those of the manifest and give the card."""
    try:
        found = proof.faults(folder)
    except proof.ProofError as error:
        raise AdoptionError(str(error).replace(str(folder), name)) from error
    if found:
        more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
        raise AdoptionError(
            f"{name}: {found[0]}{more}, so nothing has landed; get it again, complete, or install "
            "the version of latent-probes that wrote it (`latent-probes check` shows all faults)"
        )


def files_by_config(folder: Path, described: dict) -> dict[str, list[Path]]:
    """The Parquet files of each config that lands, in order: those that the manifest lists."""
    found: dict[str, list[Path]] = {}
    for file in described["files"]:
        path = Path(file["path"])
        if path.match(tables.pattern_of(path.parent.name)) and len(path.parts) == 2:
            found.setdefault(path.parent.name, []).append(folder / path)
    return {config: sorted(paths) for config, paths in found.items()}
