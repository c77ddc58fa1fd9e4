"""Claude through the Message Batches API: the error raised for each fault of the API."""

import time
from datetime import UTC, datetime, timedelta

import anthropic
import httpx2
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import Answer
from stand_in import StandIn, answers, faults

from latent_probes.common import files
from latent_probes.providers import (
    ProviderError,
    RefusedError,
    Request,
    UnreachableError,
    anthropic_api,
    anthropic_batches,
)
from latent_probes.providers.anthropic_batches import AnthropicBatches

MODEL = "claude-haiku-4-5-20251001"
REFUSED = (RefusedError, False, None)
UNHEARD = (UnreachableError, None, None)


def busy(least, most):
    """A refusal that asks to wait between so many seconds."""
    return (RefusedError, True, (least, most))


# What submit raises, and how many batches there are then.
CREATIONS = {
    "refusal 400": (REFUSED, 0),
    "refusal 401": (REFUSED, 0),
    "refusal 402": (REFUSED, 0),
    "refusal 403": (REFUSED, 0),
    "refusal 404": (REFUSED, 0),
    "refusal 413": (REFUSED, 0),
    "refusal 422": (REFUSED, 0),
    "rate limit in seconds": (busy(30, 30), 0),
    "rate limit until a date": (busy(28, 31), 0),
    "rate limit in milliseconds": (busy(30, 30), 0),
    "absurd rate limit": (busy(999_999_999, 999_999_999), 0),
    "negative rate limit": (busy(0, 0), 0),
    "spend limit": (REFUSED, 0),
    "full queue": ((RefusedError, True, None), 0),
    "internal error": (UNHEARD, 0),
    "overload": (UNHEARD, 0),
    "reset before the body": (UNHEARD, 0),
    "reset after commit": (UNHEARD, 1),
    "error after commit": (UNHEARD, 1),
    "hang after commit": (UNHEARD, 1),
    "late commit after an error": (UNHEARD, 0),
    "late commit after a reset": (UNHEARD, 0),
}
# What is no answer of the API, though its status is 200.
NO_ANSWERS = [b"<html>Log in first</html>", b"", b"null", b"[]", b'"ok"', b"{}", b'{"data":null}']
# Ids that would do something else in a command that shows them, or in an address.
NO_ANSWERS += [
    b'{"id":"$(reboot)"}',
    b'{"id":"../x"}',
    b'{"id":"a\\nb"}',
    b'{"id":"%b"}' % (b"a" * 999),
]


@pytest.fixture
def server(environment):
    with StandIn(key="key") as server:
        environment.setenv("ANTHROPIC_BASE_URL", server.address)
        yield server


@pytest.fixture
def provider(server):
    """The provider on the stand-in. Its looks are not repeated, so that errors are seen."""
    return provider_of()


def provider_of(max_retries=0):
    """The provider as the environment has it."""
    provider = AnthropicBatches()
    provider.client.max_retries = max_retries
    return provider


def request_of(number, prompt="Hello"):
    return Request(
        custom_id=f"judge-{number:032x}-1",
        stage="judge",
        model=MODEL,
        input_hash="input",
        shown_hash="shown",
        prompt_hash="wording",
        max_tokens=16,
        thinking="none",
        thinking_tokens=0,
        schema=None,
        prompt=prompt,
    )


def body_of(folder, prompts=("Hello", "Zwölf\r\n\u2028Boxkämpfer")):
    """A body file, written as the runner writes it."""
    lines = (
        anthropic_api.encode(request_of(number, prompt)) for number, prompt in enumerate(prompts)
    )
    return folder / f"{files.write_by_hash(folder, lines)}.jsonl"


# Handing in ------------------------------------------------------------------------------------


def test_every_fault_of_a_creation_is_tried():
    assert set(CREATIONS) | {"double commit"} == set(faults.PLACES["creation"])


@pytest.mark.parametrize("name", CREATIONS)
def test_a_fault_of_a_creation_is_told_apart_and_nothing_is_sent_twice(
    server, environment, tmp_path, name
):
    (kind, can_wait, wait), n_batches = CREATIONS[name]
    environment.setattr(anthropic_api, "TIMEOUT", httpx2.Timeout(0.3))
    # With the retries that looks have.
    provider = provider_of(max_retries=4)
    server.plan(name, seconds=30)
    start = time.monotonic()
    with pytest.raises(ProviderError) as caught:
        provider.submit(body_of(tmp_path))
    assert time.monotonic() - start < 5
    assert type(caught.value) is kind
    if kind is RefusedError:
        assert caught.value.can_wait == can_wait
        seconds = caught.value.wait_seconds
        assert seconds is None if wait is None else wait[0] <= seconds <= wait[1]
    assert [(post.path, post.outcome) for post in server.ledger.posts] == [
        ("/v1/messages/batches", name)
    ]
    assert len(server.ledger.batches) == n_batches
    server.pass_time(60)
    assert len(server.ledger.batches) == n_batches + name.startswith("late commit")


def test_a_double_commit_looks_as_if_all_were_well(server, provider, tmp_path):
    server.plan("double commit")
    assert provider.submit(body_of(tmp_path)) in server.ledger.batches
    assert len(server.ledger.batches) == 2


def test_a_batch_that_is_taken_has_the_requests_of_its_body(server, provider, tmp_path):
    batch_id = provider.submit(body_of(tmp_path))
    assert server.ledger.batches == {batch_id: tuple(request_of(n).custom_id for n in range(2))}


def test_a_closed_port_is_a_clear_refusal_that_may_pass(environment, tmp_path):
    environment.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    provider = provider_of()
    with pytest.raises(RefusedError, match="no connection was made") as caught:
        provider.submit(body_of(tmp_path))
    assert caught.value.can_wait
    with pytest.raises(UnreachableError, match="ConnectError"):
        list(provider.list())


@pytest.mark.parametrize("content", NO_ANSWERS)
def test_an_answer_that_names_no_batch_leaves_open_whether_it_was_taken(
    scripted, tmp_path, content
):
    server = scripted(lambda _: Answer(content))
    with pytest.raises(UnreachableError, match="the response"):
        provider_of().submit(body_of(tmp_path))
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_batch_is_refused_and_not_turned_into_a_list(scripted, tmp_path, status):
    def script(asked):
        if asked.method == "GET":
            return Answer(b'{"data":[],"has_more":false}')
        return Answer(b"", status, {"location": f"/moved{asked.path}"})

    server = scripted(script)
    with pytest.raises(RefusedError, match="ANTHROPIC_BASE_URL") as caught:
        provider_of().submit(body_of(tmp_path))
    assert not caught.value.can_wait
    assert len(server.asked) == 1


# The body --------------------------------------------------------------------------------------


class Recorder(httpx2.BaseTransport):
    """Keeps the last body that was sent, and answers as if a batch were taken."""

    def handle_request(self, request):
        self.body = request.read()
        return httpx2.Response(200, json={"id": "msgbatch_1"})


RECORDER = Recorder()
CLIENT = anthropic.Anthropic(api_key="key", http_client=httpx2.Client(transport=RECORDER))


@settings(max_examples=100)
@given(st.lists(st.text(), min_size=1, max_size=5), st.integers(1, 400))
def test_the_body_is_what_the_client_itself_would_send(tmp_path_factory, prompts, read_size):
    body = body_of(tmp_path_factory.getbasetemp() / "bodies", prompts)
    requests = [orjson.loads(line) for line in body.read_bytes().splitlines()]
    CLIENT.messages.batches.create(requests=requests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anthropic_batches, "READ_SIZE", read_size)
        sent = b"".join(anthropic_batches.request_body(body))
    assert orjson.loads(sent) == orjson.loads(RECORDER.body)
    assert len(sent) == anthropic_batches.length_of_request_body(body)
    assert [request["params"]["messages"][0]["content"] for request in requests] == prompts


def test_a_body_is_sent_with_its_length_and_as_json(scripted, tmp_path):
    server = scripted(lambda _: Answer(b'{"id":"msgbatch_1"}'))
    provider = provider_of()
    assert provider.submit(body := body_of(tmp_path)) == "msgbatch_1"
    (asked,) = server.asked
    assert asked.headers["content-length"] == str(anthropic_batches.length_of_request_body(body))
    assert asked.headers["content-type"] == "application/json"
    assert "transfer-encoding" not in asked.headers
    assert asked.body == b"".join(anthropic_batches.request_body(body))


# The list --------------------------------------------------------------------------------------


def test_the_list_goes_over_all_pages_newest_first(server, provider):
    requests = server.service.keep([orjson.loads(anthropic_api.encode(request_of(0)))])
    made = [server.service.commit(requests).id for _ in range(2 * anthropic_batches.LIST_SIZE + 1)]
    listed = list(provider.list())
    assert [batch.provider_batch_id for batch in listed] == made[::-1]
    assert {batch.n_requests for batch in listed} == {1}


def test_a_listed_batch_has_its_size_its_time_in_utc_and_its_counts(server, provider, tmp_path):
    server.service.seconds = 3600
    provider.submit(body_of(tmp_path))
    (running,) = provider.list()
    assert (running.n_requests, running.has_ended) == (2, False)
    assert running.created_at.tzinfo is None
    age = datetime.now(UTC).replace(tzinfo=None) - running.created_at
    assert timedelta(0) <= age < timedelta(seconds=10)
    server.plan("expired result")
    server.end_batches()
    (ended,) = provider.list()
    assert (ended.n_requests, ended.has_ended) == (2, True)
    assert ended.counts == {"succeeded": 1, "errored": 0, "canceled": 0, "expired": 1}


def test_a_time_of_another_zone_is_turned_to_utc(scripted, server):
    batch = server.service.commit(
        server.service.keep([{"custom_id": "a", "params": {"model": ""}}])
    )
    shown = batch.as_json("") | {"created_at": "2026-01-01T01:30:00+02:00"}
    page = {"has_more": False, "data": [shown]}
    scripted(lambda _: Answer(orjson.dumps(page)))
    (listed,) = provider_of().list()
    assert listed.created_at == datetime(2025, 12, 31, 23, 30)


@pytest.mark.parametrize("name", ["internal error", "overload", "reset"])
def test_a_list_that_fails_once_is_asked_for_again(server, tmp_path, name):
    provider = provider_of(max_retries=1)
    batch_id = provider.submit(body_of(tmp_path))
    server.plan(name, at="list")
    assert [batch.provider_batch_id for batch in provider.list()] == [batch_id]


@pytest.mark.parametrize("name", ["internal error", "overload", "reset"])
def test_a_list_that_fails_on_its_second_page_is_not_taken_for_a_short_one(
    server, provider, environment, tmp_path, name
):
    environment.setattr(anthropic_batches, "LIST_SIZE", 1)
    made = [provider.submit(body_of(tmp_path)) for _ in range(2)]
    listed = provider.list()
    assert next(listed).provider_batch_id == made[1]
    server.plan(name, at="list")
    with pytest.raises(UnreachableError):
        next(listed)


@pytest.mark.parametrize(
    "content",
    [
        *NO_ANSWERS,
        b'{"data":[{}]}',
        b'{"data":[1]}',
        b'{"data":""}',
        b'{"data":{}}',
        b'{"error":{}}',
    ],
)
def test_a_list_that_is_none_is_not_taken_for_an_empty_one(scripted, content):
    scripted(lambda _: Answer(content))
    with pytest.raises(UnreachableError, match="the response"):
        list(provider_of().list())


# Results ---------------------------------------------------------------------------------------


@pytest.fixture
def ended(server, provider, tmp_path):
    """An ended batch of the stand-in with ten requests."""
    batch_id = provider.submit(body_of(tmp_path, [f"Number {n}" for n in range(10)]))
    return server.service.get(batch_id)


def lines_of(server, batch, fault="none"):
    """The results as they are sent."""
    return b"".join(faults.damaged(faults.Fault(fault), server.service.lines(batch), 10))


@pytest.mark.parametrize(
    "name", sorted({"none", *faults.DAMAGED_DOWNLOADS} - {"reset in the body"})
)
def test_results_are_kept_as_they_come_even_damaged(server, provider, ended, tmp_path, name):
    if name != "none":
        server.plan(name)
    provider.download(ended.id, tmp_path / "results")
    assert (tmp_path / "results").read_bytes() == lines_of(server, ended, name)
    provider.download(ended.id, tmp_path / "results")
    assert (tmp_path / "results").read_bytes() == lines_of(server, ended)


def test_results_of_any_bytes_are_kept(scripted, server, ended, tmp_path):
    content = b'{"a": 1}\r\n\x00\xff' * 1000

    def script(asked):
        if asked.path.endswith("/results"):
            return Answer(content)
        return Answer(orjson.dumps(ended.as_json(other.address)))

    other = scripted(script)
    provider_of().download(ended.id, tmp_path / "results")
    assert (tmp_path / "results").read_bytes() == content


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("internal error", UnreachableError),
        ("overload", UnreachableError),
        ("reset", UnreachableError),
        ("reset in the body", UnreachableError),
        ("missing results", ProviderError),
    ],
)
def test_a_download_that_fails_says_how(server, provider, ended, tmp_path, name, kind):
    server.plan(name, at="download")
    with pytest.raises(ProviderError) as caught:
        provider.download(ended.id, tmp_path / "results")
    assert type(caught.value) is kind
    provider.download(ended.id, tmp_path / "results")
    assert (tmp_path / "results").read_bytes() == lines_of(server, ended)


def test_a_batch_that_still_runs_has_no_results(server, provider, tmp_path):
    server.service.seconds = 3600
    batch_id = provider.submit(body_of(tmp_path))
    with pytest.raises(UnreachableError, match="in_progress"):
        provider.download(batch_id, tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("content", NO_ANSWERS)
def test_a_download_from_somebody_else_is_not_believed(scripted, tmp_path, content):
    scripted(lambda _: Answer(content))
    with pytest.raises(UnreachableError):
        provider_of().download("msgbatch_1", tmp_path / "results")
    assert not (tmp_path / "results").exists()


# Canceling and counting ------------------------------------------------------------------------


def test_a_running_batch_is_canceled(server, provider, tmp_path):
    server.service.seconds = 3600
    batch_id = provider.submit(body_of(tmp_path))
    provider.cancel(batch_id)
    assert server.ledger.cancels == [batch_id]


def test_an_ended_batch_can_be_canceled_in_vain(server, provider, ended, tmp_path):
    provider.cancel(ended.id)
    assert server.ledger.cancels == []
    provider.download(ended.id, tmp_path / "results")
    assert (tmp_path / "results").read_bytes() == lines_of(server, ended)


def test_a_batch_that_there_is_not_cannot_be_canceled(provider):
    with pytest.raises(ProviderError, match="404") as caught:
        provider.cancel("msgbatch_1")
    assert type(caught.value) is ProviderError


@pytest.mark.parametrize("content", NO_ANSWERS)
def test_a_batch_is_only_canceled_if_the_api_says_so(scripted, content):
    scripted(lambda _: Answer(content))
    with pytest.raises(UnreachableError, match="the response"):
        provider_of().cancel("msgbatch_1")


def test_tokens_are_counted_by_the_api(server, provider):
    line = anthropic_api.encode(request_of(0, "word " * 100))
    assert provider.count(line) == answers.count_tokens("word " * 100)
    assert [post.path for post in server.ledger.posts] == ["/v1/messages/count_tokens"]
    assert server.ledger.batches == {}


def test_an_error_of_token_counting_gives_its_reason(provider):
    line = anthropic_api.encode(request_of(0)).replace(MODEL.encode(), b"claude-0")
    with pytest.raises(ProviderError, match="claude-0"):
        provider.count(line)


@pytest.mark.parametrize("content", NO_ANSWERS)
def test_a_count_from_somebody_else_is_not_believed(scripted, content):
    scripted(lambda _: Answer(content))
    with pytest.raises(UnreachableError, match="the response"):
        provider_of().count(anthropic_api.encode(request_of(0)))
