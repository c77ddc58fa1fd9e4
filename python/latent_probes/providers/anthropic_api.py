"""What both Anthropic providers share: the client, the form of a request, what an error means.

Key and address come from the environment: ANTHROPIC_API_KEY, and ANTHROPIC_BASE_URL for a server
of one's own that serves ``/v1/messages`` (vLLM, llama.cpp, Ollama). Neither is ever written down.
"""

from __future__ import annotations

import email.utils
import time

import anthropic
import httpx2
import orjson

from latent_probes.providers import EncodingError, ProviderError, Request, UnreachableError
from latent_probes.providers.lexical import MODEL as LEXICAL

# A model may think and write for minutes before the first byte of its answer.
TIMEOUT = httpx2.Timeout(600.0, connect=30.0)
# What is wrong with a request, a key or an account stays wrong.
FATAL_STATUS = {400, 401, 402, 403, 404, 405, 413, 422}
SPEND_LIMITS = {
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "linked_organization_spend_limit_reached",
}


def connect(max_retries: int) -> anthropic.Anthropic:
    """A client with key and address from the environment.

    Raises ProviderError if there is no key.
    """
    try:
        client = anthropic.Anthropic(max_retries=max_retries, timeout=TIMEOUT)
    except anthropic.AnthropicError as error:
        raise ProviderError(f"the client cannot be made: {error}") from None
    if not (client.api_key or client.auth_token or client.credentials):
        raise ProviderError(
            "no key: set ANTHROPIC_API_KEY (any text, for a server of your own that asks for none)"
        )
    return client


def serves(model: str) -> bool:
    """Any model but the offline baseline; a model that does not exist is the API's to refuse."""
    return model != LEXICAL


def encode(request: Request) -> bytes:
    """The request as a line of JSON: its custom_id, and the parameters of a message.

    Sampling parameters are left out: models refuse them, and 1.0 is the default temperature.
    """
    parameters: dict = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": [{"role": "user", "content": request.prompt}],
    }
    if request.thinking == "budget" and request.thinking_tokens:
        parameters["thinking"] = {"type": "enabled", "budget_tokens": request.thinking_tokens}
    elif request.thinking == "adaptive":
        # Left out it would be on, and a judge with 16 tokens would think and say nothing.
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
    # Counting looks at the input alone.
    del parameters["max_tokens"]
    try:
        return client.messages.count_tokens(**parameters).input_tokens
    except (anthropic.AnthropicError, httpx2.HTTPError) as error:
        raise explained(error) from None


def explained(error: Exception) -> ProviderError:
    """What an error of the SDK means to a run; it names no header and no key."""
    if isinstance(error, anthropic.APIStatusError):
        message = f"{error.status_code} {error.type or ''}: {error.api_message or error.message}"
        if error.status_code in FATAL_STATUS or error.error_code in SPEND_LIMITS:
            return ProviderError(f"{message}{remedy(error)}")
        return UnreachableError(message)
    return UnreachableError(f"{type(error).__name__}: {error}")


def remedy(error: anthropic.APIStatusError) -> str:
    """What to do about an error that stays."""
    if error.status_code == 401:
        return " (check ANTHROPIC_API_KEY)"
    if error.status_code == 404:
        return " (check ANTHROPIC_BASE_URL, and that the key is of the same workspace)"
    if error.error_code in SPEND_LIMITS or error.status_code == 402:
        return " (credit or limits are set in the provider's console; then run again)"
    return ""


def was_never_connected(error: Exception) -> bool:
    """Whether a request certainly never reached the server."""
    return isinstance(
        error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout
    )


def wait_seconds(error: Exception) -> float | None:
    """How long the server asks us to wait; None if it does not say."""
    if not isinstance(error, anthropic.APIStatusError):
        return None
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) * unit)
        except ValueError:
            pass
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
