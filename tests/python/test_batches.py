"""The life of a batch: nothing is lost and nothing is sent twice, whatever the service does."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from landing_house import empty_landing

from latent_probes import landing, warehouse
from latent_probes.common import files, terminal
from latent_probes.common.home import Home
from latent_probes.providers import ListedBatch, ProviderError, RefusedError, UnreachableError
from latent_probes.queue import batches, runner, trials

OPENED_AT = datetime(2026, 1, 1)


@dataclass
class Held:
    """A batch that the service has."""

    provider_batch_id: str
    custom_ids: list[str]
    created_at: datetime
    # It is not listed before the list was read so often.
    unseen_reads: float = 0
    has_ended: bool = True
    counts: dict[str, int] | None = None
    # What each download gives; the last one again and again. Without any, all succeeded.
    contents: list[bytes] = field(default_factory=list)


class Clock:
    """A clock that only moves while somebody sleeps, in place of the module ``time``."""

    def __init__(self):
        self.seconds = 0.0

    def monotonic(self) -> float:
        """The time."""
        return self.seconds

    def sleep(self, seconds) -> None:
        """Let time pass; nobody sleeps for ever."""
        self.seconds += seconds
        assert self.seconds < 100_000


class Service:
    """A provider in memory, that takes, loses and repeats batches as it is told."""

    name = "fake"
    max_requests = 1_000
    max_bytes = 1 << 20
    poll_seconds = 30.0
    recording_hash = None
    asks_when_collected = False
    settle_seconds = 120.0
    message_sql = landing.MESSAGES_API

    def __init__(self, clock):
        self.clock = clock
        self.n_taken = 0
        self.held: list[Held] = []
        # What the next sendings meet: an error to raise, or a key of `submit`; then "take".
        self.moods: list[str | Exception] = []
        self.sent_at: list[float] = []
        self.canceled: list[str] = []
        self.forgotten: list[str] = []
        self.downloads: list[str] = []
        self.list_reads = 0
        # How often the list is not to be heard.
        self.deaf_reads: float = 0

    def take(self, custom_ids: list[str], **more) -> Held:
        """Take a batch, two minutes after the one before."""
        self.n_taken += 1
        created_at = OPENED_AT + timedelta(minutes=2 * self.n_taken)
        held = Held(f"batch-{self.n_taken}", custom_ids, created_at, **more)
        self.held.append(held)
        return held

    def submit(self, body) -> str:
        """Take the batch, or not, and answer, or not."""
        self.sent_at.append(self.clock.seconds)
        mood = self.moods.pop(0) if self.moods else "take"
        if isinstance(mood, Exception):
            raise mood
        custom_ids = [json.loads(line)["custom_id"] for line in body.open()]
        unseen_reads, copies = {
            "take": (0, 1),
            "take unheard": (0, 1),
            "take unheard and be slow": (2, 1),
            "take too late": (float("inf"), 1),
            "take and be killed": (0, 1),
            "take thrice unheard": (0, 3),
            "lose": (0, 0),
        }[mood]
        taken = [self.take(custom_ids, unseen_reads=unseen_reads) for _ in range(copies)]
        if mood == "take":
            return taken[0].provider_batch_id
        if mood == "take and be killed":
            raise KeyboardInterrupt
        raise UnreachableError("the line is dead")

    def list(self):
        """What is to be seen, newest first."""
        self.list_reads += 1
        if self.deaf_reads:
            self.deaf_reads -= 1
            raise UnreachableError("the line is dead")
        for held in self.held:
            held.unseen_reads = max(0, held.unseen_reads - 1)
        for held in sorted(self.held, key=lambda held: held.created_at, reverse=True):
            if not held.unseen_reads:
                yield ListedBatch(
                    held.provider_batch_id,
                    len(held.custom_ids),
                    held.created_at,
                    held.has_ended,
                    held.counts,
                )

    def named(self, provider_batch_id) -> Held:
        """The batch of that id."""
        (held,) = [held for held in self.held if held.provider_batch_id == provider_batch_id]
        return held

    def download(self, provider_batch_id, results) -> None:
        """Give what is planted, or every request's success."""
        self.downloads.append(provider_batch_id)
        held = self.named(provider_batch_id)
        if not held.contents:
            held.contents = [lines(*map(result, held.custom_ids))]
        results.write_bytes(held.contents.pop(0) if len(held.contents) > 1 else held.contents[0])

    def cancel(self, provider_batch_id) -> None:
        """Cancel every request of the batch."""
        self.canceled.append(provider_batch_id)
        held = self.named(provider_batch_id)
        held.contents = [lines(*(result(name, "canceled") for name in held.custom_ids))]

    def forget(self, provider_batch_id) -> None:
        """Only remember that it was asked for."""
        self.forgotten.append(provider_batch_id)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(batches, "time", clock)
    monkeypatch.setattr(terminal, "wait", lambda seconds, message: clock.sleep(seconds))
    return clock


@pytest.fixture
def service(clock):
    return Service(clock)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home whose landing file stays open beside whoever opens it: that is fast."""
    # A process opens a file either to read or to write.
    monkeypatch.setattr(landing, "looked_at", landing.opened)
    home = Home(tmp_path, tmp_path / "home")
    with landing.opened(empty_landing(home.landing)) as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            """
            create table warehouse.round_settings as
            select
                1 as round_number, 1 as n_docs, 1 as seed, 'source' as source_model,
                4 as calibration_level, 5 as n_answers, 'm' as generator_model,
                'm' as answerer_model, 'm' as judge_model, 'en' as language,
                'Qwen/Qwen3-8B' as tokenizer,
                4 as siblings_shown, 3 as min_siblings, 3 as typical_siblings,
                3 as min_sentences_beside_split, 12 as max_neighbours,
                0.25 as position_tolerance, 4000 as complement_characters,
                5 as further_siblings, 1200 as further_characters, 5 as min_atom_words
            """
        )
        connection.execute(
            "create table warehouse.round_documents as "
            "select 1 as round_number, 'doc' as doc_id, [0] as continuation_idxs, "
            "[9] as kept_lengths, [1] as further_idxs, [5] as further_lengths, "
            "[7] as further_kept_lengths"
        )
        yield home


def result(custom_id, outcome="succeeded", **more):
    return json.dumps({"custom_id": custom_id, "result": {"type": outcome, **more}})


def errored(custom_id, kind, message="no such model"):
    error = {"type": "error", "error": {"type": kind, "message": message}}
    return result(custom_id, "errored", error=error)


def lines(*texts):
    return "".join(f"{text}\n" for text in texts).encode()


def ids(name, n_requests):
    return [f"{name}-{number}-1" for number in range(n_requests)]


def plant(home, service, name="ours", n_requests=3, faults=0, mark=True):
    """Intend a batch as a run does; return its id."""
    newest = next(iter(service.list()), None) if mark else None
    body = (json.dumps({"custom_id": custom_id}).encode() for custom_id in ids(name, n_requests))
    batch_id = files.write_by_hash(home.batches, body)
    with landing.opened(home.landing) as connection:
        connection.execute(
            f"""
            create or replace temp table intended as
            select
                '{name}-' || number as request_id, 1 as attempt, 'judge' as stage,
                1 as round_number, 'm' as model, 'p' as prompt_hash, 'i' as input_hash,
                's' as shown_hash, null as settings, null as unit_map,
                if(number >= {n_requests}, $fault, null) as fault,
            from range({n_requests + faults}) as numbers (number)
            """,
            {"fault": errored("fault-1", "encoding_error", "a lone surrogate")},
        )
        batch = {
            "batch_id": batch_id,
            "provider": service.name,
            "n_requests": n_requests,
            "mark_id": newest and newest.provider_batch_id,
            "mark_created_at": newest and newest.created_at,
        }
        landing.intend(connection, batch, "warehouse")
    service.list_reads = 0
    return batch_id


def hand_in(home, service, batch_id, patient=True):
    batches.hand_in(home, service, batch_id, patient=patient)


def settle(home, service):
    batches.settle(home, service, patient=True)


def planted_and_handed_in(home, service, *moods, **more):
    """A batch that is intended and handed in to a service of these moods."""
    batch_id = plant(home, service, **more)
    service.moods = list(moods)
    hand_in(home, service, batch_id)
    return batch_id


def rows(home, query):
    with landing.opened(home.landing) as connection:
        return connection.execute(query).fetchall()


def known(home):
    """What is known of the only batch: its state, its id at the service, how it was got."""
    [row] = rows(home, "select state, provider_batch_id, n_sends, was_adopted from batches")
    return row


def outcomes(home):
    return rows(home, "select request_id, outcome from responses order by all")


def disowned(home):
    return rows(home, "select provider_batch_id, reason from disowned_batches order by all")


ALL_SUCCEEDED = [(f"ours-{number}", "succeeded") for number in range(3)]


# Handing in ------------------------------------------------------------------------------------


def test_a_batch_that_is_taken_is_sent_once_and_never_looked_for(home, service):
    planted_and_handed_in(home, service)
    assert known(home) == ("submitted", "batch-1", 1, False)
    assert len(service.sent_at) == 1
    assert service.list_reads == 0


def test_an_intended_batch_that_was_never_sent_is_sent_without_a_look(home, service):
    plant(home, service)
    settle(home, service)
    assert known(home) == ("submitted", "batch-1", 1, False)
    assert service.list_reads == 0


@pytest.mark.parametrize("mood", ["take unheard", "take unheard and be slow"])
def test_an_unheard_batch_that_was_taken_is_adopted_and_not_sent_again(home, service, mood):
    planted_and_handed_in(home, service, mood)
    assert known(home) == ("submitted", "batch-1", 1, True)
    assert len(service.sent_at) == 1
    assert service.canceled == []


def test_a_batch_whose_sending_was_killed_is_adopted_by_the_next_run(home, service):
    with pytest.raises(KeyboardInterrupt):
        planted_and_handed_in(home, service, "take and be killed")
    assert known(home) == ("intended", None, 1, False)
    settle(home, service)
    assert known(home) == ("submitted", "batch-1", 1, True)
    assert len(service.sent_at) == 1


def test_a_batch_that_was_not_taken_is_sent_again_only_after_the_settle_window(home, service):
    planted_and_handed_in(home, service, "lose")
    first, second = service.sent_at
    assert second - first == service.settle_seconds
    assert service.list_reads == 11
    assert known(home) == ("submitted", "batch-1", 2, False)


def test_of_several_copies_the_oldest_is_adopted_and_the_others_are_canceled(home, service):
    planted_and_handed_in(home, service, "take thrice unheard")
    assert known(home) == ("submitted", "batch-1", 1, True)
    assert service.canceled == ["batch-2", "batch-3"]
    assert disowned(home) == [("batch-2", "surplus"), ("batch-3", "surplus")]


def test_a_canceled_copy_is_never_looked_at_again(home, service):
    planted_and_handed_in(home, service, "lose", "take thrice unheard")
    assert batches.collect(home, service) == 3
    assert service.canceled == ["batch-2", "batch-3"]
    assert service.downloads == ["batch-1"]
    assert outcomes(home) == ALL_SUCCEEDED


def of_another_size(home, service):
    batch_id = plant(home, service)
    service.take(ids("theirs", 2))
    service.take(ids("theirs", 4))
    return batch_id


def older_than_the_mark(home, service):
    service.take(ids("theirs", 3))
    service.take(ids("theirs", 1))
    return plant(home, service)


def the_mark_itself(home, service):
    service.take(ids("theirs", 3))
    return plant(home, service)


def older_than_a_mark_that_is_no_longer_listed(home, service):
    service.take(ids("theirs", 3))
    mark = service.take(ids("theirs", 1))
    batch_id = plant(home, service)
    service.held.remove(mark)
    return batch_id


def landed(home, service):
    planted_and_handed_in(home, service, name="before", mark=False)
    assert batches.collect(home, service) == 3
    return plant(home, service, mark=False)


def disowned_before(home, service):
    batch_id = plant(home, service)
    service.take(ids("theirs", 3))
    with landing.opened(home.landing) as connection:
        landing.disown(connection, batch_id, "batch-1", "foreign")
    return batch_id


@pytest.mark.parametrize(
    "prepare",
    [
        of_another_size,
        older_than_the_mark,
        the_mark_itself,
        older_than_a_mark_that_is_no_longer_listed,
        landed,
        disowned_before,
    ],
)
def test_a_batch_that_cannot_be_ours_is_never_adopted(home, service, prepare):
    batch_id = prepare(home, service)
    n_sent = len(service.sent_at)
    service.moods = ["lose"]
    hand_in(home, service, batch_id)
    assert len(service.sent_at) == n_sent + 2
    assert rows(
        home,
        "select provider_batch_id, was_adopted from batches where state = 'submitted'",
    ) == [(service.held[-1].provider_batch_id, False)]
    assert service.canceled == []


def test_a_newer_batch_is_found_behind_a_mark_that_is_no_longer_listed(home, service):
    mark = service.take(ids("theirs", 1))
    batch_id = plant(home, service)
    service.moods = ["take unheard"]
    service.held.remove(mark)
    hand_in(home, service, batch_id)
    assert len(service.sent_at) == 1


def test_a_service_that_is_deaf_for_a_moment_is_asked_again(home, service):
    batch_id = plant(home, service)
    service.moods = ["take unheard"]
    service.deaf_reads = 2
    hand_in(home, service, batch_id)
    assert known(home) == ("submitted", "batch-1", 1, True)
    assert service.list_reads == 3


def test_nothing_is_sent_again_while_the_provider_is_unreachable(home, service):
    batch_id = plant(home, service)
    service.moods = ["take unheard"]
    service.deaf_reads = float("inf")
    with pytest.raises(UnreachableError):
        hand_in(home, service, batch_id)
    assert known(home) == ("intended", None, 1, False)
    service.deaf_reads = 0
    settle(home, service)
    assert known(home) == ("submitted", "batch-1", 1, True)
    assert len(service.sent_at) == 1


def test_a_service_that_never_answers_is_left_with_the_batch_unknown(home, service):
    service.settle_seconds = 0.0
    with pytest.raises(
        ProviderError, match="run again later, which first checks whether it was accepted"
    ):
        planted_and_handed_in(home, service, *["lose"] * (batches.MOST_SENDS + 1))
    assert known(home) == ("intended", None, batches.MOST_SENDS, False)
    assert len(rows(home, "from claims")) == 3


@pytest.mark.parametrize("patient", [True, False])
def test_a_refusal_releases_the_batch(home, service, patient):
    batch_id = plant(home, service)
    service.moods = [RefusedError("no such key")]
    with pytest.raises(ProviderError, match="fake refused a batch: no such key"):
        hand_in(home, service, batch_id, patient=patient)
    assert known(home) == ("released", None, 0, False)
    assert rows(home, "from claims") == []
    assert rows(home, "from started_rounds") == []
    assert len(service.sent_at) == 1


@pytest.mark.parametrize("wait_seconds", [None, 7.0])
def test_a_busy_service_is_waited_for(home, service, wait_seconds):
    busy = RefusedError("too many requests", can_wait=True, wait_seconds=wait_seconds)
    planted_and_handed_in(home, service, busy, busy)
    assert known(home) == ("submitted", "batch-1", 1, False)
    assert service.list_reads == 0
    first, second, third = service.sent_at
    wait_seconds = service.poll_seconds if wait_seconds is None else wait_seconds
    assert second - first == third - second == wait_seconds


def test_a_wait_of_nothing_is_a_wait_all_the_same(home, service):
    batch_id = plant(home, service)
    service.moods = [RefusedError("busy", can_wait=True, wait_seconds=0.0)] * 3
    hand_in(home, service, batch_id)
    assert service.sent_at == [0, service.poll_seconds, *service.sent_at[2:]]
    assert len(service.sent_at) == 4


def test_a_refusal_after_an_unheard_sending_leaves_the_batch_unknown(home, service):
    batch_id = plant(home, service)
    service.moods = ["take too late", RefusedError("no credit")]
    with pytest.raises(ProviderError, match="refused"):
        hand_in(home, service, batch_id)
    assert known(home)[0] == "intended"
    # What was taken so late is found by the next run, and nothing is sent twice.
    service.held[0].unseen_reads = 0
    hand_in(home, service, batch_id)
    assert batches.collect(home, service) == 3
    assert outcomes(home) == ALL_SUCCEEDED


@pytest.mark.parametrize(
    ("patient", "wait_seconds"), [(False, 1.0), (True, batches.LONGEST_WAIT_SECONDS + 1)]
)
def test_a_service_that_is_busy_for_too_long_has_the_batch_released(
    home, service, patient, wait_seconds
):
    batch_id = plant(home, service)
    service.moods = [RefusedError("too many", can_wait=True, wait_seconds=wait_seconds)]
    with pytest.raises(ProviderError, match="refused a batch: too many"):
        hand_in(home, service, batch_id, patient=patient)
    assert known(home)[0] == "released"


def test_an_unheard_batch_is_looked_for_again_after_a_wait(home, service):
    # The first sending is seen only after the second was refused.
    service.settle_seconds = 0.0
    busy = RefusedError("too many", can_wait=True)
    planted_and_handed_in(home, service, "take unheard and be slow", busy)
    assert known(home) == ("submitted", "batch-1", 1, True)
    assert len(service.held) == 1


def test_a_batch_whose_body_is_gone_is_released_and_not_sent(home, service):
    batch_id = plant(home, service)
    batches.body_file(home, batch_id).unlink()
    with pytest.raises(ProviderError, match=r"body file .* is missing"):
        hand_in(home, service, batch_id)
    assert known(home) == ("released", None, 0, False)
    assert service.sent_at == []


def test_files_of_no_open_batch_are_swept(home, service):
    batch_id = planted_and_handed_in(home, service)
    kept = {f"{batch_id}.jsonl", f"{batch_id}.results.jsonl", f"{batch_id}.results.jsonl.part"}
    swept = {f"{'0' * 64}.jsonl", f"{'0' * 64}.results.jsonl", f"{'0' * 64}.results.jsonl.part"}
    for name in kept | swept:
        (home.batches / name).touch()
    (home.batches / "lexical").mkdir()
    settle(home, service)
    assert {path.name for path in home.batches.iterdir()} == kept | {"lexical"}


def test_a_submitted_batch_is_settled(home, service):
    planted_and_handed_in(home, service)
    settle(home, service)
    assert len(service.sent_at) == 1
    assert known(home) == ("submitted", "batch-1", 1, False)


# Collecting ------------------------------------------------------------------------------------


def test_a_batch_that_has_ended_lands_and_is_let_go(home, service):
    planted_and_handed_in(home, service)
    assert batches.collect(home, service) == 3
    assert known(home)[0] == "landed"
    assert outcomes(home) == ALL_SUCCEEDED
    assert service.forgotten == ["batch-1"]
    assert list(home.batches.iterdir()) == []
    assert batches.collect(home, service) == 0
    assert service.downloads == ["batch-1"]


def test_a_batch_that_has_not_ended_is_left_alone(home, service):
    batch_id = planted_and_handed_in(home, service)
    service.held[0].has_ended = False
    assert batches.collect(home, service) == 0
    assert known(home)[0] == "submitted"
    assert service.downloads == []
    assert batches.body_file(home, batch_id).exists()


def test_without_open_batches_the_service_is_not_asked(home, service):
    assert batches.collect(home, service) == 0
    assert service.list_reads == 0


def test_a_late_copy_of_a_batch_that_was_sent_again_is_canceled(home, service):
    planted_and_handed_in(home, service, "take too late")
    assert known(home) == ("submitted", "batch-2", 2, False)
    service.held[0].unseen_reads = 0
    assert batches.collect(home, service) == 3
    assert service.canceled == ["batch-1"]
    assert disowned(home) == [("batch-1", "surplus")]
    assert service.downloads == ["batch-2"]
    assert outcomes(home) == ALL_SUCCEEDED


def test_a_batch_of_equal_size_is_no_copy_of_what_was_sent_once(home, service):
    planted_and_handed_in(home, service)
    service.take(ids("theirs", 3))
    assert batches.collect(home, service) == 3
    assert service.canceled == []


@pytest.mark.parametrize(("mood", "n_sends"), [("take too late", 1), ("lose", 2)])
def test_a_foreign_batch_is_disowned_and_ours_is_looked_for_again(home, service, mood, n_sends):
    batch_id = plant(home, service)
    service.take(ids("theirs", 3))
    service.moods = [mood]
    hand_in(home, service, batch_id)
    assert known(home) == ("submitted", "batch-1", 1, True)
    assert batches.collect(home, service) == 0
    assert known(home) == ("intended", None, 1, False)
    assert disowned(home) == [("batch-1", "foreign")]
    assert rows(home, "from responses") == rows(home, "from stray_results") == []
    for held in service.held:
        held.unseen_reads = 0
    settle(home, service)
    assert known(home) == ("submitted", "batch-2", n_sends, n_sends == 1)
    assert batches.collect(home, service) == 3
    assert outcomes(home) == ALL_SUCCEEDED
    assert service.canceled == []


def test_a_damaged_download_does_not_make_an_adopted_batch_foreign(home, service):
    planted_and_handed_in(home, service, "take unheard")
    theirs = lines(*map(result, ids("theirs", 3)))
    service.held[0].contents = [theirs, WHOLE[:20], theirs, WHOLE]
    assert batches.collect(home, service) == 3
    assert len(service.downloads) == 4
    assert disowned(home) == []
    assert outcomes(home) == ALL_SUCCEEDED


@pytest.fixture
def without_dbt(monkeypatch):
    """A run whose warehouse never changes, and in which nothing new is pending."""
    for name in ("build", "build_before_run", "build_queue", "test_queue"):
        monkeypatch.setattr(warehouse, name, lambda *values, **options: None)
    monkeypatch.setattr(runner, "refuse_without_documents", lambda home: None)
    monkeypatch.setattr(runner, "submit", lambda *values, **options: 0)
    monkeypatch.setattr(trials.Watch, "look", lambda watch: None)


def test_a_run_waits_until_an_outage_is_over(home, service, without_dbt, capsys):
    planted_and_handed_in(home, service)
    service.held[0].has_ended = False

    def end_and_fall_silent(*values, **options):
        if not service.held[0].has_ended:
            service.held[0].has_ended = True
            service.deaf_reads = 7
        return 0

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "submit", end_and_fall_silent)
        runner.answer_pending(home, service, once=False, max_cost=None)
    assert outcomes(home) == ALL_SUCCEEDED


def test_a_single_pass_reports_an_unreachable_provider(home, service, without_dbt):
    planted_and_handed_in(home, service)
    service.deaf_reads = 1
    with pytest.raises(UnreachableError, match="fake: the line is dead; run again later"):
        runner.answer_pending(home, service, once=True, max_cost=None)


def test_nothing_is_submitted_while_a_batch_is_unknown(home, service, monkeypatch, without_dbt):
    batch_id = plant(home, service)
    states = []
    monkeypatch.setattr(
        runner, "submit", lambda *values, **options: states.append(known(home)[0]) or 0
    )
    # Nothing is heard of any sending until the run gives up for a while, and tries again.
    service.moods = [UnreachableError("the line is dead")] * (batches.MOST_SENDS + 1)
    with pytest.raises(ProviderError):
        hand_in(home, service, batch_id)
    runner.answer_pending(home, service, once=False, max_cost=None)
    assert states
    assert "intended" not in states
    assert outcomes(home) == ALL_SUCCEEDED


def test_a_run_looks_again_for_a_disowned_batch(home, service, without_dbt):
    batch_id = plant(home, service)
    service.take(ids("theirs", 3))
    service.moods = ["take too late"]
    hand_in(home, service, batch_id)
    service.held[1].unseen_reads = 1
    runner.answer_pending(home, service, once=False, max_cost=None)
    assert outcomes(home) == ALL_SUCCEEDED
    assert len(service.sent_at) == 1


WHOLE = lines(*map(result, ids("ours", 3)))
CUT = {
    "nothing": b"",
    "a part of a line": WHOLE[:20],
    "a line and a half": WHOLE[: len(WHOLE) // 2],
    "two lines": lines(*map(result, ids("ours", 2))),
    "half a character": result("ours-0-1", message="é").encode()[:20] + b"\xc3",
    "a page of a proxy": lines("<html>", "bad gateway", "</html>"),
    "a line too many": WHOLE + lines(result("ours-0-1")),
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
@pytest.mark.parametrize("mood", ["take", "take unheard"])
def test_results_that_are_cut_off_are_downloaded_again(home, service, cut, mood):
    planted_and_handed_in(home, service, mood)
    service.held[0].contents = [cut, WHOLE]
    assert batches.collect(home, service) == 3
    assert len(service.downloads) == 2
    assert outcomes(home) == ALL_SUCCEEDED
    assert rows(home, "from stray_results") == []


def test_available_results_land_when_downloads_stay_incomplete(home, service):
    planted_and_handed_in(home, service, "take unheard")
    service.held[0].contents = [lines(*map(result, ids("ours", 2))) + b'{"custom_id": "ours-2']
    assert batches.collect(home, service) == 3
    assert len(service.downloads) == batches.MOST_DOWNLOADS
    assert outcomes(home) == [*ALL_SUCCEEDED[:2], ("ours-2", "missing")]
    assert rows(home, "select reason, line from stray_results") == [
        ("unreadable", '{"custom_id": "ours-2')
    ]
    assert len(rows(home, "from claims")) == 2


@pytest.mark.parametrize("mood", ["take", "take unheard"])
@pytest.mark.parametrize("content", [b"", WHOLE[:20]], ids=["nothing", "torn"])
def test_a_batch_without_any_result_lands_nothing_and_is_not_given_up(home, service, mood, content):
    planted_and_handed_in(home, service, mood)
    service.held[0].contents = [content]
    with pytest.raises(ProviderError, match="nothing landed"):
        batches.collect(home, service)
    assert len(service.downloads) == batches.MOST_DOWNLOADS
    assert known(home)[:2] == ("submitted", "batch-1")
    assert outcomes(home) == []
    assert service.forgotten == []
    service.held[0].contents = [WHOLE]
    assert batches.collect(home, service) == 3
    assert outcomes(home) == ALL_SUCCEEDED


def test_foreign_results_of_a_batch_that_was_named_to_us_are_an_error(home, service):
    planted_and_handed_in(home, service)
    service.held[0].contents = [lines(*map(result, ids("theirs", 3)))]
    with pytest.raises(ProviderError, match="do not belong to the submitted batch"):
        batches.collect(home, service)
    assert known(home) == ("submitted", "batch-1", 1, False)
    assert disowned(home) == []


def test_results_that_differ_from_the_counts_are_downloaded_again(home, service):
    planted_and_handed_in(home, service)
    expired = result("ours-2-1", "expired")
    service.held[0].counts = {"succeeded": 2, "errored": 0, "expired": 1}
    service.held[0].contents = [WHOLE, lines(*map(result, ids("ours", 2)), expired)]
    assert batches.collect(home, service) == 3
    assert len(service.downloads) == 2
    assert outcomes(home)[2] == ("ours-2", "expired")


def test_results_that_stay_different_from_the_counts_land_as_they_are(home, service, capsys):
    planted_and_handed_in(home, service)
    service.held[0].counts = {"succeeded": 2, "expired": 1}
    assert batches.collect(home, service) == 3
    assert len(service.downloads) == batches.MOST_DOWNLOADS
    assert outcomes(home) == ALL_SUCCEEDED
    assert "3 results are succeeded, but the provider counts 2" in capsys.readouterr().out


def test_results_that_agree_with_the_counts_are_downloaded_once(home, service):
    planted_and_handed_in(home, service)
    service.held[0].counts = {"succeeded": 3, "errored": 0}
    assert batches.collect(home, service) == 3
    assert len(service.downloads) == 1


def test_a_download_that_is_not_heard_lands_nothing(home, service, monkeypatch):
    planted_and_handed_in(home, service)

    def unheard(provider_batch_id, results):
        results.write_bytes(WHOLE[:20])
        raise UnreachableError("the line is dead")

    with monkeypatch.context() as patched:
        patched.setattr(service, "download", unheard)
        with pytest.raises(UnreachableError):
            batches.collect(home, service)
    assert outcomes(home) == []
    assert batches.collect(home, service) == 3
    assert outcomes(home) == ALL_SUCCEEDED


# Errors that most requests have ----------------------------------------------------------------


def land_errors(home, service, n_requests, *errors, before=0):
    """Land a batch whose first requests have these errors; so many succeeded before it."""
    if before:
        planted_and_handed_in(home, service, name="before", n_requests=before)
        batches.collect(home, service)
    planted_and_handed_in(home, service, n_requests=n_requests)
    names = ids("ours", n_requests)
    service.held[-1].contents = [
        lines(
            *(errored(name, *error) for name, error in zip(names, errors, strict=False)),
            *map(result, names[len(errors) :]),
        )
    ]
    return batches.collect(home, service)


@pytest.mark.parametrize(
    ("thinking", "message", "stops"),
    [
        ("budget", "output_config.format: not with thinking", False),
        ("adaptive", "Structured outputs are not supported", False),
        ("none", "output_config.format: not supported", True),
        ("budget", "max_tokens must be greater than thinking.budget_tokens", True),
        ("adaptive", "output_config.effort: not supported", True),
    ],
)
def test_a_refused_schema_stops_no_run(home, service, thinking, message, stops):
    """It is asked again without the schema."""
    settings = {"thinking": thinking, "thinking_tokens": 8000, "is_structured": True}
    with landing.opened(home.landing) as connection:
        planted_and_handed_in(home, service, n_requests=1)
        connection.execute("update requests set settings = ?", [json.dumps(settings)])
    (name,) = ids("ours", 1)
    service.held[-1].contents = [lines(errored(name, "invalid_request_error", message))]
    if stops:
        with pytest.raises(ProviderError, match=re.escape(message)):
            batches.collect(home, service)
    else:
        assert batches.collect(home, service) == 1


@pytest.mark.parametrize("kind", ["invalid_request_error", "authentication_error", "not_heard_of"])
@pytest.mark.parametrize(("n_errors", "before"), [(1, 0), (3, 0), (batches.FEW_ERRORS, 1)])
def test_an_error_that_most_requests_have_stops_the_run_after_landing(
    home, service, kind, n_errors, before
):
    said = f"{n_errors} of {n_errors} requests failed with the same error: {kind}: no such model"
    with pytest.raises(ProviderError, match=said):
        land_errors(home, service, n_errors, *[(kind,)] * n_errors, before=before)
    assert rows(home, "select distinct state from batches") == [("landed",)]
    assert [outcome for _, outcome in outcomes(home)].count("errored") == n_errors
    assert service.forgotten[-1] == service.held[-1].provider_batch_id
    assert list(home.batches.iterdir()) == []


def test_a_long_error_is_shown_shortened_and_harmless(home, service):
    with pytest.raises(ProviderError) as caught:
        land_errors(home, service, 3, *[("invalid_request_error", "\x1b[2J<p>\n" * 10_000)] * 3)
    assert len(str(caught.value)) < 1000
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", batches.PASSING_ERRORS)
def test_an_error_that_passes_stops_nothing(home, service, kind):
    assert land_errors(home, service, 3, *[(kind,)] * 3) == 3
    assert known(home)[0] == "landed"


@pytest.mark.parametrize(
    "errors",
    [
        [("invalid_request_error", f"message {number}") for number in range(12)],
        [("invalid_request_error",)] * 6 + [("not_found_error",)] * 6,
        [("invalid_request_error",)] * 6,
    ],
    ids=["messages differ", "half and half", "half"],
)
def test_errors_that_no_majority_has_stop_nothing(home, service, errors):
    assert land_errors(home, service, 12, *errors) == 12


def test_a_few_errors_stop_nothing_where_anything_succeeded(home, service):
    n_errors = batches.FEW_ERRORS - 1
    errors = [("invalid_request_error",)] * n_errors
    assert land_errors(home, service, n_errors, *errors, before=1) == n_errors


def test_requests_that_could_not_be_encoded_count_as_requests_that_failed(home, service):
    planted_and_handed_in(home, service, n_requests=11, faults=11)
    assert batches.collect(home, service) == 11
    planted_and_handed_in(home, service, name="next", n_requests=9, faults=11)
    with pytest.raises(ProviderError, match=r"11 of 20 requests .* encoding_error: a lone"):
        batches.collect(home, service)


# What is lost ----------------------------------------------------------------------------------


def test_a_batch_that_is_no_longer_listed_is_an_error_and_stays_open(home, service):
    planted_and_handed_in(home, service)
    service.held.clear()
    service.settle_seconds = 0.0
    with pytest.raises(ProviderError, match=r"does not list batch-1, .*still open here"):
        batches.collect(home, service)
    assert known(home) == ("submitted", "batch-1", 1, False)
    assert len(rows(home, "from claims")) == 3


def test_a_batch_that_is_not_listed_yet_is_waited_for(home, service):
    planted_and_handed_in(home, service)
    service.held[0].unseen_reads = 2
    assert batches.collect(home, service) == 0
    assert batches.collect(home, service) == 3


def killed_while_landing(home, service, monkeypatch):
    """Collect, and die when the results are to be landed."""

    def die(connection, batch_id, message_sql):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(landing, "add_responses", die)
        with pytest.raises(KeyboardInterrupt):
            batches.collect(home, service)


@pytest.mark.parametrize("is_listed", [True, False])
def test_results_that_were_kept_land_after_a_kill(home, service, monkeypatch, is_listed):
    planted_and_handed_in(home, service)
    killed_while_landing(home, service, monkeypatch)
    assert outcomes(home) == []
    if not is_listed:
        service.held.clear()
    settle(home, service)
    assert batches.collect(home, service) == 3
    assert outcomes(home) == ALL_SUCCEEDED
    assert len(service.downloads) == 1
    assert list(home.batches.iterdir()) == []


def test_kept_results_land_before_another_batch_is_missed(home, service, monkeypatch):
    planted_and_handed_in(home, service, name="lost", n_requests=2)
    service.held[0].has_ended = False
    planted_and_handed_in(home, service)
    killed_while_landing(home, service, monkeypatch)
    service.held.clear()
    service.settle_seconds = 0.0
    with pytest.raises(ProviderError, match="does not list batch-1"):
        batches.collect(home, service)
    assert outcomes(home) == ALL_SUCCEEDED


def test_a_kill_after_landing_leaves_files_that_are_swept(home, service, monkeypatch):
    planted_and_handed_in(home, service)

    def die(provider_batch_id):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(service, "forget", die)
        with pytest.raises(KeyboardInterrupt):
            batches.collect(home, service)
    assert outcomes(home) == ALL_SUCCEEDED
    settle(home, service)
    assert list(home.batches.iterdir()) == []
    assert batches.collect(home, service) == 0


# Canceling -------------------------------------------------------------------------------------


def cancel(home, service):
    for batch in batches.open_at(home):
        batches.cancel(home, service, batch)


def test_canceling_releases_what_was_never_sent(home, service):
    plant(home, service)
    cancel(home, service)
    assert known(home) == ("released", None, 0, False)
    assert rows(home, "from claims") == []
    assert (service.canceled, service.list_reads) == ([], 0)


def test_canceling_cancels_what_was_submitted_and_what_was_answered_lands(home, service):
    planted_and_handed_in(home, service)
    cancel(home, service)
    assert service.canceled == ["batch-1"]
    assert known(home)[0] == "submitted"
    assert batches.collect(home, service) == 3
    assert {outcome for _, outcome in outcomes(home)} == {"canceled"}
    assert rows(home, "from claims") == []


def test_canceling_finds_what_was_taken_unheard(home, service):
    with pytest.raises(KeyboardInterrupt):
        planted_and_handed_in(home, service, "take and be killed")
    cancel(home, service)
    assert known(home) == ("submitted", "batch-1", 1, True)
    assert service.canceled == ["batch-1"]


def test_canceling_releases_what_was_surely_not_taken(home, service, clock):
    service.deaf_reads = 0
    batch_id = plant(home, service)
    with landing.opened(home.landing) as connection:
        landing.sending(connection, batch_id)
    cancel(home, service)
    assert clock.seconds == service.settle_seconds
    assert known(home)[0] == "released"
    assert service.canceled == []


def test_canceling_releases_nothing_while_the_provider_is_unreachable(home, service):
    with pytest.raises(KeyboardInterrupt):
        planted_and_handed_in(home, service, "take and be killed")
    service.deaf_reads = float("inf")
    with pytest.raises(UnreachableError):
        cancel(home, service)
    assert known(home) == ("intended", None, 1, False)
