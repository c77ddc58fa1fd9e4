"""`latent-probes` for tests: polls a batch service often and gives up early."""

import httpx2

from latent_probes import cli
from latent_probes.providers import anthropic_api
from latent_probes.providers.anthropic_batches import AnthropicBatches


def main() -> None:
    """Be the command."""
    AnthropicBatches.poll_seconds = 0.05
    AnthropicBatches.settle_seconds = 1.0
    anthropic_api.TIMEOUT = httpx2.Timeout(2.0)
    cli.main()


if __name__ == "__main__":
    main()
