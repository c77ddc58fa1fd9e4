"""Reports on open batches."""

from __future__ import annotations

from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.queue import batches


def list_open_batches(home: Home) -> bool:
    """List the open batches; return whether there are any."""
    open_batches = batches.open_at(home)
    for batch in open_batches:
        terminal.say(
            f"open batch: {batch.n_requests:,} requests at {batch.provider} "
            f"({batch.provider_batch_id or 'not yet confirmed by the provider'})"
        )
    return bool(open_batches)


def interrupted(home: Home) -> None:
    """After an interrupt: list the batches that keep running and will be billed."""
    if list_open_batches(home):
        terminal.say(
            "Stopped. Open batches keep running and will be billed: `latent-probes run` lands "
            "them, `latent-probes cancel` cancels them."
        )
    else:
        terminal.say("Stopped. No batch is open; `latent-probes run` continues.")


def canceled(home: Home) -> None:
    """After a cancel: list the batches that the provider is still canceling."""
    open_batches = batches.open_at(home)
    for batch in open_batches:
        terminal.say(
            f"canceling: {batch.n_requests:,} requests at {batch.provider} "
            f"({batch.provider_batch_id})"
        )
    if open_batches:
        terminal.say(
            "Canceling takes a while; `latent-probes run --once` lands the completed answers."
        )
    else:
        terminal.say("No batch is open.")
