"""Batches that are open, and what becomes of them."""

from __future__ import annotations

from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.queue import batches


def list_open_batches(home: Home) -> bool:
    """Name the batches that are open; whether there are any."""
    open_batches = batches.open_at(home)
    for batch in open_batches:
        terminal.say(
            f"still on its way: {batch.n_requests:,} requests at {batch.provider} "
            f"({batch.provider_batch_id or 'not known to have been taken'})"
        )
    return bool(open_batches)


def interrupted(home: Home) -> None:
    """What goes on, and costs, although the run was stopped."""
    if list_open_batches(home):
        terminal.say(
            "Stopped. What is on its way goes on, and is billed: `latent-probes run` lands it, "
            "`latent-probes cancel` stops it."
        )
    else:
        terminal.say("Stopped. Nothing is on its way; `latent-probes run` goes on.")


def canceled(home: Home) -> None:
    """What a provider still has to give back after a cancel."""
    open_batches = batches.open_at(home)
    for batch in open_batches:
        terminal.say(
            f"canceling: {batch.n_requests:,} requests at {batch.provider} "
            f"({batch.provider_batch_id})"
        )
    if open_batches:
        terminal.say(
            "A provider takes a while to stop; `latent-probes run --once` lands what was answered."
        )
    else:
        terminal.say("Nothing is on its way.")
