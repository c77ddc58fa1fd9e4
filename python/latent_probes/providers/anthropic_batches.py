"""Claude through the Message Batches API: half the price, within a day, usually within an hour.

The API has no idempotency keys and no labels, so a batch is sent without the SDK's retries; other
calls (lists, results) can be retried freely.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import anthropic
import httpx2

from latent_probes import landing
from latent_probes.common import connections, limits
from latent_probes.common.home import Home
from latent_probes.providers import (
    ListedBatch,
    ProviderError,
    RefusedError,
    ResultsGoneError,
    UnreachableError,
    anthropic_api,
)
from latent_probes.providers.anthropic_api import encode, serves

BATCHES = "/v1/messages/batches"
# It is shown in a command that the user can copy.
BATCH_ID = re.compile(r"\w[\w.:-]{0,255}", re.ASCII)
STATES = ("in_progress", "canceling", "ended")

# This status, like the fatal ones, means that the batch was not accepted.
BUSY_STATUS = 429
GONE_STATUS = 410
READ_SIZE = 1 << 20
LIST_SIZE = 100
# A small batch may have results that are longer than the average.
FEW_RESULTS = 16


def create(home: Home) -> AnthropicBatches:
    """Create the provider; it keeps no files of its own in ``home``."""
    return AnthropicBatches()


class HasEndedError(Exception):
    """A batch that cannot be canceled any more."""


class AnthropicBatches:
    """The Message Batches API."""

    name = "anthropic-batches"
    # The API accepts 100,000 requests and 256 MB; smaller batches limit the cost of a copy.
    max_requests = 10_000
    max_bytes = 64 << 20
    poll_seconds = 30.0
    recording_hash = None
    asks_when_collected = False
    settle_seconds = 120.0
    message_sql = landing.MESSAGES_API

    serves = staticmethod(serves)
    encode = staticmethod(encode)

    def __init__(self) -> None:
        self.client = anthropic_api.connect(max_retries=4)

    def count(self, line: bytes) -> int:
        """Input tokens, as counted by the API."""
        return anthropic_api.count(self.client, line)

    def submit(self, body: Path) -> str:
        """Send the file unchanged, once."""
        try:
            response = anthropic_api.post(
                self.client,
                BATCHES,
                request_body(body),
                headers={"Content-Length": str(length_of_request_body(body))},
            )
        except anthropic.APIStatusError as error:
            reason = anthropic_api.explained(error)
            is_busy = isinstance(reason, UnreachableError)
            if is_busy and error.status_code != BUSY_STATUS:
                raise reason from None
            raise RefusedError(
                str(reason),
                can_wait=is_busy,
                wait_seconds=anthropic_api.wait_seconds(error),
            ) from None
        except anthropic_api.FAILURES as error:
            reason = anthropic_api.explained(error)
            if anthropic_api.was_never_sent(error):
                raise RefusedError(
                    f"no connection was made: {reason}",
                    can_wait=isinstance(reason, UnreachableError),
                ) from None
            raise reason from None
        batch_id = anthropic_api.field(response, "id", str)
        if not BATCH_ID.fullmatch(batch_id):
            raise anthropic_api.strange("the response has no valid 'id'", response)
        return batch_id

    def list(self) -> Iterator[ListedBatch]:
        """All batches of the key's workspace, newest first."""
        query: dict[str, object] = {"limit": LIST_SIZE}
        for _ in range(limits.LIST_PAGES):
            response = self.get(BATCHES, query=query)
            # Anything else could pass for an empty list, meaning that nothing was accepted.
            page = anthropic_api.read_object(response)
            batches, has_more, last_id = page.get("data"), page.get("has_more"), page.get("last_id")
            if not isinstance(batches, list) or not isinstance(has_more, bool):
                raise anthropic_api.strange("the response is not a list of batches", response)
            for batch in batches:
                yield listed(batch, response)
            if not has_more:
                return
            if not isinstance(last_id, str) or last_id == query.get("after_id"):
                raise anthropic_api.strange("the response names no next page", response)
            query["after_id"] = last_id
        raise anthropic_api.strange(
            f"the list of batches has more than {limits.LIST_PAGES:,} pages", response
        )

    def download(self, provider_batch_id: str, results: Path) -> None:
        """Stream the results to the file."""
        address = f"{BATCHES}/{quote(provider_batch_id, safe='')}"
        response = self.get(address, gone=ResultsGoneError)
        batch = anthropic_api.read_object(response)
        ended = listed(batch, response)
        if ended.provider_batch_id != provider_batch_id:
            raise anthropic_api.strange("the response is another batch", response)
        if not ended.has_ended:
            raise UnreachableError(f"the response says that the batch is {ended.state}")
        if batch.get("archived_at") is not None:
            raise ResultsGoneError(
                f"archived at {connections.shown(str(batch['archived_at']))}, since the API keeps "
                "results for 29 days"
            )
        if batch.get("results_url") is None:
            raise anthropic_api.strange("the response says that the batch has no results", response)
        n_results = min(max(ended.n_requests, 0), self.max_requests) + FEW_RESULTS
        # Not from the address in the response, which can be of another host.
        response = self.get(f"{address}/results", stream=True, gone=ResultsGoneError)
        connections.set_max_bytes(response, limits.RESULT_BYTES * n_results)
        try:
            with closing(response), results.open("wb") as file:
                for chunk in response.iter_bytes(READ_SIZE):
                    file.write(chunk)
        except anthropic_api.FAILURES as error:
            raise anthropic_api.explained(error) from None

    def cancel(self, provider_batch_id: str) -> None:
        """Cancel the batch; one that has ended is unchanged."""
        address = f"{BATCHES}/{quote(provider_batch_id, safe='')}/cancel"
        with suppress(HasEndedError):
            response = anthropic_api.repeated(self.client, lambda: self.cancel_once(address))
            if anthropic_api.field(response, "id", str) != provider_batch_id:
                raise anthropic_api.strange("the response is not the canceled batch", response)

    def cancel_once(self, address: str) -> httpx2.Response:
        """Post to the address that cancels a batch. Raises HasEndedError if it has ended."""
        try:
            return anthropic_api.post(self.client, address, b"")
        except (anthropic.ConflictError, anthropic.BadRequestError) as error:
            raise HasEndedError from error

    def get(
        self,
        path: str,
        *,
        stream: bool = False,
        gone: type[ProviderError] = ProviderError,
        query: dict[str, object] | None = None,
    ) -> httpx2.Response:
        """Get a path, repeatedly if the API is busy or unreachable.

        Raises ``gone`` if the API says that it existed once.
        """

        def send() -> httpx2.Response:
            try:
                return anthropic_api.get(self.client, path, query or {}, stream=stream)
            except anthropic.APIStatusError as error:
                if error.status_code != GONE_STATUS:
                    raise
                raise gone(str(anthropic_api.explained(error))) from None

        return anthropic_api.repeated(self.client, send)

    def forget(self, provider_batch_id: str) -> None:
        """Nothing to do: the API keeps results for 29 days."""


def listed(batch: object, response: httpx2.Response) -> ListedBatch:
    """Convert a batch of the API. Raises StrangeResponseError if it is not one."""
    try:
        if not isinstance(batch, dict):
            raise TypeError
        batch_id, state = batch["id"], batch["processing_status"]
        counts = {name: int(n) for name, n in batch["request_counts"].items()}
        created_at = datetime.fromisoformat(batch["created_at"])
        if not BATCH_ID.fullmatch(batch_id) or not isinstance(state, str):
            raise TypeError
        return ListedBatch(
            provider_batch_id=batch_id,
            n_requests=sum(counts.values()),
            created_at=created_at.astimezone(UTC).replace(tzinfo=None),
            has_ended=state == "ended",
            counts={name: n for name, n in counts.items() if name != "processing"},
            state=connections.shown(state),
            is_strange=state not in STATES,
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise anthropic_api.strange("the response has a batch that is not one", response) from None


def request_body(body: Path) -> Iterator[bytes]:
    """The lines of a body file as one JSON object.

    JSON strings contain no raw line breaks, so each one separates two requests.
    """
    yield b'{"requests":['
    remaining = body.stat().st_size - 1
    with body.open("rb") as file:
        while remaining > 0:
            chunk = file.read(min(READ_SIZE, remaining))
            remaining -= len(chunk)
            yield chunk.replace(b"\n", b",")
    yield b"]}"


def length_of_request_body(body: Path) -> int:
    """Number of bytes that ``request_body`` yields."""
    return len(b'{"requests":[') + body.stat().st_size - 1 + len(b"]}")
