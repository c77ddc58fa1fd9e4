"""Commands about the data set: export it, check it, push it to the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli.working import working


def export() -> None:
    """Test the warehouse and write the data set: Parquet files, a card and a manifest.

    Refuses while a slot or a score is pending, and if a test fails.
    """
    from latent_probes import publication
    from latent_probes.evaluation import calibration
    from latent_probes.reports import exported

    with working("the last complete export stays; run the same command again") as here:
        calibration.refuse_export(here)
        publication.export(here)
    exported.show(here)


def check(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="A copy of a data set from the Hub; default: the export."
        ),
    ] = None,
) -> None:
    """Recompute every figure of a data set's card from its files, and compare.

    Needs nothing but the folder. The files are also compared with the hashes in its manifest.
    """
    from latent_probes.common import home, terminal
    from latent_probes.publication import proof

    found = proof.faults(folder or home.find().export)
    for fault in found:
        terminal.say(fault)
    if found:
        raise typer.Exit(1)
    terminal.say("the files match the manifest, and every figure of the card follows from them")


def push(
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The data set on the Hub.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change and be sent; send nothing.")
    ] = False,
    allow_baseline: Annotated[
        bool,
        typer.Option(
            "--allow-baseline", help="Push although the offline baseline made some of it."
        ),
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="If the data set is new, make it public.")
    ] = False,
) -> None:
    """Update a data set on the Hub to match the export, in one commit.

    Uploads only what the Hub does not have; an interrupted push does not send a file twice. A state
    of the data set that was never seen from here is not overwritten: --dry-run looks. Nothing is
    sent that is untested, that holds a key, or, outside of texts, a path of this computer.

    Token and Hub are those of HF_TOKEN or `hf auth login`, and HF_ENDPOINT.
    """
    from latent_probes import pushing

    with working("the data set is unchanged; files already sent are not sent again") as here:
        pushing.push(here, name, dry_run=dry_run, allow_baseline=allow_baseline, is_public=public)
