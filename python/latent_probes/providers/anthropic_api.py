"""Shared by both Anthropic providers: the client, the format of a request, the meaning of errors.

Key and address come from the environment: ANTHROPIC_API_KEY, and ANTHROPIC_BASE_URL for your own
``/v1/messages`` server (vLLM, llama.cpp, Ollama). Neither is ever stored.
"""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Iterator
from typing import TypeVar, Unpack

import anthropic
import httpx2
import orjson

from latent_probes.providers import EncodingError, ProviderError, Request, UnreachableError
from latent_probes.providers.lexical import MODEL as LEXICAL

# A model can think and write for minutes before the first byte of its answer.
TIMEOUT = httpx2.Timeout(600.0, connect=30.0)
# Errors of a request, a key or an account, which retries cannot fix.
FATAL_STATUS = {400, 401, 402, 403, 404, 405, 413, 422}
SPEND_LIMITS = {
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "linked_organization_spend_limit_reached",
}
# A proxy can answer with a full web page.
LONGEST_MESSAGE = 500

Kind = TypeVar("Kind")


def connect(max_retries: int) -> anthropic.Anthropic:
    """A client with key and address from the environment.

    Raises ProviderError if the key is missing or either is invalid. The message repeats neither,
    because an address can contain a password.
    """
    try:
        client = anthropic.Anthropic(max_retries=max_retries, timeout=TIMEOUT)
    except httpx2.InvalidURL:
        raise ProviderError("ANTHROPIC_BASE_URL is not a valid address") from None
    except anthropic.AnthropicError as error:
        raise ProviderError(f"cannot create the client: {error}") from None
    if client.base_url.scheme not in ("http", "https") or not client.base_url.host:
        raise ProviderError("ANTHROPIC_BASE_URL must be http://… or https://…")
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
    """Any model except the offline baseline; the API itself refuses unknown models."""
    return model != LEXICAL


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
    try:
        response = post(client, "/v1/messages/count_tokens", orjson.dumps(parameters))
    except (anthropic.AnthropicError, httpx2.HTTPError) as error:
        raise explained(error) from None
    return field(response, "input_tokens", int)


def post(
    client: anthropic.Anthropic,
    path: str,
    content: bytes | Iterator[bytes],
    **options: Unpack[anthropic.RequestOptions],
) -> httpx2.Response:
    """Send JSON unchanged; return the raw response.

    Redirects are not followed: most turn a POST into a GET, which would succeed without sending.
    """
    headers = {"Content-Type": "application/json", **options.get("headers", {})}
    options = {**options, "follow_redirects": False, "headers": headers}
    return client.post(
        path,
        cast_to=httpx2.Response,
        content=content,
        options=options,
    )


def field(response: httpx2.Response, name: str, kind: type[Kind]) -> Kind:
    """A field of a response.

    Raises UnreachableError if it is missing: the response is not from the API, despite status 200.
    """
    try:
        # orjson would refuse a lone surrogate, which is no reason to pay for another answer.
        answer = json.loads(response.content)
    except ValueError as error:
        raise UnreachableError(f"the response is not JSON: {error}") from None
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kind):
        raise UnreachableError(f"the response has no {name!r}")
    return value


def explained(error: Exception) -> ProviderError:
    """Translate an error of the SDK to one of ours, without headers or keys."""
    if isinstance(error, anthropic.APIStatusError):
        said = str(error.api_message or error.message)
        if len(said) > LONGEST_MESSAGE:
            said = f"{said[:LONGEST_MESSAGE]}…"
        message = f"{error.status_code}{f' {error.type}' if error.type else ''}: {said}"
        is_redirect = error.status_code < 400
        if is_redirect or error.status_code in FATAL_STATUS or error.error_code in SPEND_LIMITS:
            return ProviderError(f"{message}{remedy(error)}")
        return UnreachableError(message)
    # The text of a cause can contain a header.
    cause = f" ({type(error.__cause__).__name__})" if error.__cause__ else ""
    return UnreachableError(f"{type(error).__name__}: {error}{cause}")


def remedy(error: anthropic.APIStatusError) -> str:
    """The remedy for a permanent error."""
    if error.status_code < 400:
        return " (a redirect: check ANTHROPIC_BASE_URL)"
    if error.status_code == 401:
        return " (check ANTHROPIC_API_KEY)"
    if error.status_code == 404:
        return " (check the model in seeds/rounds.csv, ANTHROPIC_BASE_URL, and the key's workspace)"
    if error.error_code in SPEND_LIMITS or error.status_code == 402:
        return " (credit or limits are set in the provider's console; then run again)"
    return ""


def was_never_connected(error: Exception) -> bool:
    """Whether a request certainly never reached the server."""
    return isinstance(
        error.__cause__,
        httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError,
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
