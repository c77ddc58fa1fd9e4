"""What a batch API answers for good ends every command with a way out, and lands what it can.

The real SDK asks a server that knows one batch of three requests, ``msgbatch_1``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product
from types import SimpleNamespace

import orjson
import pytest
from landing_house import empty_landing
from scripted_server import Answer, Asked
from test_batches import ALL_SUCCEEDED, Clock, ids, lines, outcomes, plant, result, rows

from latent_probes import landing, warehouse
from latent_probes.common import limits, terminal
from latent_probes.common.home import Home
from latent_probes.providers import ProviderError, anthropic_api
from latent_probes.providers.anthropic_batches import AnthropicBatches
from latent_probes.queue import batches, runner, trials

BATCH = {
    "id": "msgbatch_1",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 3, "errored": 0, "canceled": 0, "expired": 0},
    "created_at": "2026-11-26T10:00:00Z",
    "archived_at": None,
    # The key is not sent to another host, even if a response asks for it.
    "results_url": "http://127.0.0.1:9/v1/messages/batches/msgbatch_1/results",
}
RESULTS = lines(*map(result, ids("ours", 3)))
CANCELING = "/v1/messages/batches/msgbatch_1/cancel"
ALL_MISSING = [(f"ours-{number}", "missing") for number in range(3)]
NOT_FOUND = {"type": "error", "error": {"type": "not_found_error", "message": "no such batch"}}


def script(**changes: object) -> Callable[[Asked], Answer]:
    """A server that has the batch with these fields, or the answers at these places."""
    batch = BATCH | {name: value for name, value in changes.items() if name in BATCH}

    def answer(asked: Asked) -> Answer:
        path = asked.path.partition("?")[0].removeprefix("/v1/messages/batches")
        place = {"": "list", "/msgbatch_1": "one", "/msgbatch_1/results": "results"}.get(path)
        found = changes.get(place or "cancel")
        if found is not None:
            return found() if callable(found) else found
        if place == "results":
            return Answer(RESULTS)
        if place is None and batch["processing_status"] == "ended":
            return Answer(b"{}", 400)
        page = {"data": [batch], "has_more": False, "first_id": None, "last_id": None}
        return Answer(orjson.dumps(page if place == "list" else batch))

    return answer


def no_batches() -> Answer:
    return Answer(b'{"data": [], "has_more": false, "first_id": null, "last_id": null}')


def without_end() -> Answer:
    return Answer(b"[" * (1 << 20) for _ in range(1_000))


def pages_without_end() -> Answer:
    page = {"data": [], "has_more": True, "last_id": str(time.monotonic_ns())}
    return Answer(orjson.dumps(page))


GONE = {
    "archived": {"archived_at": "2026-12-25T10:00:00Z", "results_url": None},
    "results gone": {"results": Answer(b"{}", 410)},
    "batch gone": {"one": Answer(b"{}", 410)},
}
# What is answered, and what the error says.
FINAL = {
    "deleted": (
        {
            "list": no_batches,
            "one": Answer(orjson.dumps(NOT_FOUND), 404),
            "cancel": Answer(b"", 404),
        },
        "does not list msgbatch_1",
    ),
    "no results": ({"results_url": None}, "the batch has no results: status 200, .*msgbatch_1"),
    "another batch": ({"one": Answer(orjson.dumps(BATCH | {"id": "x"}))}, "is another batch"),
    "results missing": ({"results": Answer(orjson.dumps(NOT_FOUND), 404)}, "404 not_found_error"),
    "results refused": (
        {"results": Answer(b"<p>\x1b[31mNo</p>", 403)},
        "403: <p>\N{REPLACEMENT CHARACTER}",
    ),
    "results of others": (
        {"results": Answer(lines(*map(result, ids("theirs", 3))))},
        'They begin with: {"custom_id": "theirs-0-1"',
    ),
    "results that are a page": ({"results": Answer(b"<html>Log in")}, "begin with: <html>Log in"),
    "results without end": ({"results": without_end}, "is longer than [0-9,]+ bytes"),
    "results compressed": (
        {"results": Answer(RESULTS, headers={"content-encoding": "gzip"})},
        r"is compressed \(gzip\)",
    ),
    "results elsewhere": (
        {"results": Answer(b"", 307, {"location": "http://127.0.0.1:9/"})},
        "307.*a redirect, which is not followed",
    ),
    "unknown status": (
        {"processing_status": "done\x1b[2J"},
        "does not have: done\N{REPLACEMENT CHARACTER}",
    ),
    "running for days": (
        {"processing_status": "in_progress"},
        "still lists msgbatch_1 as in_progress",
    ),
    "no list": ({"list": Answer(b"<html>Log in")}, "the response is not JSON .*<html>Log in"),
    "list of another API": ({"list": Answer(b'{"data": []}')}, "not a list of batches"),
    "list of something": (
        {"list": Answer(b'{"data": ["msgbatch_1"], "has_more": false}')},
        "has a batch that is not one",
    ),
    "list nested too deeply": ({"list": Answer(b"[" * 1_000_000)}, "nested too deeply"),
    "list without end": ({"list": without_end}, "is longer than [0-9,]+ bytes"),
    "pages without end": ({"list": pages_without_end}, "more than 3 pages"),
    "the same page again": (
        {"list": Answer(b'{"data": [], "has_more": true, "last_id": "x"}')},
        "names no next page",
    ),
    "list elsewhere": (
        {
            "list": Answer(
                b'{"data": [], "has_more": false}', 302, {"location": "http://127.0.0.1:9/"}
            )
        },
        "302.*a redirect, which is not followed",
    ),
    "key refused": (
        {"list": Answer(b"{}", 401), "cancel": Answer(b"{}", 401)},
        "ANTHROPIC_API_KEY",
    ),
}

OF_EACH_KIND = ("deleted", "no results", "results that are a page", "running for days", "no list")


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (batches, runner, anthropic_api):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(terminal, "wait", lambda seconds, message: clock.sleep(seconds))
    for name, limit in {
        "RESPONSE_BYTES": 4 << 20,
        "RESULT_BYTES": 1 << 16,
        "LIST_PAGES": 3,
    }.items():
        monkeypatch.setattr(limits, name, limit)
    for name in ("build", "build_before_run", "build_queue", "test_queue"):
        monkeypatch.setattr(warehouse, name, lambda *values, **options: None)
    monkeypatch.setattr(runner, "refuse_without_documents", lambda home: None)
    monkeypatch.setattr(runner, "submit", lambda *values, **options: 0)
    monkeypatch.setattr(trials.Watch, "look", lambda watch: None)
    return clock


@pytest.fixture
def home(tmp_path, clock, monkeypatch):
    """A home whose batch was sent three days ago."""
    monkeypatch.setattr(landing, "looked_at", landing.opened)
    home = Home(tmp_path, tmp_path / "home")
    with landing.opened(empty_landing(home.landing)) as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            """
            create table warehouse.round_settings as
            from landing.started_rounds select * exclude (started_at);
            create table warehouse.round_documents as from landing.started_round_documents
            """
        )
        plant(home, SimpleNamespace(name=AnthropicBatches.name), mark=False)
        connection.execute(
            "update batches set state = 'submitted', n_sends = 1, "
            "provider_batch_id = 'msgbatch_1', submitted_at = now() - interval 3 days"
        )
        yield home


def run(home: Home, once: bool = False) -> None:
    runner.answer_pending(home, AnthropicBatches(), once=once, max_cost=None)


def cancel(home: Home, *given_up: str) -> None:
    runner.cancel_batches(home, lambda name: AnthropicBatches(), given_up)


COMMANDS = {"run": run, "run once": lambda home: run(home, once=True), "cancel": cancel}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_results_of_a_batch_are_fetched_from_its_own_server(scripted, home, command):
    scripted(script())
    command(home)
    assert outcomes(home) == ALL_SUCCEEDED


@pytest.mark.parametrize(
    ("command", "name"), [("run once", "archived"), ("cancel", "archived"), *product(["run"], GONE)]
)
def test_requests_whose_results_are_gone_land_as_missing(scripted, home, command, name, capsys):
    scripted(script(**GONE[name]))
    COMMANDS[command](home)
    assert "the results of msgbatch_1 are gone (" in capsys.readouterr().out
    assert outcomes(home) == ALL_MISSING
    assert rows(home, "select state from batches") == [("landed",)]
    # They can be asked again.
    assert rows(home, "from claims") == []


@pytest.mark.parametrize(
    ("command", "name"), [*product(["run"], FINAL), *product(["run once", "cancel"], OF_EACH_KIND)]
)
def test_a_response_for_good_ends_every_command_and_the_batch_can_be_given_up(
    scripted, home, clock, command, name
):
    changes, said = FINAL[name]
    server = scripted(script(**changes))
    with pytest.raises(ProviderError, match=said) as caught:
        COMMANDS[command](home)
    shown = str(caught.value)
    assert "anthropic-batches" in shown or "msgbatch_1" in shown
    assert len(shown) < 3 * limits.SHOWN_CHARACTERS + 500
    assert clock.seconds < 3600
    assert len(server.asked) < 30
    # Nothing is asked of a model again.
    assert {asked.path for asked in server.asked if asked.method == "POST"} <= {CANCELING}
    assert rows(home, "select state from batches") == [("submitted",)]
    cancel(home, "msgbatch_1")
    assert outcomes(home) == ALL_MISSING
    assert rows(home, "from claims") == []


@pytest.mark.parametrize(
    "answer", [Answer(b"{}", 529), Answer(b"{}", 429, {"retry-after": "99999999"})]
)
def test_a_run_waits_for_a_day_and_no_longer(scripted, home, clock, monkeypatch, answer):
    # Hours of work before the outage do not count.
    monkeypatch.setattr(limits, "OUTAGE_SECONDS", 300.0)
    hours = [1000]
    monkeypatch.setattr(
        batches, "settle", lambda *values, **options: clock.sleep(hours.pop() if hours else 0)
    )
    server = scripted(script(list=answer))
    with pytest.raises(ProviderError, match=r"anthropic-batches was unreachable .*run again later"):
        run(home)
    assert len(server.asked) > 3
    assert clock.seconds < 10_000


def test_a_provider_that_is_busy_for_a_day_refuses_the_batch(scripted, home, clock, monkeypatch):
    monkeypatch.setattr(limits, "OUTAGE_SECONDS", 300.0)
    with landing.opened(home.landing) as connection:
        connection.execute(
            "update batches set state = 'intended', n_sends = 0, provider_batch_id = null"
        )
    scripted(lambda asked: Answer(b"{}", 429) if asked.method == "POST" else no_batches())
    with pytest.raises(ProviderError, match="refused a batch: 429"):
        run(home)
    assert 300 <= clock.seconds < 400
    assert rows(home, "from claims") == []
