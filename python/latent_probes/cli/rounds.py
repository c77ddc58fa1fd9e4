"""Commands about rounds: what would be asked, asking it, how far it is, stopping it."""

from __future__ import annotations

from typing import Annotated

import typer

from latent_probes.cli import options
from latent_probes.cli.working import interruptible

Counter = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="Have this provider count the tokens of a sample of the requests, which is free.",
    ),
]


def plan(provider: Counter = None) -> None:
    """Show what would be asked in each round, and what it is expected to cost.

    Token counts are measured from answers that have landed, or counted by a provider, or estimated
    from characters; the plan says which.
    """
    from latent_probes import providers, warehouse
    from latent_probes.common import home
    from latent_probes.queue import runner
    from latent_probes.reports import plan

    here = home.find()
    warehouse.build(here, tested=False)
    if provider is not None:
        runner.count_tokens(here, providers.create(provider, here))
        warehouse.build(here, tested=False)
    plan.show(here)


def run(
    provider: options.Answerer, once: options.Once = False, max_cost: options.MaxCost = None
) -> None:
    """Send everything that is pending, and land the answers, until nothing is left to ask.

    It can be killed at any moment and run again: nothing is lost and nothing is asked twice.
    Submitted batches keep running without it; `cancel` stops them.

    The provider's key and address come from ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL, the model
    of each stage from the round's line in seeds/rounds.csv.
    """
    from latent_probes import providers
    from latent_probes.common import home
    from latent_probes.queue import runner
    from latent_probes.reports import batches, status

    here = home.find()
    with interruptible(lambda: batches.interrupted(here)):
        runner.answer_pending(here, providers.create(provider, here), once=once, max_cost=max_cost)
    status.show(here)


def status() -> None:
    """Show how far each round is, and what was spent."""
    from latent_probes import warehouse
    from latent_probes.common import home
    from latent_probes.reports import status

    here = home.find()
    warehouse.build(here, tested=False)
    status.show(here)


def cancel() -> None:
    """Cancel all open batches; what was answered by then still lands.

    What was canceled is asked again by the next `run`.
    """
    from latent_probes import providers
    from latent_probes.common import home
    from latent_probes.queue import runner
    from latent_probes.reports import batches

    here = home.find()
    runner.cancel_batches(here, lambda name: providers.create(name, here))
    batches.canceled(here)
