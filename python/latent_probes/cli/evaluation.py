"""Commands that evaluate: strictness before a round, methods and people after it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli import options
from latent_probes.cli.working import interruptible, working


def calibrate(
    docs: Annotated[int, typer.Option(min=1, help="Documents, the same at every level.")] = 100,
    levels: Annotated[
        str, typer.Option(metavar="FIRST..LAST", help="Levels of seeds/calibration_levels.csv.")
    ] = "-3..3",
    like: Annotated[
        int | None,
        typer.Option(metavar="ROUND", help="The round whose models are asked; default: the last."),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who answers; without it, only the price is shown."),
    ] = None,
    once: options.Once = False,
    max_cost: options.MaxCost = None,
) -> None:
    """Ask about the same documents at every level of strictness, and compare the levels.

    The documents are drawn by the round's seed from those that no round uses, and no round will
    ever draw them. Requests, answers and probes are kept in a separate home directory,
    `calibration`: none of them is published, and all commands but `export` work there
    (LATENT_PROBES_HOME). --max-cost limits what the calibration costs.
    """
    from latent_probes import providers, warehouse
    from latent_probes.common import home
    from latent_probes.evaluation import calibration
    from latent_probes.queue import runner
    from latent_probes.reports import batches, plan
    from latent_probes.reports import levels as level_report

    wanted = calibration.parse_levels(levels)
    here = home.find()
    there = calibration.prepare(here, docs, wanted, like)
    warehouse.build(there, tested=False)
    plan.show(there)
    if provider is None:
        return
    with interruptible(lambda: batches.interrupted(there)):
        runner.answer_pending(
            there, providers.create(provider, there), once=once, max_cost=max_cost
        )
    level_report.show(there)
    calibration.draw(there)


def evaluate(
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The method; `lexical` is the offline baseline, which answers by itself.",
        ),
    ],
    condition: Annotated[
        str,
        typer.Option(
            metavar="CONDITION",
            help="What it read: real_state, no_state, or other_document_state.",
        ),
    ],
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Parquet, JSONL or CSV: doc_id, slot_idx, answer (or a list, answers), and, if it "
            "has them, logp_atom and logp_ipa.",
        ),
    ] = None,
    build: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="The `build` in manifest.json of the data set that the method answered.",
        ),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who judges; without it, only the price is shown."),
    ] = None,
    once: options.Once = False,
    max_cost: options.MaxCost = None,
) -> None:
    """Land a method's answers to published probes, have them judged, and compare.

    The round's own judge scores them, and its answerer is asked again about the same probes, which
    avoids selection bias from the answers that defined the bands. If a method was trained, its
    answers without the state and with another document's state separate what it reads from what it
    learned: evaluate it under all three conditions.
    """
    from latent_probes import providers, warehouse
    from latent_probes.common import terminal
    from latent_probes.evaluation import oracles
    from latent_probes.queue import runner
    from latent_probes.reports import batches, leaderboard, plan

    with working("what has landed stays; run the same command again to resume") as here:
        warehouse.build(here, tested=False)
        if answers is None:
            n_landed, n_rows = oracles.land_baseline_answers(here, name, condition)
        else:
            n_landed, n_rows = oracles.land_answers(here, name, condition, answers, build)
    terminal.say(f"landed {n_landed:,} of {n_rows:,} answers; the rest had already landed")
    warehouse.build(here, tested=False)
    plan.show(here)
    if provider is None:
        return
    with interruptible(lambda: batches.interrupted(here)):
        runner.answer_pending(here, providers.create(provider, here), once=once, max_cost=max_cost)
    leaderboard.show(here)
    oracles.draw(here)


def write_sheet(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file to write.")],
    answers: Annotated[
        int, typer.Option(min=1, help="How many answers; a larger number includes the smaller's.")
    ] = 50,
) -> None:
    """Write a sheet of answers for a person to score as the judge did, without its scores.

    Fill in the column `score`, 0 to 1, and land the file with `land-ratings`.
    """
    from latent_probes import warehouse
    from latent_probes.common import home, terminal
    from latent_probes.evaluation import ratings

    here = home.find()
    warehouse.build(here, tested=False)
    n_written = ratings.write_sheet(here, file, answers)
    terminal.say(f"wrote {n_written:,} answers to {file}")


def land_ratings(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sheet with scores filled in.")],
    rater: Annotated[str, typer.Option(metavar="NAME", help="Whose scores they are.")],
) -> None:
    """Land a person's scores of answers; rows without a score are skipped.

    If the file has a fault, nothing lands, and a score that has landed is never changed.
    """
    from latent_probes.common import terminal
    from latent_probes.evaluation import ratings

    with working("nothing was changed") as here:
        n_landed, n_rows = ratings.land_ratings(here, file, rater)
    terminal.say(f"landed {n_landed:,} of {n_rows:,} scores; the rest had already landed")
