"""Who answers requests. A provider is a batch service: it takes a file of requests, answers in
its own time, and hands out a file of results. See ``Provider`` for the methods it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class ProviderError(Exception):
    """The provider said no; the message says why and what to do."""


class RefusedError(ProviderError):
    """A batch was clearly not taken: nothing of it will be answered or paid."""


@dataclass(frozen=True)
class Request:
    """One attempt at a request. ``custom_id`` is the request id and the attempt."""

    custom_id: str
    stage: str
    model: str
    max_tokens: int
    thinking_tokens: int
    prompt: str


@dataclass(frozen=True)
class Batch:
    """A batch as the provider knows it. ``has_ended``: its results can be downloaded."""

    provider_batch_id: str
    n_requests: int
    has_ended: bool


@dataclass(frozen=True)
class Result:
    """What became of one attempt: succeeded, errored, expired or canceled; ``body`` is raw JSON."""

    custom_id: str
    outcome: str
    body: str


class Provider(Protocol):
    """The border to whoever answers. Bodies and results are files of JSON lines."""

    name: str
    max_requests: int
    max_bytes: int
    poll_seconds: float

    def serves(self, model: str) -> bool:
        """Whether the provider answers for ``model``."""

    def encode(self, request: Request) -> str:
        """The line of the body file that carries ``request``, without its line break."""

    def submit(self, body: Path) -> str:
        """Hand in a body file; return the provider's batch id.

        Raises RefusedError if it was clearly not taken. Any other error leaves open whether it was.
        """

    def find(self, body_hash: str, n_requests: int) -> str | None:
        """The id of a batch that was handed in without our hearing of it; None if there is none."""

    def list(self) -> Iterator[Batch]:
        """The batches that the provider knows, newest first."""

    def download(self, provider_batch_id: str, results: Path) -> None:
        """Write the results of an ended batch to ``results``, whole or not at all."""

    def parse(self, results: Path) -> Iterator[Result]:
        """The results in a downloaded file."""

    def cancel(self, provider_batch_id: str) -> None:
        """Ask the provider to stop a batch; what was answered can still be downloaded."""


NAMES = ("lexical",)


def create(name: str, home: Path) -> Provider:
    """The provider of that name, imported only when asked for."""
    if name == "lexical":
        from latent_probes.providers.lexical import Lexical

        return Lexical(home / "batches" / "lexical")
    raise ProviderError(f"no provider {name!r}; choose one of: {', '.join(NAMES)}")
