"""The command line: one file per group of commands; commands only read arguments and call."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from latent_probes.cli import (
    dataset,
    evaluation,
    failures,
    local_models,
    oracles,
    rollouts,
    rounds,
    warehouses,
)

app = typer.Typer(
    help="Make, score, test and publish probing questions for activation oracles.\n\n"
    "Making a data set takes five steps: **land** rollouts of a source model, add a line to "
    "seeds/rounds.csv, check the **plan** and its price, **run** it, and **export** the data "
    "set. `dbt build` rebuilds and tests everything from the landed data and never spends money.",
    epilog="Files are kept in the directory LATENT_PROBES_HOME (default: the project's own).",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)

for panel, commands in {
    "Rollouts": (rollouts.land, rollouts.sample),
    "Rounds": (evaluation.calibrate, rounds.plan, rounds.run, rounds.status, rounds.cancel),
    "Data set": (
        *(dataset.export, dataset.check, dataset.explore, dataset.push),
        dataset.adopt,
    ),
    "Warehouse": (warehouses.build,),
    "Evaluation": (
        evaluation.evaluate,
        evaluation.write_sheet,
        evaluation.land_ratings,
        evaluation.land_marks,
    ),
    "Models": (
        rollouts.resample,
        local_models.score_local,
        local_models.save_activations,
        oracles.ask_oracle,
    ),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def say_version(wanted: bool) -> None:
    """Print the version and exit, if that is wanted."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"latent-probes {version('latent-probes')}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=say_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options that come before a command."""


def main() -> None:
    """Run the command line; an error ends it with one sentence and an exit code."""
    try:
        app()
    except Exception as error:
        sys.exit(failures.ended(error))
