"""Any `/v1/messages` server: no answered request is sent again, and errors stop the run in time."""

import os
import signal
import threading
import time
from collections import Counter

import asking_processes
import httpx2
import orjson
import pytest
from scripted_server import MESSAGE, Answer
from stand_in import StandIn, answers

from latent_probes.common import files, limits
from latent_probes.providers import (
    ProviderError,
    Request,
    UnreachableError,
    anthropic_api,
    anthropic_messages,
)
from latent_probes.providers.anthropic_messages import AnthropicMessages

MODEL = "claude-haiku-4-5-20251001"
IN_FLIGHT = 4


@pytest.fixture(autouse=True)
def short_waits(environment):
    """Waits that no server asked for are short."""
    environment.setattr(anthropic_messages, "FIRST_WAIT_SECONDS", 0.02)


@pytest.fixture
def server(environment):
    with StandIn(key="key") as server:
        environment.setenv("ANTHROPIC_BASE_URL", server.address)
        yield server


class Asking:
    """A batch in a spool, and what becomes of it."""

    def __init__(self, folder, count=10, in_flight=IN_FLIGHT, prompt="Number {}", **changes):
        self.provider = AnthropicMessages(folder / "spool", in_flight)
        self.requests = [request_of(n, prompt.format(n), **changes) for n in range(count)]
        lines = map(anthropic_api.encode, self.requests)
        body = folder / f"{files.write_by_hash(folder, lines)}.jsonl"
        self.batch_id = self.provider.submit(body)
        self.answers = self.provider.spool.answers(self.batch_id)
        self.file = folder / "results"
        self.said = folder / "said.txt"

    def results(self):
        """Ask to the end; the results by the number of the request, each of which has one."""
        self.provider.download(self.batch_id, self.file)
        assert self.file.read_bytes() == self.answers.read_bytes()
        results = self.kept()
        assert sorted(results) == list(range(len(self.requests)))
        return results

    def kept(self):
        """The answers that are kept by now, none of them twice."""
        lines = [orjson.loads(line) for line in self.answers.read_bytes().splitlines()]
        names = [line["custom_id"] for line in lines]
        assert len(names) == len(set(names))
        return {int(line["custom_id"].split("-")[1], 16): line["result"] for line in lines}

    def stops(self, match):
        """Ask until an error; return it."""
        with pytest.raises(ProviderError, match=match) as caught:
            self.provider.download(self.batch_id, self.file)
        assert not self.file.exists()
        return caught.value

    def start(self):
        """Ask in a process of its own."""
        arguments = (self.provider.spool.folder, IN_FLIGHT, self.batch_id, self.file)
        return asking_processes.start(self.said, *arguments)


def request_of(number, prompt="Hello", **changes):
    usual = {
        "custom_id": f"judge-{number:032x}-1",
        "stage": "judge",
        "model": MODEL,
        "input_hash": "input",
        "shown_hash": "shown",
        "prompt_hash": "wording",
        "max_tokens": 16,
        "thinking": "none",
        "thinking_tokens": 0,
        "schema": None,
        "prompt": prompt,
    }
    return Request(**(usual | changes))


def error_of(status, message="So it is.", **headers):
    """The answer that is an error."""
    body = {"type": "error", "error": {"type": "some_error", "message": message}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(orjson.dumps(body), status, named)


def number_of(asked):
    """The number of the request that is asked."""
    return int(asked.prompt.removeprefix("Number "))


def types_of(results):
    return Counter(result["type"] for result in results.values())


def wait_until(is_so):
    """Wait for something that comes soon."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# Answers ---------------------------------------------------------------------------------------


def test_each_request_is_asked_once_and_answered_once(server, tmp_path):
    asking = Asking(tmp_path, 30)
    results = asking.results()
    assert types_of(results) == {"succeeded": 30}
    assert results[0]["message"]["content"][0]["text"] == answers.UNKNOWN_PROMPT
    assert len(server.ledger.posts) == 30
    assert asking.results() == results
    assert len(server.ledger.posts) == 30


def test_nothing_is_asked_before_the_results_are_wanted(server, tmp_path):
    asking = Asking(tmp_path, 3)
    (listed,) = asking.provider.list()
    assert (listed.provider_batch_id, listed.n_requests) == (asking.batch_id, 3)
    assert listed.has_ended and listed.created_at.tzinfo is None
    assert server.ledger.posts == []
    asking.results()
    assert list(asking.provider.list()) == [listed]


def test_handing_in_a_body_twice_is_the_same_as_once(server, tmp_path):
    asking = Asking(tmp_path, 3)
    results = asking.results()
    assert asking.provider.submit(asking.provider.spool.body(asking.batch_id))
    assert asking.results() == results
    assert len(server.ledger.posts) == 3


def test_a_forgotten_batch_leaves_nothing(server, tmp_path):
    asking = Asking(tmp_path, 3)
    asking.results()
    asking.provider.forget(asking.batch_id)
    assert list(asking.provider.spool.folder.iterdir()) == list(asking.provider.list()) == []
    asking.provider.forget(asking.batch_id)


def test_the_bytes_of_a_message_are_those_of_the_server(scripted, tmp_path):
    content = '{"content" :[ ],  "x":1e2, "ü":"\\u00fc\u2028", "x":-0.0}'.encode()
    scripted(lambda _: Answer(content))
    asking = Asking(tmp_path, 1)
    asking.results()
    assert asking.file.read_bytes() == (
        b'{"custom_id":"judge-'
        + b"0" * 32
        + b'-1","result":{"type":"succeeded","message":'
        + content
        + b"}}\n"
    )


@pytest.mark.parametrize("line_break", [b"\n", b"\r\n", b"\r"])
def test_a_message_of_many_lines_becomes_one_line(scripted, tmp_path, line_break):
    pretty = orjson.dumps(MESSAGE, option=orjson.OPT_INDENT_2).replace(b"\n", line_break)
    scripted(lambda _: Answer(pretty + line_break))
    asking = Asking(tmp_path, 3)
    assert [result["message"] for result in asking.results().values()] == [MESSAGE] * 3
    assert asking.file.read_bytes().count(b"\n") == 3
    assert b"\r" not in asking.file.read_bytes()


def test_a_server_that_knows_neither_thinking_nor_schemas_is_enough(scripted, tmp_path):
    def script(asked):
        fields = set(orjson.loads(asked.body))
        known = fields == {"model", "max_tokens", "messages"}
        return Answer() if known and asked.path == "/v1/messages" else error_of(400)

    server = scripted(script)
    asking = Asking(tmp_path, 3, model="a-model-of-ones-own", thinking_tokens=8000)
    assert types_of(asking.results()) == {"succeeded": 3}
    assert {asked.headers["content-type"] for asked in server.asked} == {"application/json"}


def test_tokens_are_counted_by_the_server(server, tmp_path):
    provider = AnthropicMessages(tmp_path, 1)
    assert provider.count(anthropic_api.encode(request_of(0, "word " * 100))) == 125


def test_never_more_are_asked_at_once_than_may_be_in_flight(environment, tmp_path):
    lock, now_asked, most_asked = threading.Lock(), 0, 0

    def answer(*_):
        nonlocal now_asked, most_asked
        with lock:
            now_asked += 1
            most_asked = max(most_asked, now_asked)
        time.sleep(0.02)
        with lock:
            now_asked -= 1
        return "Yes."

    with StandIn(key="key", answer=answer) as server:
        environment.setenv("ANTHROPIC_BASE_URL", server.address)
        Asking(tmp_path, 40).results()
    assert most_asked == IN_FLIGHT


# Waiting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("rate limit in seconds", 0.5, 1.5),
        ("rate limit in milliseconds", 0.5, 1.5),
        ("rate limit until a date", 0.4, 2.0),
        ("negative rate limit", 0.3, 1.3),
        ("full queue", 0.3, 1.3),
    ],
)
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    server, environment, tmp_path, name, least, most
):
    environment.setattr(anthropic_messages, "FIRST_WAIT_SECONDS", 0.3)
    server.plan(name, at="message", seconds=0.5)
    asking = Asking(tmp_path, 1)
    start = time.monotonic()
    assert types_of(asking.results()) == {"succeeded": 1}
    assert least <= time.monotonic() - start < most
    assert [post.status for post in server.ledger.posts] == [429, 200]


def test_an_absurd_wait_is_not_waited_for(server, tmp_path):
    server.plan("absurd rate limit", at="message")
    start = time.monotonic()
    error = Asking(tmp_path).stops("it asks to wait 999,999,999 seconds")
    assert type(error) is ProviderError
    assert time.monotonic() - start < 2


def test_all_wait_together(scripted, tmp_path):
    refused_at = []

    def script(asked):
        if number_of(asked) == 5 and not refused_at:
            refused_at.append(time.monotonic())
            return error_of(429, retry_after="1")
        time.sleep(0.02)
        return Answer()

    server = scripted(script)
    assert types_of(Asking(tmp_path, 40).results()) == {"succeeded": 40}
    times = [asked.came_at - refused_at[0] for asked in server.asked]
    assert len([moment for moment in times if moment > 0.9]) > 20
    assert [moment for moment in times if 0.2 < moment < 0.9] == []


def test_a_wait_that_is_put_off_is_waited_for_to_its_end(server, tmp_path):
    provider = AnthropicMessages(tmp_path, 1)
    start = time.monotonic()
    provider.not_before = start + 0.1

    def put_off():
        provider.not_before = start + 0.4

    threading.Timer(0.05, put_off).start()
    assert provider.waited(threading.Event())
    assert 0.4 <= time.monotonic() - start < 1.4


@pytest.mark.parametrize(
    "name", ["internal error", "overload", "reset", "reset in the body", "hang"]
)
def test_a_transient_error_is_retried(server, environment, tmp_path, name):
    environment.setattr(anthropic_api, "TIMEOUT", httpx2.Timeout(0.3))
    server.plan(name, times=2, at="message")
    asking = Asking(tmp_path, 10)
    assert types_of(asking.results()) == {"succeeded": 10}
    assert len(server.ledger.posts) == 12


def test_an_error_that_persists_stops_after_the_last_try(server, environment, tmp_path):
    environment.setattr(anthropic_messages, "MOST_TRIES", 3)
    server.plan("overload", None, at="message")
    asking = Asking(tmp_path, in_flight=1)
    assert type(asking.stops("529 overloaded_error: Overloaded")) is UnreachableError
    assert [post.status for post in server.ledger.posts] == [529] * 3
    server.faults.clear()
    assert types_of(asking.results()) == {"succeeded": 10}


def test_a_request_that_always_fails_errs_alone_while_others_are_answered(scripted, tmp_path):
    scripted(lambda asked: Answer(status=500) if asked.prompt == "Number 3" else Answer())
    asking = Asking(tmp_path, count=30)
    results = asking.results()
    assert [number for number, result in results.items() if result["type"] == "errored"] == [3]
    assert results[3]["error"]["error"]["type"] == "api_error"


def test_a_server_that_is_not_there_is_unreachable(environment, tmp_path):
    environment.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    environment.setattr(anthropic_messages, "MOST_TRIES", 2)
    assert type(Asking(tmp_path).stops("ConnectError")) is UnreachableError


NO_MESSAGES = [
    *(b"<html>Log in first</html>", b"", b"null", b"[]", b'"Yes."', b'{"error":{}}', b"{", b"\xff"),
    *(b'{"content": %b}' % content for content in (b'"Yes."', b"null", b"{}", b'["Yes."]', b"[1]")),
    *(
        b'{"content": [%b]}' % block
        for block in (b"{}", b"null", b'{"type": "text", "text": null}')
    ),
    b'{"content": [], "more": ' + b"[" * 1_000_000,
]


@pytest.mark.parametrize("content", NO_MESSAGES)
def test_an_answer_that_is_not_a_message_is_retried_and_then_stops(scripted, tmp_path, content):
    are_right = False
    server = scripted(lambda _: Answer() if are_right else Answer(content))
    asking = Asking(tmp_path, 2, in_flight=1)
    # Not unreachable: a run would ask again, and each answer can be billed.
    assert type(asking.stops("the response .* run again")) is ProviderError
    assert len(server.asked) == limits.STRANGE_RESPONSES
    assert asking.kept() == {}
    are_right = True
    assert types_of(asking.results()) == {"succeeded": 2}


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_refused_errs_alone(scripted, tmp_path, status):
    refusal = error_of(status)
    scripted(lambda asked: refusal if number_of(asked) == 3 else Answer())
    results = Asking(tmp_path).results()
    assert types_of(results) == {"succeeded": 9, "errored": 1}
    assert results[3] == {"type": "errored", "error": orjson.loads(refusal.content)}


def test_another_models_name_stops_at_the_first_answers_which_are_kept(scripted, tmp_path):
    named = orjson.dumps(MESSAGE | {"model": "gemma.gguf"})
    server = scripted(lambda asked: Answer(named))
    asking = Asking(tmp_path, count=30)
    error = asking.stops("the response names 'gemma.gguf'")
    assert f"`{MODEL},gemma.gguf` to seeds/model_aliases.csv" in str(error)
    assert len(asking.kept()) == len(server.asked) <= 2 * IN_FLIGHT
    # Once it is declared to be the same model, the batch goes on where it was.
    asking.provider.aliases = frozenset([(MODEL, "gemma.gguf")])
    asking.results()
    assert len(server.asked) == 30


def test_a_refusal_of_the_api_has_the_form_that_it_has_in_a_batch(server, tmp_path):
    asking = Asking(tmp_path, 1, max_tokens=100_000)
    error = asking.results()[0]["error"]
    assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    assert "100000 > 64000" in error["error"]["message"]


@pytest.mark.parametrize("content", [b"<p>\xff\nNo</p>", b"", b'{"a":\n"\\ud800"}', b"{\n}"])
def test_a_refusal_of_any_form_becomes_one_line(scripted, tmp_path, content):
    scripted(lambda _: Answer(content, 400))
    asking = Asking(tmp_path, 3)
    assert types_of(asking.results()) == {"errored": 3}
    assert asking.file.read_bytes().count(b"\n") == 3


def test_many_equal_errors_in_a_row_stop_it(server, tmp_path):
    asking = Asking(tmp_path, 60, max_tokens=100_000)
    error = asking.stops(r"\d+ messages in a row were refused: 400 .*100000 > 64000")
    assert type(error) is ProviderError
    n_asked = len(server.ledger.posts)
    assert types_of(asking.kept()) == {"errored": n_asked}
    most = anthropic_messages.MOST_EQUAL_ERRORS
    assert most <= n_asked < most + IN_FLIGHT


@pytest.mark.parametrize(
    "answer_to",
    [
        lambda number: Answer() if number % 19 == 18 else error_of(400),
        lambda number: error_of(400, f"Part {number // 19}"),
    ],
)
def test_errors_that_differ_or_come_between_successes_do_not_stop_it(scripted, tmp_path, answer_to):
    scripted(lambda asked: answer_to(number_of(asked)))
    assert types_of(Asking(tmp_path, 60, in_flight=1).results())["errored"] >= 57


@pytest.mark.parametrize("status", [307, 401, 402, 403, 404, 405])
def test_an_error_of_every_request_stops_sending_and_keeps_requests_in_flight(
    scripted, tmp_path, status
):
    others = threading.Barrier(IN_FLIGHT)

    def script(asked):
        others.wait(timeout=10)
        if number_of(asked) == 0:
            return error_of(status, location="/")
        time.sleep(0.2)
        return Answer()

    server = scripted(script)
    asking = Asking(tmp_path)
    assert type(asking.stops(f"{status} some_error")) is ProviderError
    assert sorted(asking.kept()) == [1, 2, 3]
    assert len(server.asked) == IN_FLIGHT


def test_a_spend_limit_stops_at_once(server, tmp_path):
    server.plan("spend limit", None, at="message")
    asking = Asking(tmp_path)
    assert type(asking.stops("credit or limits")) is ProviderError
    assert len(server.ledger.posts) <= IN_FLIGHT


def test_who_waits_does_not_hide_why_it_stopped(scripted, tmp_path):
    both = threading.Barrier(2)

    def script(asked):
        both.wait(timeout=10)
        if number_of(asked) == 0:
            return error_of(429, retry_after="60")
        time.sleep(0.1)
        return error_of(402)

    scripted(script)
    start = time.monotonic()
    asking = Asking(tmp_path, 2, in_flight=2)
    assert type(asking.stops("402 some_error")) is ProviderError
    assert time.monotonic() - start < 5


def test_the_first_error_is_reported(scripted, tmp_path):
    both = threading.Barrier(2)

    def script(asked):
        both.wait(timeout=10)
        if number_of(asked) == 0:
            return error_of(402)
        time.sleep(0.2)
        return error_of(404)

    scripted(script)
    assert "402 some_error" in str(Asking(tmp_path, in_flight=2).stops("some_error"))


def test_a_disk_that_is_full_leaves_whole_lines(server, environment, tmp_path):
    def refuse(_):
        raise OSError("No space left on device")

    asking = Asking(tmp_path)
    asking.provider.download(asking.batch_id, asking.file)
    whole = asking.answers.read_bytes()
    asking.answers.write_bytes(b"".join(whole.splitlines(keepends=True)[:5]))
    before = asking.answers.read_bytes()
    with environment.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "fsync", refuse)
        asking.provider.download(asking.batch_id, asking.file)
    assert asking.answers.read_bytes() == before
    assert types_of(asking.results()) == {"succeeded": 10}


# Ends in the middle ----------------------------------------------------------------------------


@pytest.fixture
def slow_server(environment):
    """A server that takes its time."""

    def answer(*_):
        time.sleep(0.03)
        return "Yes."

    with StandIn(key="key", answer=answer) as server:
        environment.setenv("ANTHROPIC_BASE_URL", server.address)
        yield server


def n_lines(path):
    """How many whole lines a file has."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_kill_loses_at_most_what_is_in_flight(slow_server, tmp_path):
    n_requests, n_kills = 60, 2
    asking = Asking(tmp_path, n_requests)
    for kill in range(1, n_kills + 1):
        process = asking.start()
        wait_until(lambda kill=kill: n_lines(asking.answers) >= 15 * kill)
        process.kill()
        process.join(20)
        assert process.exitcode == -signal.SIGKILL
        assert not asking.file.exists()
    assert types_of(asking.results()) == {"succeeded": n_requests}
    # The last lines of a process that was killed may still have been asked after its death.
    n_posts = len(slow_server.ledger.posts)
    assert n_requests < n_posts <= n_requests + n_kills * IN_FLIGHT


def test_an_interrupt_waits_for_what_is_in_flight_and_ends(slow_server, tmp_path):
    asking = Asking(tmp_path, 2000)
    process = asking.start()
    wait_until(lambda: n_lines(asking.answers) >= 10)
    os.kill(process.pid, signal.SIGINT)
    process.join(20)
    assert process.exitcode == 1
    assert asking.said.read_text().rstrip().endswith("KeyboardInterrupt")
    assert {post.status for post in slow_server.ledger.posts} == {200}
    assert 10 <= len(asking.kept()) == len(slow_server.ledger.posts) < 1000


def test_an_interrupt_ends_a_long_wait_at_once(scripted, tmp_path):
    server = scripted(lambda _: error_of(429, retry_after="500"))
    asking = Asking(tmp_path)
    process = asking.start()
    wait_until(lambda: server.asked)
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    process.join(5)
    assert process.exitcode == 1
    assert asking.said.read_text().rstrip().endswith("KeyboardInterrupt")
    assert len(server.asked) <= IN_FLIGHT


@pytest.mark.parametrize("length", [1, 20, -1])
def test_a_line_that_was_cut_off_is_asked_again(server, tmp_path, length):
    asking = Asking(tmp_path)
    asking.results()
    *whole, last = asking.answers.read_bytes().splitlines(keepends=True)
    asking.answers.write_bytes(b"".join(whole) + last[:length])
    assert types_of(asking.results()) == {"succeeded": 10}
    assert len(server.ledger.posts) == 11


def test_what_is_not_answered_when_it_is_canceled_is_never_asked(server, tmp_path):
    asking = Asking(tmp_path)
    asking.results()
    lines = asking.answers.read_bytes().splitlines(keepends=True)
    asking.answers.write_bytes(b"".join(lines[:4]) + lines[4][:30])
    asking.provider.cancel(asking.batch_id)
    results = asking.results()
    assert types_of(results) == {"succeeded": 4, "canceled": 6}
    assert {len(result) for result in results.values() if result["type"] == "canceled"} == {1}
    asking.provider.cancel(asking.batch_id)
    assert asking.results() == results
    assert len(server.ledger.posts) == 10


def test_a_batch_that_is_not_in_the_folder_is_named(server, tmp_path):
    provider = AnthropicMessages(tmp_path / "spool", 1)
    with pytest.raises(ProviderError, match="no batch messages-1 in"):
        provider.download("messages-1", tmp_path / "results")
    with pytest.raises(ProviderError, match="no batch messages-1 in"):
        provider.cancel("messages-1")
    assert list(provider.list()) == []
