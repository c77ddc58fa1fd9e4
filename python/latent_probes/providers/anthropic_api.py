"""Shared by both Anthropic providers: the client, the format of a request, the meaning of errors.

Key and address come from the environment: ANTHROPIC_API_KEY, and ANTHROPIC_BASE_URL for your own
``/v1/messages`` server (vLLM, llama.cpp, Ollama). Neither is ever stored.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from typing import TypeVar, Unpack

import anthropic
import httpx2
import orjson

from latent_probes.common import connections, strict_json
from latent_probes.providers import (
    EncodingError,
    ProviderError,
    Request,
    StrangeResponseError,
    UnreachableError,
)
from latent_probes.providers.lexical import MODEL as LEXICAL
from latent_probes.providers.recorded import BUNDLED_MODEL

# A model can think and write for minutes before the first byte of its answer.
TIMEOUT = httpx2.Timeout(600.0, connect=30.0)
# Errors with status 4xx that pass; all others are of a request, a key or an account.
PASSING_STATUS = {408, 409, 425, 429}
SPEND_LIMITS = {
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "linked_organization_spend_limit_reached",
}
# Between repetitions of a request that can be repeated; doubled each time.
FIRST_WAIT_SECONDS = 0.5
# A server that asks for a longer wait counts as unreachable.
LONGEST_WAIT_SECONDS = 60.0
CHECK_ADDRESS = "check ANTHROPIC_BASE_URL, and any proxy or gateway on the way"
# What a request can raise: errors of the SDK, of its connection, and of our limits.
FAILURES = (anthropic.AnthropicError, httpx2.HTTPError, connections.ResponseLimitError)
# Errors of a request that no connection could send.
NEVER_SENDABLE = httpx2.LocalProtocolError | httpx2.UnsupportedProtocol

Kind = TypeVar("Kind")


def connect(max_retries: int) -> anthropic.Anthropic:
    """A client with key and address from the environment.

    ``max_retries`` is how often ``repeated`` repeats a request. Raises ProviderError if the key is
    missing or either is invalid. The message repeats neither, because an address can contain a
    password.
    """
    try:
        connections.check_proxies()
        http = anthropic.DefaultHttpxClient(
            verify=connections.certificates(),
            follow_redirects=False,
            headers=connections.HEADERS,
            event_hooks={"response": [connections.bound]},
        )
        client = anthropic.Anthropic(max_retries=max_retries, timeout=TIMEOUT, http_client=http)
    except connections.AddressError as error:
        raise ProviderError(str(error)) from None
    except httpx2.InvalidURL:
        raise ProviderError("ANTHROPIC_BASE_URL is not a valid address") from None
    except anthropic.AnthropicError as error:
        raise ProviderError(f"cannot create the client: {error}") from None
    if client.base_url.scheme not in ("http", "https") or not client.base_url.host:
        raise ProviderError("ANTHROPIC_BASE_URL must be http://… or https://…")
    # In the address, the SDK would log them.
    client.base_url, auth = connections.split(client.base_url)
    if auth:
        http.auth = auth
    try:
        connections.check_path(client.base_url, "ANTHROPIC_BASE_URL")
        connections.check_secrecy(http, client.base_url, "ANTHROPIC_BASE_URL")
    except connections.AddressError as error:
        raise ProviderError(str(error)) from None
    key = client.api_key or client.auth_token
    if not (key or client.credentials):
        raise ProviderError(
            "no key: set ANTHROPIC_API_KEY (to any text, for your own server that needs none)"
        )
    if key and not (key.isascii() and key.isprintable() and key == key.strip()):
        raise ProviderError(
            "ANTHROPIC_API_KEY contains a line break, a space at an end, or a character that is "
            "not allowed in a key"
        )
    return client


def serves(model: str) -> bool:
    """Any model but the baseline and the bundled recording's; the API refuses unknown models."""
    return model not in (LEXICAL, BUNDLED_MODEL)


def encode(request: Request) -> bytes:
    """The request as a line of JSON: its custom_id, and the parameters of a message.

    Sampling parameters are omitted: models refuse them, and the default temperature is 1.0.
    """
    parameters: dict = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": [{"role": "user", "content": request.prompt}],
    }
    if request.thinking == "budget" and request.thinking_tokens:
        parameters["thinking"] = {"type": "enabled", "budget_tokens": request.thinking_tokens}
    elif request.thinking == "adaptive":
        # By default it would be on, and a judge with 16 tokens would think without answering.
        parameters["thinking"] = {"type": "adaptive" if request.thinking_tokens else "disabled"}
    if request.schema is not None:
        parameters["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
    try:
        return orjson.dumps({"custom_id": request.custom_id, "params": parameters})
    except orjson.JSONEncodeError as error:
        raise EncodingError(str(error)) from error


def count(client: anthropic.Anthropic, line: bytes) -> int:
    """Input tokens of an encoded request, as the API counts them."""
    parameters = orjson.loads(line)["params"]
    # Only the input is counted.
    del parameters["max_tokens"]
    body = orjson.dumps(parameters)
    response = repeated(client, lambda: post(client, "/v1/messages/count_tokens", body))
    return field(response, "input_tokens", int)


def post(
    client: anthropic.Anthropic,
    path: str,
    content: bytes | Iterator[bytes],
    **options: Unpack[anthropic.RequestOptions],
) -> httpx2.Response:
    """Send JSON unchanged, once; return the raw response."""
    headers = {"Content-Type": "application/json", **options.get("headers", {})}
    options = {**options, "max_retries": 0, "headers": headers}
    return client.post(
        path,
        cast_to=httpx2.Response,
        content=content,
        options=options,
    )


def get(
    client: anthropic.Anthropic, path: str, query: dict[str, object], *, stream: bool = False
) -> httpx2.Response:
    """Get a path, once; return the raw response. With ``stream``, its body is not read yet."""
    return client.get(
        path,
        cast_to=httpx2.Response,
        options={"max_retries": 0, "params": query},
        stream=stream,
    )


def repeated(client: anthropic.Anthropic, send: Callable[[], httpx2.Response]) -> httpx2.Response:
    """The response to a request that is free, repeated while the API is busy or unreachable.

    The SDK would wait for as long as the server asks, up to 49 days.
    """
    for n_retries in range(client.max_retries + 1):
        try:
            return send()
        except FAILURES as error:
            reason = explained(error)
            seconds = wait_seconds(error) or FIRST_WAIT_SECONDS * 2**n_retries
            if type(reason) is not UnreachableError:
                raise reason from None
            if seconds > LONGEST_WAIT_SECONDS:
                raise UnreachableError(
                    f"{reason} (it asks to wait {seconds:,.0f} seconds)"
                ) from None
            if n_retries == client.max_retries:
                raise reason from None
        time.sleep(seconds)
    raise AssertionError("not reached")


def read_object(response: httpx2.Response) -> dict:
    """The JSON object in a response. Raises StrangeResponseError if it is not one.

    That response is not from the API, despite its status.
    """
    try:
        answer = strict_json.read(strict_json.text_of(response.content))
    except ValueError as error:
        raise strange(f"the response is not JSON ({error})", response) from None
    if not isinstance(answer, dict):
        raise strange("the response is not a JSON object", response)
    return answer


def field(response: httpx2.Response, name: str, kind: type[Kind]) -> Kind:
    """A field of the object in a response. Raises StrangeResponseError if it is missing."""
    value = read_object(response).get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise strange(f"the response has no valid {name!r}", response)
    return value


def message_text(response: httpx2.Response) -> str:
    """The text of the response to a message, which ``strict_json.read`` accepts.

    Raises StrangeResponseError unless its content is a list of blocks.
    """
    content = field(response, "content", list)
    for block in content:
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise strange("the response has content that is not a list of blocks", response)
        if block["type"] == "text" and not isinstance(block.get("text"), str):
            raise strange("the response has a block of text without text", response)
    return strict_json.text_of(response.content)


def strange(reason: str, response: httpx2.Response) -> StrangeResponseError:
    """The error for a response that is not from the API; it shows the response."""
    content = connections.shown(response.content)
    return StrangeResponseError(
        f"{reason}: status {response.status_code}, {content or 'empty'} ({CHECK_ADDRESS})"
    )


def explained(error: Exception) -> ProviderError:
    """Translate an error of the SDK to one of ours, without headers or keys.

    UnreachableError if it can pass, StrangeResponseError for a response that exceeds a limit.
    """
    if isinstance(error, anthropic.APIStatusError):
        kind = f" {error.type}" if error.type else ""
        body = error.api_message or error.response.content.decode(errors="replace") or "no message"
        said = connections.shown(f"{error.status_code}{kind}: {body}")
        is_permanent = error.status_code < 500 and error.status_code not in PASSING_STATUS
        if is_permanent or error.error_code in SPEND_LIMITS:
            return ProviderError(f"{said}{remedy(error)}")
        return UnreachableError(said)
    cause = error if isinstance(error, httpx2.HTTPError) else error.__cause__
    if isinstance(error, connections.ResponseLimitError):
        cause = error
    if isinstance(cause, connections.ResponseLimitError):
        return StrangeResponseError(f"{cause} ({CHECK_ADDRESS})")
    said = f"{type(error).__name__}: {connections.shown(str(error))}"
    if isinstance(cause, httpx2.ConnectError):
        said += f" ({type(cause).__name__}: {connections.shown(str(cause))})"
    elif cause:
        # The text of other causes can contain a header.
        said += f" ({type(cause).__name__})"
    can_pass = (
        isinstance(cause, httpx2.TransportError)
        and not isinstance(cause, NEVER_SENDABLE)
        and "CERTIFICATE_VERIFY_FAILED" not in str(cause)
    )
    return UnreachableError(said) if can_pass else ProviderError(said)


def remedy(error: anthropic.APIStatusError) -> str:
    """The remedy for a permanent error."""
    if error.status_code < 400:
        return " (a redirect, which is not followed: check ANTHROPIC_BASE_URL)"
    if error.status_code == 401:
        return " (check ANTHROPIC_API_KEY)"
    if error.status_code == 403:
        return " (check ANTHROPIC_API_KEY and what it permits)"
    if error.status_code == 404:
        return " (check the model of the round, ANTHROPIC_BASE_URL, and the key's workspace)"
    if error.error_code in SPEND_LIMITS or error.status_code == 402:
        return " (credit or limits are set in the provider's console; then run again)"
    return "" if error.status_code in (400, 413, 422) else f" ({CHECK_ADDRESS})"


def was_never_sent(error: Exception) -> bool:
    """Whether a request certainly never reached the server."""
    return isinstance(
        error.__cause__,
        httpx2.ConnectError
        | httpx2.ConnectTimeout
        | httpx2.PoolTimeout
        | httpx2.ProxyError
        | NEVER_SENDABLE,
    )


def wait_seconds(error: Exception) -> float | None:
    """Seconds that the server asks to wait; None if not given."""
    if not isinstance(error, anthropic.APIStatusError):
        return None
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) * unit)
        except ValueError:
            pass
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    try:
        return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
    except (OverflowError, ValueError):
        return None
