"""The format of a request, and the meaning of the API's errors."""

import time
import traceback
from email.utils import formatdate

import anthropic
import httpx2
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import Answer, ScriptedServer
from stand_in import StandIn
from test_lexical import PROMPTS

from latent_probes.common import limits
from latent_probes.providers import (
    EncodingError,
    ProviderError,
    Request,
    UnreachableError,
    anthropic_api,
)
from latent_probes.providers.anthropic_batches import AnthropicBatches
from latent_probes.providers.anthropic_messages import AnthropicMessages
from latent_probes.queue import rendering

BUDGETED = "claude-haiku-4-5-20251001"
ADAPTIVE = "claude-haiku-5-5"
# The stand-in knows it; nobody has described it to us.
UNDESCRIBED = "claude-sonnet-5"
FEATURES = {BUDGETED: ("budget", True), ADAPTIVE: ("adaptive", True), UNDESCRIBED: ("none", False)}
STAGES = {"generator": (28_000, 8000), "answerer": (800, 0), "judge": (16, 0)}
FORMAT = {"format": {"type": "json_schema", "schema": rendering.schema("generator")}}
BUDGET = {"type": "enabled", "budget_tokens": 8000}
EXTRAS = {
    (BUDGETED, "generator"): {"thinking": BUDGET, "output_config": FORMAT},
    (BUDGETED, "answerer"): {},
    (BUDGETED, "judge"): {},
    (ADAPTIVE, "generator"): {"thinking": {"type": "adaptive"}, "output_config": FORMAT},
    (ADAPTIVE, "answerer"): {"thinking": {"type": "disabled"}},
    (ADAPTIVE, "judge"): {"thinking": {"type": "disabled"}},
    (UNDESCRIBED, "generator"): {},
    (UNDESCRIBED, "answerer"): {},
    (UNDESCRIBED, "judge"): {},
}
KEY = "a-key-that-nobody-may-see"
PASSWORD = "a-password-that-nobody-may-see"
# One pool for all clients, as making one reads all certificates.
HTTP = anthropic.DefaultHttpxClient()


@pytest.fixture(autouse=True)
def key(environment):
    """A key that is told from all other text."""
    environment.setenv("ANTHROPIC_API_KEY", KEY)


def request_of(model, stage, **changes):
    thinking, is_structured = FEATURES[model]
    max_tokens, thinking_tokens = STAGES[stage]
    usual = {
        "custom_id": f"{stage}-{model}-1",
        "stage": stage,
        "model": model,
        "input_hash": "input",
        "shown_hash": "shown",
        "prompt_hash": "wording",
        "max_tokens": max_tokens,
        "thinking": thinking,
        "thinking_tokens": thinking_tokens,
        "schema": rendering.schema(stage) if is_structured else None,
        "prompt": PROMPTS[stage],
    }
    return Request(**(usual | changes))


def status_error(status, body=None, **headers):
    """The error that the SDK makes of an answer."""
    response = httpx2.Response(
        status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        json=body,
        request=httpx2.Request("POST", "http://127.0.0.1/v1/messages"),
    )
    client = anthropic.Anthropic(api_key=KEY, http_client=HTTP)
    return client._make_status_error_from_response(response)


def api_error(message="So it is.", kind="some_error", code=None):
    details = {"details": {"error_code": code}} if code else {}
    return {"type": "error", "error": {"type": kind, "message": message, **details}}


# The form of a request -------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "stage"), EXTRAS)
def test_a_request_holds_what_its_model_is_told_and_nothing_else(model, stage):
    encoded = orjson.loads(anthropic_api.encode(request_of(model, stage)))
    assert encoded == {
        "custom_id": f"{stage}-{model}-1",
        "params": {
            "model": model,
            "max_tokens": STAGES[stage][0],
            "messages": [{"role": "user", "content": PROMPTS[stage]}],
            **EXTRAS[model, stage],
        },
    }


def test_every_form_is_accepted_in_a_batch_and_as_a_message():
    lines = [anthropic_api.encode(request_of(model, stage)) for model, stage in EXTRAS]
    requests = [orjson.loads(line) for line in lines]
    with StandIn() as server:
        client = anthropic.Anthropic(
            api_key=server.key, base_url=server.address, http_client=HTTP, max_retries=0
        )
        batch = client.messages.batches.create(requests=requests)
        results = list(client.messages.batches.results(batch.id))
        assert {line.custom_id for line in results} == {line["custom_id"] for line in requests}
        assert {line.result.type for line in results} == {"succeeded"}
        for request in requests:
            answer = anthropic_api.post(client, "/v1/messages", orjson.dumps(request["params"]))
            content = anthropic_api.field(answer, "content", list)
            thinks = request["params"].get("thinking", {}).get("type") in ("enabled", "adaptive")
            assert [block["type"] for block in content] == ["thinking"] * thinks + ["text"]


@settings(max_examples=100)
@given(st.text())
def test_a_prompt_of_any_text_stays_one_line_and_comes_back(prompt):
    line = anthropic_api.encode(request_of(ADAPTIVE, "judge", prompt=prompt))
    assert b"\n" not in line and b"\r" not in line
    assert orjson.loads(line)["params"]["messages"][0]["content"] == prompt


@pytest.mark.parametrize("prompt", ["\ud800", "fine until \udfff here"])
def test_a_lone_surrogate_cannot_be_encoded(prompt):
    with pytest.raises(EncodingError, match="surrogates"):
        anthropic_api.encode(request_of(ADAPTIVE, "judge", prompt=prompt))


def test_every_model_is_served_but_the_offline_baseline():
    assert anthropic_api.serves(BUDGETED) and anthropic_api.serves("a-model-of-ones-own")
    assert not anthropic_api.serves("lexical")


# How long to wait ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "2"}, 2.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after_ms": "1500", "retry_after": "7"}, 1.5),
        ({"retry_after_ms": "soon", "retry_after": "7"}, 7.0),
        ({"retry_after": "-5"}, 0.0),
        ({"retry_after": "nan"}, 0.0),
        ({"retry_after": "inf"}, float("inf")),
        ({"retry_after": "999999999"}, 999_999_999.0),
        ({"retry_after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry_after": "Fri, 31 Dec 999999999999999999 00:00:00 GMT"}, None),
        ({"retry_after": "tomorrow"}, None),
        ({"retry_after": ""}, None),
        ({}, None),
    ],
)
def test_a_wait_is_read_from_the_headers(headers, seconds):
    assert anthropic_api.wait_seconds(status_error(429, **headers)) == seconds


def test_a_wait_until_a_date_is_counted_from_now():
    error = status_error(429, retry_after=formatdate(time.time() + 90, usegmt=True))
    assert 85 < anthropic_api.wait_seconds(error) <= 90


def test_an_error_without_an_answer_names_no_wait():
    request = httpx2.Request("POST", "http://127.0.0.1")
    assert anthropic_api.wait_seconds(anthropic.APIConnectionError(request=request)) is None


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
        st.from_regex(r"[A-Z][a-z]{2}, \d{1,20} [A-Z][a-z]{2} \d{1,20} \d+:\d+:\d+ [A-Z+-]\d*"),
    )
)
def test_no_header_is_too_wild_to_be_read(value):
    encoded = value.encode("ascii", errors="ignore").replace(b"\n", b"")
    seconds = anthropic_api.wait_seconds(status_error(429, retry_after=encoded.decode()))
    assert seconds is None or seconds >= 0.0


# What an error means ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 304, 308, 400, 401, 402, 403, 404, 405, 413, 422])
def test_a_permanent_error_is_fatal(status):
    reason = anthropic_api.explained(status_error(status, api_error()))
    assert type(reason) is ProviderError
    assert str(reason).startswith(f"{status} some_error: So it is.")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_transient_error_is_not_fatal(status):
    reason = anthropic_api.explained(status_error(status, api_error()))
    assert type(reason) is UnreachableError
    assert str(reason) == f"{status} some_error: So it is."


@pytest.mark.parametrize("code", sorted(anthropic_api.SPEND_LIMITS))
def test_a_spend_limit_is_fatal_though_it_is_a_rate_limit(code):
    reason = anthropic_api.explained(status_error(429, api_error(code=code)))
    assert type(reason) is ProviderError
    assert "credit or limits" in str(reason)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (307, "ANTHROPIC_BASE_URL"),
        (401, "ANTHROPIC_API_KEY"),
        (402, "credit or limits"),
        (404, "ANTHROPIC_BASE_URL"),
    ],
)
def test_a_fatal_error_says_what_to_do(status, remedy):
    assert remedy in str(anthropic_api.explained(status_error(status, api_error())))


def test_an_answer_of_another_form_is_explained_as_well():
    for body in (None, [], "nginx", {"error": "no"}, {"error": {"message": ["no"], "type": 3}}):
        reason = str(anthropic_api.explained(status_error(500, body)))
        assert reason.startswith("500")


def test_a_whole_page_of_an_error_is_cut_short():
    reason = str(anthropic_api.explained(status_error(502, api_error("<p>" * 10_000))))
    assert len(reason) < limits.SHOWN_CHARACTERS + 50


# Key and address -------------------------------------------------------------------------------


def test_no_key_is_one_clear_error(environment, tmp_path):
    environment.delenv("ANTHROPIC_API_KEY")
    for create in (AnthropicBatches, lambda: AnthropicMessages(tmp_path, 1)):
        with pytest.raises(ProviderError, match="set ANTHROPIC_API_KEY"):
            create()


def test_a_token_is_as_good_as_a_key(environment):
    environment.delenv("ANTHROPIC_API_KEY")
    environment.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    assert anthropic_api.connect(0).auth_token == "token"


@pytest.mark.parametrize("mark", ["\n", "\r", " ", "\x7f", "ä", "€"])
def test_a_key_that_cannot_be_sent_is_refused_before_anything_is_sent(environment, mark):
    environment.setenv("ANTHROPIC_API_KEY", KEY + mark)
    with pytest.raises(ProviderError, match="ANTHROPIC_API_KEY") as caught:
        anthropic_api.connect(0)
    assert_nothing_leaked(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        f"http://user:{PASSWORD}#@127.0.0.1",
        f"http://127.0.0.1:{PASSWORD}",
        f"user:{PASSWORD}@127.0.0.1:80",
        f"ftp://user:{PASSWORD}@127.0.0.1",
        f"http:///{PASSWORD}",
        "localhost:8000",
        "127.0.0.1:8000",
        "",
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(environment, address):
    environment.setenv("ANTHROPIC_BASE_URL", address)
    with pytest.raises(ProviderError, match="ANTHROPIC_BASE_URL") as caught:
        anthropic_api.connect(0)
    assert_nothing_leaked(caught.value)


def assert_nothing_leaked(error):
    shown = "".join(traceback.format_exception(error))
    assert KEY not in shown and PASSWORD not in shown


def errors_of(provider, body, results):
    """What each thing that can be asked of a provider raises."""
    line = anthropic_api.encode(request_of(BUDGETED, "judge"))
    body.write_bytes(line + b"\n")
    asks = [lambda: provider.count(line), lambda: provider.download(provider.submit(body), results)]
    if isinstance(provider, AnthropicBatches):
        asks += [lambda: list(provider.list()), lambda: provider.cancel("x")]
    for ask in asks:
        with pytest.raises(ProviderError) as caught:
            ask()
        yield caught.value


@pytest.mark.parametrize("status", [0, 301, 401, 404, 500])
@pytest.mark.parametrize("userinfo", ["", f"user:{PASSWORD}@"])
def test_no_error_shows_the_key_or_a_password(environment, tmp_path, status, userinfo):
    environment.setattr("latent_probes.providers.anthropic_messages.MOST_TRIES", 1)
    with ScriptedServer(lambda _: Answer(b"{}", status, {"location": "/"})) as server:
        address = server.address if status else "http://127.0.0.1:1"
        environment.setenv("ANTHROPIC_BASE_URL", address.replace("//", f"//{userinfo}"))
        for provider in (AnthropicBatches(), AnthropicMessages(tmp_path / "spool", 1)):
            provider.client.max_retries = 0
            for error in errors_of(provider, tmp_path / "body", tmp_path / "results"):
                assert_nothing_leaked(error)
    assert len(server.asked) >= 4 or not status


def test_a_header_that_cannot_be_sent_is_not_repeated(environment, tmp_path):
    environment.setenv("ANTHROPIC_CUSTOM_HEADERS", f"x-password: a\r{PASSWORD}")
    with StandIn() as server:
        environment.setenv("ANTHROPIC_BASE_URL", server.address)
        provider = AnthropicBatches()
        provider.client.max_retries = 0
        for error in errors_of(provider, tmp_path / "body", tmp_path / "results"):
            assert "LocalProtocolError" in str(error)
            assert_nothing_leaked(error)
        assert server.ledger.posts == []


def test_a_wrong_key_is_called_wrong_and_not_shown(environment, tmp_path):
    with StandIn() as server:
        environment.setenv("ANTHROPIC_BASE_URL", server.address)
        for provider in (AnthropicBatches(), AnthropicMessages(tmp_path / "spool", 1)):
            for error in errors_of(provider, tmp_path / "body", tmp_path / "results"):
                assert "401 authentication_error" in str(error)
                assert "check ANTHROPIC_API_KEY" in str(error)
                assert_nothing_leaked(error)
        assert {post.status for post in server.ledger.posts} == {401}
