"""Providers answer requests. A provider is a batch service: it takes a file of requests, answers
them in its own time, and returns a file of results. See ``Provider`` for its methods.

A body is a file of JSON lines, one per request, identified by ``custom_id``. A file of results has
JSON lines too, one per request, in any order:
``{"custom_id": …, "result": {"type": "succeeded", "message": {…}}}``, where another type than
``succeeded`` says why there is no message. Message and results are those of Anthropic's Messages
and Message Batches APIs, whoever answers.
"""

from __future__ import annotations

import csv
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from latent_probes.common.home import Home


class ProviderError(Exception):
    """The provider cannot continue; the message gives the reason and the remedy."""


class RefusedError(ProviderError):
    """A batch was clearly not accepted: none of it will be answered or paid for.

    ``can_wait``: the provider is only busy and may accept it later; ``wait_seconds`` is the time
    to wait, if known.
    """

    def __init__(self, message: str, *, can_wait: bool = False, wait_seconds: float | None = None):
        super().__init__(message)
        self.can_wait = can_wait
        self.wait_seconds = wait_seconds


class UnreachableError(ProviderError):
    """The provider did not reply: the requested operation may or may not have happened."""


class StrangeResponseError(UnreachableError):
    """The provider replied with something that is not from its API, even if it says success.

    Repeating the request can be billed, so it is repeated only a few times.
    """


class ResultsGoneError(ProviderError):
    """The results of a batch no longer exist at the provider; the message gives the reason."""


class EncodingError(ProviderError):
    """A request cannot be written as JSON; the message gives the reason."""


@dataclass(frozen=True)
class Request:
    """One attempt at a request. ``custom_id`` is the request id and the attempt.

    ``thinking`` is how its model is told how much to think: by a ``budget`` of
    ``thinking_tokens``, ``adaptive``, or ``none``: not at all. ``schema`` is the JSON schema of
    the answer, for a model that can be held to one, else None. ``input_hash`` identifies the input,
    ``shown_hash`` all that the prompt shows, and ``prompt_hash`` its wording.
    """

    custom_id: str
    stage: str
    model: str
    input_hash: str
    shown_hash: str
    prompt_hash: str
    max_tokens: int
    thinking: str
    thinking_tokens: int
    schema: dict | None
    prompt: str


@dataclass(frozen=True)
class ListedBatch:
    """A batch in the provider's list.

    ``created_at`` is in UTC, without a time zone. ``counts`` are its results by outcome once it has
    ended, if the provider reports them. ``state`` is the provider's own word for its progress, and
    ``is_strange`` whether its API has no such word.
    """

    provider_batch_id: str
    n_requests: int
    created_at: datetime
    has_ended: bool
    counts: dict[str, int] | None = None
    state: str = "in progress"
    is_strange: bool = False


class Provider(Protocol):
    """Interface of a provider.

    A method that calls a service raises UnreachableError if there is no reply, StrangeResponseError
    if the reply is not from the service, and ProviderError if the service refuses.
    """

    name: str
    # Maximum requests, and approximate maximum bytes, of a batch.
    max_requests: int
    max_bytes: int
    poll_seconds: float
    # Hash of the recording that is replayed, if any: no model is tried first, and what it lacks is
    # asked only once.
    recording_hash: str | None
    # Whether a submitted batch costs nothing until its results are downloaded.
    asks_when_collected: bool
    # An accepted batch appears in the list within this many seconds.
    settle_seconds: float
    # SQL that reads the message in ``line``, a line of its results, as a struct with text,
    # stop_reason, model and usage; what the provider does not state is null.
    message_sql: str

    def serves(self, model: str) -> bool:
        """Whether the provider answers for ``model``."""

    def encode(self, request: Request) -> bytes:
        """The line of the body file for ``request``, without a line break.

        Raises EncodingError if it cannot be written as JSON.
        """

    def count(self, line: bytes) -> int:
        """Input tokens of an encoded request (free)."""

    def submit(self, body: Path) -> str:
        """Submit a body file, once; return the provider's batch id.

        Raises RefusedError if it was clearly not accepted; after any other error this is unknown.
        """

    def list(self) -> Iterator[ListedBatch]:
        """The provider's batches, newest first."""

    def download(self, provider_batch_id: str, results: Path) -> None:
        """Write the results of an ended batch to ``results``, unchanged.

        Raises ResultsGoneError if they no longer exist.
        """

    def cancel(self, provider_batch_id: str) -> None:
        """Ask the provider to cancel a batch; completed answers can still be downloaded."""

    def forget(self, provider_batch_id: str) -> None:
        """Delete a batch whose results have landed; a service may keep it anyway."""


@dataclass(frozen=True)
class Listed:
    """A line of seeds/providers.csv: a provider that can be used, and what it is."""

    name: str
    description: str


def listed(project: Path) -> list[Listed]:
    """The providers of the project, in the order of seeds/providers.csv: their only list.

    Raises ProviderError if that file is missing or lacks a column.
    """
    path = project / "seeds" / "providers.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [Listed(line["provider"], line["description"]) for line in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise ProviderError(
            f"{path} cannot be read ({error!r}): it needs the columns provider and description"
        ) from error


def known_to_serve(name: str) -> Callable[[str], bool] | None:
    """Which models a provider serves, if that is known before it is created, which may need a key.

    That is the function ``serves`` of its module.
    """
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    return getattr(module, "serves", None)


def create(name: str, home: Home) -> Provider:
    """Create a provider by its name in seeds/providers.csv.

    ``some-name`` is created by the function ``create`` of ``providers/some_name.py``, which is
    imported only now. Raises ProviderError if there is no such provider, or if it lacks a key.
    """
    names = [provider.name for provider in listed(home.project)]
    if name not in names:
        raise ProviderError(f"no provider {name!r}; choose one of: {', '.join(names)}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}").create(home)
