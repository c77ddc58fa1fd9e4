"""Who answers requests. A provider is a batch service: it takes a file of requests, answers in
its own time, and hands out a file of results. See ``Provider`` for the methods it has.

A body is a file of JSON lines, one a request, whose ``custom_id`` names it. A file of results is
one of JSON lines, one a request, in any order:
``{"custom_id": …, "result": {"type": "succeeded", "message": {…}}}``, where another type than
``succeeded`` says why there is no message. Message and results are those of Anthropic's Messages
and Message Batches APIs, whoever answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from latent_probes.common.home import Home


class ProviderError(Exception):
    """The provider cannot go on; the message says why and what to do."""


class RefusedError(ProviderError):
    """A batch was clearly not taken: nothing of it will be answered or paid.

    ``can_wait``: the provider is only busy, and may take it later; ``wait_seconds`` says when,
    where it is known.
    """

    def __init__(self, message: str, *, can_wait: bool = False, wait_seconds: float | None = None):
        super().__init__(message)
        self.can_wait = can_wait
        self.wait_seconds = wait_seconds


class UnreachableError(ProviderError):
    """The provider could not be heard: what was asked of it may have happened or not."""


class EncodingError(ProviderError):
    """A request cannot be written as JSON; the message says why."""


@dataclass(frozen=True)
class Request:
    """One attempt at a request. ``custom_id`` is the request id and the attempt.

    ``thinking`` is how its model is told how much to think: by a ``budget`` of
    ``thinking_tokens``, ``adaptive``, or ``none``: not at all. ``schema`` is the JSON schema of
    the answer, for a model that can be held to one, else None.
    """

    custom_id: str
    stage: str
    model: str
    max_tokens: int
    thinking: str
    thinking_tokens: int
    schema: dict | None
    prompt: str


@dataclass(frozen=True)
class ListedBatch:
    """A batch as the provider lists it.

    ``created_at`` is its time in UTC, without a time zone. ``counts`` are its results by outcome
    once it has ended, where the provider tells.
    """

    provider_batch_id: str
    n_requests: int
    created_at: datetime
    has_ended: bool
    counts: dict[str, int] | None = None


class Provider(Protocol):
    """The border to whoever answers.

    A method that talks to a service raises UnreachableError if it cannot be heard, and
    ProviderError if it says no.
    """

    name: str
    # A batch holds at most as many requests, and about as many bytes.
    max_requests: int
    max_bytes: int
    poll_seconds: float
    # What is handed in costs nothing before it is downloaded.
    asks_when_collected: bool
    # A batch whose taking was not heard of is in the list within so many seconds, if it was taken.
    settle_seconds: float

    def serves(self, model: str) -> bool:
        """Whether the provider answers for ``model``."""

    def encode(self, request: Request) -> bytes:
        """The line of the body file that carries ``request``, without its line break.

        Raises EncodingError if it holds what JSON cannot.
        """

    def count(self, line: bytes) -> int:
        """Input tokens of an encoded request, which costs nothing to ask."""

    def submit(self, body: Path) -> str:
        """Hand in a body file, once; return the provider's batch id.

        Raises RefusedError if it was clearly not taken. Any other error leaves open whether it was.
        """

    def list(self) -> Iterator[ListedBatch]:
        """The batches that the provider knows, newest first."""

    def download(self, provider_batch_id: str, results: Path) -> None:
        """Write the results of an ended batch to ``results``, as they come."""

    def cancel(self, provider_batch_id: str) -> None:
        """Ask the provider to stop a batch; what was answered can still be downloaded."""

    def forget(self, provider_batch_id: str) -> None:
        """Let go of a batch whose results have landed; a service may keep it all the same."""


NAMES = ("anthropic-batches", "anthropic-messages", "lexical")


def create(name: str, home: Home) -> Provider:
    """The provider of that name, imported only when asked for.

    Raises ProviderError if there is none, or if it lacks a key.
    """
    if name == "anthropic-batches":
        from latent_probes.providers.anthropic_batches import AnthropicBatches

        return AnthropicBatches()
    if name == "anthropic-messages":
        from latent_probes import warehouse
        from latent_probes.providers.anthropic_messages import AnthropicMessages

        return AnthropicMessages(
            home.batches / name, warehouse.settings(home)["max_messages_in_flight"]
        )
    if name == "lexical":
        from latent_probes.providers.lexical import Lexical

        return Lexical(home.batches / name)
    raise ProviderError(f"no provider {name!r}; choose one of: {', '.join(NAMES)}")
