"""How this program connects to servers: to which addresses, through which proxies, for how much.

Keys and passwords are sent only encrypted or to this machine, redirects are not followed, and no
response can be endless: see ``limits``.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
import ipaddress
import os
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from urllib.request import getproxies

import httpx2

from latent_probes.common import limits, terminal

# Compressed responses would have no known size: a few bytes can decode to gigabytes.
HEADERS = {"accept-encoding": "identity"}
KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "HF_TOKEN")
ADDRESSES = ("ANTHROPIC_BASE_URL", "HF_ENDPOINT")
# Often left behind by an environment that was removed. The first that is set counts.
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# A shorter one is no secret: a server of one's own takes any text as its key.
SHORTEST_SECRET = 8


class AddressError(Exception):
    """An address or a proxy that cannot be used; the message gives the reason and the remedy."""


class ResponseLimitError(Exception):
    """A response that exceeds a limit; the message names the limit."""


# Addresses ------------------------------------------------------------------------------------


@functools.cache
def certificates() -> ssl.SSLContext:
    """The certificates of this machine, read once. Raises AddressError if there are none."""
    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        name = next(filter(os.environ.get, CERTIFICATES), "this machine")
        raise AddressError(
            f"the certificates in {name} cannot be used ({error.strerror or error}): "
            f"{' and '.join(CERTIFICATES)} must be certificates in PEM, or unset"
        ) from None


def parsed(address: str) -> httpx2.URL | None:
    """Parse an http or https address with a host; None if it is not one."""
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL:
        return None
    return url if url.scheme in ("http", "https") and url.host else None


def split(url: httpx2.URL) -> tuple[httpx2.URL, tuple[str, str] | None]:
    """An address without its user and password, and both, which no log or error then shows."""
    if not url.userinfo:
        return url, None
    return url.copy_with(username=None, password=None), (url.username, url.password)


def check_path(url: httpx2.URL, name: str) -> None:
    """Raise AddressError if an address has more than a path, behind which ours would be lost.

    ``name`` is the setting that holds the address.
    """
    if url.query or url.fragment:
        # It can be a key, so it is not shown.
        raise AddressError(f"{name} must end in a host or a path: remove what follows ? or #")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def check_proxies() -> None:
    """Raise AddressError if the environment names a proxy that cannot be used."""
    proxies = getproxies()
    if "*" in proxies.get("no", "").replace(" ", "").split(","):
        return
    for kind, address in proxies.items():
        if kind not in ("http", "https", "all"):
            continue
        name = f"{kind.upper()}_PROXY"
        try:
            proxy = httpx2.Proxy(address if "://" in address else f"http://{address}")
            if not proxy.url.host:
                raise ValueError("no host")
        except (httpx2.InvalidURL, ValueError):
            # The error would repeat the address, which can contain a password.
            raise AddressError(
                f"{name} is not a proxy that can be used: it must be http://…, https://… or "
                "socks5://…; correct or unset it"
            ) from None
        if proxy.url.scheme.startswith("socks") and not importlib.util.find_spec("socksio"):
            raise AddressError(
                f"{name} is a SOCKS proxy, which needs the package socksio: install it, or unset "
                f"{name}"
            )


def check_secrecy(client: httpx2.Client | httpx2.AsyncClient, url: httpx2.URL, name: str) -> None:
    """Raise AddressError if what a client sends to ``url`` could be read on the way.

    ``name`` is the setting that holds the address.
    """
    if url.scheme != "http":
        return
    if not is_loopback(url.host):
        raise AddressError(
            f"{name} must be https://…: over http:// to {terminal.shortened(url.host)} the key "
            "would be sent unencrypted. For a server in your network, use an SSH tunnel to "
            "127.0.0.1"
        )
    # Which transport the client itself will use, with all rules of NO_PROXY.
    if client._transport_for_url(url) is not client._transport:
        raise AddressError(
            f"the proxy in HTTP_PROXY or ALL_PROXY would get the key for {name} unencrypted: add "
            f"{url.host} to NO_PROXY"
        )


# Responses ------------------------------------------------------------------------------------


class BoundedStream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The body of a response, of at most ``max_bytes``, that does not take too long."""

    def __init__(self, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream):
        self.stream = stream
        self.started_at = time.monotonic()
        self.max_bytes = limits.RESPONSE_BYTES
        self.n_bytes = 0

    def counted(self, chunk: bytes) -> bytes:
        """The chunk. Raises ResponseLimitError if it exceeds a limit."""
        self.n_bytes += len(chunk)
        if self.n_bytes > self.max_bytes:
            raise ResponseLimitError(f"the response is longer than {self.max_bytes:,} bytes")
        seconds = limits.RESPONSE_SECONDS + self.max_bytes / limits.BYTES_PER_SECOND
        if time.monotonic() - self.started_at > seconds:
            raise ResponseLimitError(f"the response did not end in {seconds:,.0f} seconds")
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        assert isinstance(self.stream, httpx2.SyncByteStream)
        for chunk in self.stream:
            yield self.counted(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self.stream, httpx2.AsyncByteStream)
        async for chunk in self.stream:
            yield self.counted(chunk)

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        if isinstance(self.stream, httpx2.SyncByteStream):
            self.stream.close()

    async def aclose(self) -> None:
        """Close the connection, unless the body was read to its end."""
        if isinstance(self.stream, httpx2.AsyncByteStream):
            await self.stream.aclose()


def bound(response: httpx2.Response) -> None:
    """Bound the body of a response: an event hook of a client with ``HEADERS``."""
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise ResponseLimitError(
            f"the response is compressed ({terminal.shortened(encoding)}), which was not asked for"
        )
    response.stream = BoundedStream(response.stream)


async def bound_async(response: httpx2.Response) -> None:
    """The same for an asynchronous client."""
    bound(response)


def set_max_bytes(response: httpx2.Response, max_bytes: int) -> None:
    """Set another limit for a response whose body is not read yet."""
    assert isinstance(response.stream, BoundedStream)
    response.stream.max_bytes = max_bytes


def shown(content: bytes | str) -> str:
    """A response for an error: one short line without keys, passwords or control characters."""
    # Secrets are removed before anything is cut, so that no part of one is left.
    most = 100 * limits.SHOWN_CHARACTERS
    text = content[:most].decode(errors="replace") if isinstance(content, bytes) else content[:most]
    return terminal.shortened(without_secrets(text))


def without_secrets(text: str) -> str:
    """Text from a server, which can repeat what it was sent, without the secrets in it."""
    for secret in secrets():
        text = text.replace(secret, "…")
    return text


def secrets() -> list[str]:
    """Keys and passwords of the environment, longest first."""
    found = {os.environ.get(name, "").strip() for name in KEYS}
    for line in os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines():
        found.add(line.partition(":")[2].strip())
    for name in ADDRESSES:
        url = parsed(os.environ.get(name, ""))
        if url is not None and url.userinfo:
            pair = f"{url.username}:{url.password}".encode()
            found |= {url.password, base64.b64encode(pair).decode()}
    return sorted((one for one in found if len(one) >= SHORTEST_SECRET), key=len, reverse=True)
