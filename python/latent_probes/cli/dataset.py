"""Commands for the data set: export it, check it, read it, push it to the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli.working import working


def export() -> None:
    """Test the warehouse and write the data set: Parquet files, a card and a manifest.

    Its folder explore/ has a page to read it on, for any web server (built by `make explorer`).
    Refuses if a slot or a score is pending, or if a test fails.
    """
    from latent_probes import landing, publication
    from latent_probes.common import home, terminal
    from latent_probes.evaluation import calibration
    from latent_probes.explorer import page
    from latent_probes.reports import exported

    with working("an incomplete export cannot be pushed; rerun the same command") as here:
        home.refuse_empty(here)
        calibration.refuse_export(here)
        landing.refuse_adopted(here.landing, "its data set is exported from the home of its maker")
        publication.export(here)
    exported.show(here)
    if not page.is_built():
        terminal.say(f"{page.FOLDER}/ is left out: {page.NOT_BUILT}")


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
    from latent_probes.common import terminal
    from latent_probes.publication import proof

    found = proof.faults(folder or Path(own_data_set(reading_hub=False)))
    for fault in found:
        terminal.say(fault)
    if found:
        raise typer.Exit(1)
    terminal.say(
        "OK: all files match the manifest, and every figure on the card was reproduced from them"
    )


def own_data_set(*, reading_hub: bool) -> str:
    """Where this home's data set is: its export, or what it was adopted from.

    Raises HomeError if that is on the Hub and the command reads only folders.
    """
    from latent_probes import landing
    from latent_probes.common import home

    here = home.find()
    adopted = landing.adopted(here.landing)
    if adopted is None:
        return str(here.export)
    if adopted.name.startswith("hf://") and not reading_hub:
        raise home.HomeError(
            f"this home was adopted from {adopted.name}, and its files were proven then: to check "
            "a copy of them, give its folder"
        )
    return adopted.name


def adopt(
    place: Annotated[
        str,
        typer.Argument(
            metavar="hf://datasets/OWNER/NAME[@REVISION]|FOLDER",
            help="Published data set: on the Hub, or the folder of an export.",
        ),
    ],
) -> None:
    """Make a home from a published data set, to evaluate methods on its probes.

    Needs an empty home. The files are proven as by `check` and land as they are, all or none.
    `plan`, `evaluate`, `score-local`, `save-activations`, `resample` and the leaderboard then work
    as in the home of its maker; rollouts, rounds and exports need another home. Of a data set on
    the Hub, the commit that its revision points to now is downloaded; an interrupted download
    resumes. HF_TOKEN and HF_ENDPOINT have their usual meaning.
    """
    from latent_probes import adoption
    from latent_probes.common import terminal

    with working("nothing has landed; rerun the same command", makes_home=True) as here:
        found = adoption.adopt(here, place)
    said = "adopted" if found.is_new else "had already adopted"
    terminal.say(
        f"{said} {found.name}: {found.n_probes:,} probes of {found.n_documents:,} documents, build "
        f"{found.build}"
    )


def explore(
    place: Annotated[
        str | None,
        typer.Argument(
            metavar="FOLDER|hf://datasets/OWNER/NAME",
            help="Data set: a folder, or one on the Hub (default: the export).",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port on this machine (default: 8421, or a free one if that is in use).",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the page's address.")
    ] = False,
) -> None:
    """Read a data set in the browser: its probes with documents, answers and scores.

    Serves the page to this machine only, until Ctrl-C. Of a data set on the Hub, only what the page
    shows is downloaded; the token comes from HF_TOKEN or `hf auth login`.
    """
    from latent_probes.cli.working import interruptible
    from latent_probes.common import terminal
    from latent_probes.explorer import server, sources

    source = sources.opened(place or own_data_set(reading_hub=True))
    with interruptible(lambda: terminal.say("stopped")), server.started(source, port) as running:
        terminal.say(f"{source.name}: {running.address} (Ctrl-C stops)")
        if not no_browser:
            server.open_browser(running.address)
        running.serve_forever()


def push(
    name: Annotated[
        str | None, typer.Argument(metavar="OWNER/NAME", help="Data set on the Hub.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME",
            help="Publish the explorer as this static Space, with its own copy of the files, "
            "instead of the data set.",
        ),
    ] = None,
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
            help="If the data set or Space does not exist yet, create it as public (default: "
            "private).",
        ),
    ] = False,
) -> None:
    """Update a data set on the Hub, or a Space with its page, to match the export, in one commit.

    Uploads only what the Hub does not have; an interrupted upload resumes. A revision you have not
    seen is never overwritten: --dry-run shows it. Untested data, keys and local paths are refused
    (paths inside published texts are allowed).

    The token comes from HF_TOKEN or `hf auth login`, the Hub's address from HF_ENDPOINT.
    """
    from latent_probes import landing, pushing

    if name and space:
        raise typer.BadParameter("give OWNER/NAME of a data set or --space, not both")
    if space:
        place = pushing.Place(space, "space")
    elif name:
        place = pushing.Place(name, "dataset")
    else:
        raise typer.BadParameter("give OWNER/NAME of a data set, or --space OWNER/NAME")
    with working(
        f"the {place.noun} is unchanged; files already uploaded will not be uploaded again"
    ) as here:
        landing.refuse_adopted(here.landing, "its data set is pushed from the home of its maker")
        pushing.push(here, place, dry_run=dry_run, allow_baseline=allow_baseline, is_public=public)
