"""Claude through the Message Batches API: half the price, within a day, usually within an hour.

The API has no idempotency keys and no labels, so a batch is sent without the SDK's retries; other
calls (lists, results) can be retried freely.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import cast

import anthropic
import httpx2
from anthropic.types.messages import MessageBatch

from latent_probes import landing
from latent_probes.common.home import Home
from latent_probes.providers import ListedBatch, RefusedError, UnreachableError, anthropic_api
from latent_probes.providers.anthropic_api import encode, serves

# This status, like the fatal ones, means that the batch was not accepted.
BUSY_STATUS = 429
READ_SIZE = 1 << 20
LIST_SIZE = 100


def create(home: Home) -> AnthropicBatches:
    """Create the provider; it keeps no files of its own in ``home``."""
    return AnthropicBatches()


class AnthropicBatches:
    """The Message Batches API."""

    name = "anthropic-batches"
    # The API accepts 100,000 requests and 256 MB; smaller batches limit the cost of a copy.
    max_requests = 10_000
    max_bytes = 64 << 20
    poll_seconds = 30.0
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
                "/v1/messages/batches",
                request_body(body),
                max_retries=0,
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
        except (anthropic.AnthropicError, httpx2.HTTPError) as error:
            reason = anthropic_api.explained(error)
            if anthropic_api.was_never_connected(error):
                raise RefusedError(f"no connection was made: {reason}", can_wait=True) from None
            raise reason from None
        return anthropic_api.field(response, "id", str)

    def list(self) -> Iterator[ListedBatch]:
        """All batches of the key's workspace, newest first."""
        with errors_explained():
            for page in self.client.messages.batches.list(limit=LIST_SIZE).iter_pages():
                # Anything else could pass for an empty list, meaning that nothing was accepted.
                if not isinstance(page.data, list):
                    raise UnreachableError("the response is not a list of batches")
                yield from map(listed, page.data)

    def download(self, provider_batch_id: str, results: Path) -> None:
        """Stream the results to the file."""
        with (
            errors_explained(),
            self.client.messages.batches.with_streaming_response.results(
                provider_batch_id
            ) as response,
            results.open("wb") as file,
        ):
            for chunk in response.iter_bytes(READ_SIZE):
                file.write(chunk)

    def cancel(self, provider_batch_id: str) -> None:
        """Cancel the batch; one that has ended is unchanged."""
        with (
            errors_explained(),
            suppress(anthropic.ConflictError, anthropic.BadRequestError),
        ):
            if self.client.messages.batches.cancel(provider_batch_id).id != provider_batch_id:
                raise UnreachableError("the response is not the canceled batch")

    def forget(self, provider_batch_id: str) -> None:
        """Nothing to do: the API keeps results for 29 days."""


@contextmanager
def errors_explained() -> Iterator[None]:
    """Translate errors of the SDK to those of a provider."""
    try:
        yield
    except (anthropic.AnthropicError, httpx2.HTTPError) as error:
        raise anthropic_api.explained(error) from None
    except (AttributeError, TypeError, ValueError) as error:
        # Raised if a proxy returns status 200 with content that is not from the API.
        raise UnreachableError(f"the response cannot be read: {error}") from None


def listed(batch: MessageBatch) -> ListedBatch:
    """Convert a batch of the API."""
    counts = cast(dict[str, int], batch.request_counts.to_dict())
    return ListedBatch(
        provider_batch_id=batch.id,
        n_requests=sum(counts.values()),
        created_at=batch.created_at.astimezone(UTC).replace(tzinfo=None),
        has_ended=batch.processing_status == "ended",
        counts={name: n for name, n in counts.items() if name != "processing"},
    )


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
