"""Commands for the data set: export it, check it, push it to the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli.working import working


def export() -> None:
    """Test the warehouse and write the data set: Parquet files, a card and a manifest.

    Refuses if a slot or a score is pending, or if a test fails.
    """
    from latent_probes import publication
    from latent_probes.common import home
    from latent_probes.evaluation import calibration
    from latent_probes.reports import exported

    with working("an incomplete export cannot be pushed; rerun the same command") as here:
        home.refuse_empty(here)
        calibration.refuse_export(here)
        publication.export(here)
    exported.show(here)


def check(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="Local copy of a data set from the Hub (default: the export)."
        ),
    ] = None,
) -> None:
    """Recompute every figure on a data set's card from its files, and compare.

    Needs only the folder. File hashes are checked against the manifest too. The folder can come
    from anyone: nothing outside it is read, and time and memory are limited.
    """
    from latent_probes.common import home, terminal
    from latent_probes.publication import proof

    found = proof.faults(folder or home.find().export)
    for fault in found:
        terminal.say(fault)
    if found:
        raise typer.Exit(1)
    terminal.say(
        "OK: all files match the manifest, and every figure on the card was reproduced from them"
    )


def push(
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Data set on the Hub.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; upload nothing.")
    ] = False,
    allow_baseline: Annotated[
        bool,
        typer.Option(
            "--allow-baseline", help="Push even if the offline baseline made part of the data."
        ),
    ] = False,
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="If the data set does not exist yet, create it as public (default: private).",
        ),
    ] = False,
) -> None:
    """Update a data set on the Hub to match the export, in one commit.

    Uploads only what the Hub does not have; an interrupted upload resumes. A revision you have not
    seen is never overwritten: --dry-run shows it. Untested data, keys and local paths are refused
    (paths inside published texts are allowed).

    The token comes from HF_TOKEN or `hf auth login`, the Hub's address from HF_ENDPOINT.
    """
    from latent_probes import pushing

    with working(
        "the data set is unchanged; files already uploaded will not be uploaded again"
    ) as here:
        pushing.push(here, name, dry_run=dry_run, allow_baseline=allow_baseline, is_public=public)
