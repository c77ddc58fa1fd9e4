"""The command for the warehouse: build it here or on a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from latent_probes.cli import options
from latent_probes.cli.working import working


def build(
    on: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            callback=options.engine,
            help="Build prefixes and rounds in tasks of a cluster: ray (default: in this process).",
        ),
    ] = None,
    address: options.Address = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="With --on: a folder that all machines share, or an address of fsspec such as "
            "s3://bucket/folder, for this home alone (default: the home's folder cluster).",
        ),
    ] = None,
) -> None:
    """Bring the warehouse up to date with what has landed. Never asks a model.

    Other commands do this themselves; on a cluster, build before you plan, run or export.
    """
    from latent_probes import warehouse
    from latent_probes.common import home, terminal

    if on is None and (address or storage):
        raise typer.BadParameter("--address and --storage need --on ray")
    with working("what is built is kept; rerun the same command to continue") as here:
        home.refuse_empty(here)
        if on is None:
            warehouse.build(here, tested=False)
        else:
            from latent_probes import cluster
            from latent_probes.cluster import engines

            with engines.on_ray(address) as run:
                cluster.build(here, run, storage or str(here.folder / "cluster"))
        terminal.say(f"{here.warehouse} is up to date")
