"""Commands for evaluation: calibrate before a round, evaluate oracles and the judge after it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli import options
from latent_probes.cli.working import interruptible, looking, working


def calibrate(
    documents: Annotated[
        int, typer.Option(min=1, help="Number of documents, the same at every level.")
    ] = 100,
    levels: Annotated[
        str, typer.Option(metavar="FIRST..LAST", help="Levels of seeds/calibration_levels.csv.")
    ] = "-3..3",
    like: Annotated[
        int | None,
        typer.Option(metavar="ROUND", help="Round to copy the models from (default: the last)."),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            callback=options.provider,
            help="Provider to use; without it, only show the price.",
        ),
    ] = None,
    once: options.Once = False,
    max_cost: options.MaxCost = None,
) -> None:
    """Generate probes for the same documents at several calibration levels, and compare the levels.

    Documents are drawn with the round's seed from those that no round uses, and no later round will
    draw them. Everything is kept in a separate home directory, `calibration`, and is never
    published; all commands except `export` work there (set LATENT_PROBES_HOME). --max-cost limits
    the cost of the calibration.
    """
    from latent_probes import landing, providers, warehouse
    from latent_probes.evaluation import calibration
    from latent_probes.queue import runner
    from latent_probes.reports import batches, plan
    from latent_probes.reports import levels as level_report

    try:
        wanted = calibration.parse_levels(levels)
    except calibration.CalibrationError as error:
        raise typer.BadParameter(f"--levels: {error}") from error
    with looking() as here:
        landing.refuse_adopted(here.landing, "there is nothing to calibrate for")
        there = calibration.prepare(here, documents, wanted, like)
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
            help="Name of the method. `lexical`, the offline baseline, needs no --answers, nor "
            "does a method that ask-oracle has asked.",
        ),
    ],
    condition: Annotated[
        str,
        typer.Option(
            metavar="CONDITION",
            callback=options.condition,
            help="The state the method was given: real_state, no_state or other_document_state.",
        ),
    ],
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Parquet, JSONL or CSV file with doc_id, slot_idx, answer (or a list, answers) "
            "and, optionally, logp_atom and logp_ipa.",
        ),
    ] = None,
    delimiter: options.Delimiter = ",",
    build: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="`build` in the manifest.json of the data set that the method answered.",
        ),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            callback=options.provider,
            help="Provider to use; without it, only show the price.",
        ),
    ] = None,
    once: options.Once = False,
    max_cost: options.MaxCost = None,
) -> None:
    """Land a method's answers to published probes, have them judged, and compare methods.

    The round's judge scores the answers, and its answerer answers the same probes again: bands come
    from the published answers, so comparing against those would be biased. Evaluate a trained
    method under all three conditions: its answers without a state and with another document's state
    separate what it reads from the state from what it learned in training.
    """
    from latent_probes import providers, warehouse
    from latent_probes.common import terminal
    from latent_probes.evaluation import oracles
    from latent_probes.queue import runner
    from latent_probes.reports import batches, leaderboard, plan
    from latent_probes.reports import status as status_report

    with working("landed data is kept; rerun the same command to continue") as here:
        warehouse.build(here, tested=False)
        if provider is not None:
            runner.refuse_to_evaluate(here, provider)
        if answers is None:
            n_landed, n_rows = oracles.land_baseline_answers(here, name, condition)
        else:
            n_landed, n_rows = oracles.land_answers(
                here, name, condition, answers, build, delimiter
            )
        terminal.say_landed(n_landed, n_rows, "answers")
        warehouse.build(here, tested=False)
        plan.show(here)
    if provider is None:
        return
    with interruptible(lambda: batches.interrupted(here)):
        runner.answer_pending(here, providers.create(provider, here), once=once, max_cost=max_cost)
    with interruptible(lambda: terminal.say("interrupted: all answers have landed")):
        leaderboard.show(here)
        status_report.irregularities(here)
        oracles.draw(here)


def write_sheet(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file to write.")],
    answers: Annotated[
        int,
        typer.Option(min=1, help="Number of answers. A larger number extends the same selection."),
    ] = 50,
) -> None:
    """Write a rating sheet (CSV) of answers for a human rater, without the judge's scores.

    Fill in the column `score` (0 to 1), then land the file with `land-ratings`.
    """
    from latent_probes import landing, warehouse
    from latent_probes.common import terminal
    from latent_probes.evaluation import ratings

    with looking() as here:
        landing.refuse_adopted(here.landing, "ratings land in the home of its maker")
        warehouse.build(here, tested=False)
        n_written = ratings.write_sheet(here, file, answers)
    terminal.say(f"wrote {n_written:,} answers to {file}")


def land_ratings(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Completed rating sheet, or scores from the explorer."),
    ],
    rater: Annotated[str, typer.Option(metavar="NAME", help="Name of the rater.")],
    delimiter: options.Delimiter = ",",
) -> None:
    """Land a human rater's scores of answers; rows without a score are skipped.

    If the file is invalid, nothing lands. A landed score is never changed.
    """
    from latent_probes.common import terminal
    from latent_probes.evaluation import ratings

    with working("nothing was changed") as here:
        n_landed, n_rows = ratings.land_ratings(here, file, rater, delimiter)
    terminal.say_landed(n_landed, n_rows, "scores")


def land_marks(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Marks downloaded from the explorer's page.")
    ],
    rater: Annotated[str, typer.Option(metavar="NAME", help="Name of the rater.")],
    delimiter: options.Delimiter = ",",
) -> None:
    """Land the marks and notes that a human rater gave probes.

    If the file is invalid, nothing lands. A changed mark replaces the rater's earlier one, which
    stays in the landing file; so does one that the file withdraws.
    """
    from latent_probes.common import terminal
    from latent_probes.evaluation import marks

    with working("nothing was changed") as here:
        n_landed, n_rows = marks.land_marks(here, file, rater, delimiter)
    terminal.say_landed(n_landed, n_rows, "marks")
