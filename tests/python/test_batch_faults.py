"""Seeded runs of the batch protocol in which anything fails and the client dies anywhere.

The queue is that of a real project; the stand-in for the API commits and resets, errs, lists late,
damages results; the client is killed before and after each step and in the midst of them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from stand_in import StandIn

pytestmark = pytest.mark.rounds

MODEL = "claude-haiku-4-5-20251001"
N_DOCUMENTS = 9
MOST_RESTARTS = 150
SETTLE_SECONDS = 1.0
LATE_SECONDS = 0.1
# An API that takes one sending as two batches is outside of what is promised. Plain refusals are
# left to other tests, so that what is not heard of has the greater share here.
WITHOUT = (
    "double commit",
    *(f"refusal {status}" for status in (401, 402, 403, 404, 413, 422)),
    *("absurd rate limit", "negative rate limit", "rate limit until a date", "spend limit"),
)
UNHEARD = (
    "late commit after an error",
    "late commit after a reset",
    "reset after commit",
    "error after commit",
    "hang after commit",
    "reset before the body",
)
FAILED_RESULTS = ("invalid result", "overloaded result", "expired result", "canceled result")


class Mortal:
    """A process that makes runs and lets them die."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).parent / "killable_run.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, **order) -> dict:
        """The exit status of one run, and what it said."""
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def mortal():
    process = Mortal()
    yield process
    process.close()


@pytest.fixture(scope="module")
def planned(tmp_path_factory, new_checkout):
    """A project whose generator requests are pending."""
    checkout = new_checkout(tmp_path_factory.mktemp("planned"))
    checkout.set_rounds(f"1,{N_DOCUMENTS},1,gemma-3-270m,-2,5,{MODEL},{MODEL},{MODEL},false")
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    checkout.runs("latent-probes", "plan")
    return checkout


@contextmanager
def opened(home: Path):
    connection = duckdb.connect(str(home / "landing.duckdb"), read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def copy_of(planned, folder: Path) -> Path:
    """A home in which nothing was asked yet."""
    folder.mkdir()
    for name in ("landing.duckdb", "warehouse.duckdb"):
        shutil.copyfile(planned.home / name, folder / name)
    return folder


def drain(mortal, planned, home: Path, server: StandIn, seed: int, deaths: float) -> int:
    """Run until a run ends by itself, with nothing left to do; return how many runs it took."""
    for restarts in range(MOST_RESTARTS):
        if restarts == MOST_RESTARTS // 2:
            server.faults.clear()
        is_over = restarts >= MOST_RESTARTS // 2
        outcome = mortal.run(
            project=str(planned.folder),
            home=str(home),
            environment={"ANTHROPIC_BASE_URL": server.address, "ANTHROPIC_API_KEY": server.key},
            seed=seed * 1000 + restarts,
            deaths=0.0 if is_over else deaths,
            timeout_seconds=0.4,
            max_requests=4,
            settle_seconds=SETTLE_SECONDS,
        )
        assert server.key not in outcome["said"]
        if outcome["code"] == 0:
            return restarts + 1
        # It died, or said why it stopped; a bug of ours would be another error.
        assert outcome["code"] in (-9, -14) or "Error: " in outcome["said"], outcome
        assert "latent_probes.providers" in outcome["said"] or outcome["code"] < 0, outcome["said"]
    raise AssertionError(f"no end: {outcome['said']}")


def answers(home: Path) -> dict[str, str]:
    """What was answered to each request."""
    with opened(home) as connection:
        return dict(
            connection.execute(
                """
                select request_id, text
                from responses where outcome = 'succeeded'
                order by all
                """
            ).fetchall()
        )


def assert_nothing_lost_or_doubled(home: Path, server: StandIn, undisturbed: dict[str, str]):
    """Each request has the answer of the undisturbed run, once, and was billed once."""
    assert answers(home) == undisturbed
    with opened(home) as connection:
        rows = connection.execute
        assert rows("select count(*) from responses where outcome = 'succeeded'").fetchall() == [
            (len(undisturbed),)
        ]
        assert rows("select request_id from claims order by all").fetchall() == [
            (request_id,) for request_id in sorted(undisturbed)
        ]
        assert (
            rows("select state from batches where state not in ('landed', 'released')").fetchall()
            == []
        )
        # What the provider's results left out, three times, was paid and had to be asked again.
        unheard = dict(
            rows(
                "select request_id, count(*) from responses "
                "where outcome in ('missing', 'postponed') group by all"
            ).fetchall()
        )
    billed = server.ledger.billed_requests
    assert {request_id: billed[request_id] for request_id in undisturbed} == {
        request_id: 1 + unheard.get(request_id, 0) for request_id in undisturbed
    }
    assert set(billed) == set(undisturbed)
    assert list((home / "batches").glob("*.jsonl*")) == []
    for path in home.rglob("*"):
        assert not path.is_file() or server.key.encode() not in path.read_bytes(), path


@pytest.fixture(scope="module")
def undisturbed(mortal, planned, tmp_path_factory):
    """The answers of a run in which nothing goes wrong."""
    home = copy_of(planned, tmp_path_factory.mktemp("undisturbed") / "home")
    with StandIn() as server:
        assert drain(mortal, planned, home, server, seed=0, deaths=0.0) == 1
        expected = answers(home)
        assert len(expected) == N_DOCUMENTS
        assert_nothing_lost_or_doubled(home, server, expected)
    return expected


def disturbed_run(mortal, planned, undisturbed, home: Path, seed: int) -> int:
    """One scenario, drawn from its seed; return how many runs it took."""
    with StandIn(seed=seed, seconds=0.05 * (seed % 3)) as server:
        # One that is sure to happen, and whatever else the seed has.
        server.plan(UNHEARD[seed % len(UNHEARD)], seconds=LATE_SECONDS)
        for place, share in (("creation", 0.5), ("list", 0.15), ("download", 0.2)):
            server.chaos(seed, share, at=[place], without=WITHOUT, seconds=LATE_SECONDS)
        for name in FAILED_RESULTS:
            server.plan(name, None, chance=0.05)
        n_runs = drain(mortal, planned, home, server, seed, deaths=0.04)
        assert_nothing_lost_or_doubled(home, server, undisturbed)
    return n_runs


def test_nothing_is_lost_and_nothing_is_billed_twice(mortal, planned, undisturbed, tmp_path):
    home = copy_of(planned, tmp_path / "home")
    disturbed_run(mortal, planned, undisturbed, home, seed=0)


@pytest.mark.soak
@pytest.mark.parametrize("first_seed", range(1000, 1200, 10))
def test_nothing_is_lost_in_hundreds_of_runs(mortal, planned, undisturbed, tmp_path, first_seed):
    for seed in range(first_seed, first_seed + 10):
        home = copy_of(planned, tmp_path / f"home-{seed}")
        disturbed_run(mortal, planned, undisturbed, home, seed)
        shutil.rmtree(home)
