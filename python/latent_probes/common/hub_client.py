"""What is read from the Hub: bounded, from the Hub itself, and without a token that others see.

``HF_ENDPOINT`` can be any server. What a visit reads is limited; outside of a visit, the Hub's
client is as usual.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

import httpx2
from huggingface_hub import constants
from huggingface_hub.utils import set_client_factory
from huggingface_hub.utils._http import default_client_factory

from latent_probes.common import connections, limits, terminal

WAIT = re.compile(r"\bt=\s*(\d{1,9})")


@dataclass
class Visit:
    """What requests of this thread may do: bytes of a response, and requests that are left.

    ``stays``: nothing is read from other hosts. A file may be, because its hash is checked.
    """

    stays: bool
    max_bytes: int
    n_requests: int


VISIT: ContextVar[Visit | None] = ContextVar("VISIT", default=None)


@contextmanager
def listing() -> Iterator[None]:
    """In the block, lists of the Hub are read. Raises ResponseLimitError or AddressError."""
    with visiting(Visit(True, limits.RESPONSE_BYTES, limits.LIST_PAGES)):
        yield


@contextmanager
def downloading(size: int) -> Iterator[None]:
    """In the block, a file of about ``size`` bytes is read from the Hub or where it refers to."""
    with visiting(Visit(False, size + limits.HUB_EXTRA_BYTES, limits.LIST_PAGES)):
        yield


@contextmanager
def visiting(visit: Visit) -> Iterator[None]:
    """In the block, requests are those of a visit."""
    connections.check_proxies()
    install()
    before = VISIT.set(visit)
    try:
        yield
    finally:
        VISIT.reset(before)


@cache
def install() -> None:
    """Let the Hub's library use this client."""
    set_client_factory(client)


def client() -> httpx2.Client:
    """The Hub's own client, which keeps to the current visit."""
    made = default_client_factory()

    def before(request: httpx2.Request) -> None:
        visit = VISIT.get()
        if visit is None:
            return
        request.headers.update(connections.HEADERS)
        visit.n_requests -= 1
        if visit.n_requests < 0:
            raise connections.ResponseLimitError("the list of files has too many pages")
        is_hub = origin(request.url) == origin(httpx2.URL(constants.ENDPOINT))
        has_token = "authorization" in request.headers
        if not is_hub and (visit.stays or has_token):
            raise connections.AddressError(
                f"the Hub refers to another host, {terminal.shortened(request.url.host)}, which "
                "is not read"
            )
        if has_token:
            connections.check_secrecy(made, request.url, "HF_ENDPOINT")

    def after(response: httpx2.Response) -> None:
        visit = VISIT.get()
        if visit is None:
            return
        # The library would wait for as long as it is asked to.
        asked = f"t={response.headers.get('retry-after')} {response.headers.get('ratelimit')}"
        seconds = max((int(digits) for digits in WAIT.findall(asked)), default=0)
        if response.status_code == 429 and seconds > limits.WAIT_SECONDS:
            raise connections.AddressError(f"the Hub asks to wait {seconds:,} seconds")
        connections.bound(response)
        if response.is_success:
            connections.set_max_bytes(response, visit.max_bytes)

    made.event_hooks["request"].append(before)
    made.event_hooks["response"].append(after)
    return made


def origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address."""
    return url.scheme, url.host, url.port
