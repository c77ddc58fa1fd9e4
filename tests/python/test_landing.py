"""The landing file: opening and locking, claims, and what lands."""

import json
import subprocess
import sys
import time
from datetime import datetime

import duckdb
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landing_house import empty_landing

from latent_probes import landing
from latent_probes.common import limits
from latent_probes.landing import Batch

FAULT = '{"custom_id": "x-1", "result": {"type": "errored"}}'
MARKED_AT = datetime(2026, 1, 2, 3, 4, 5)
HOLDER = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "landing.duckdb"


@pytest.fixture
def connection(path):
    """The landing file, open, with a tiny warehouse attached."""
    with landing.opened(empty_landing(path)) as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            """
            create table warehouse.round_settings as
            select
                unnest([1, 2]) as round_number, 10 as n_docs, 7 as seed,
                'Qwen/Qwen3-8B' as source_model, 4 as calibration_level, 5 as n_answers,
                'lexical' as generator_model, 'lexical' as answerer_model,
                'lexical' as judge_model, 'de' as language, 't' as tokenizer,
                5 as siblings_shown, 6 as min_siblings, 7 as typical_siblings,
                8 as min_sentences_beside_split, 9 as max_neighbours,
                0.5 as position_tolerance, 10 as complement_characters,
                11 as further_siblings, 12 as further_characters, 13 as min_atom_words
            """
        )
        connection.execute(
            """
            create table warehouse.round_documents as
            select unnest([1, 1, 2]) as round_number, unnest(['b', 'a', 'c']) as doc_id,
                [2, 0, 1] as continuation_idxs, [30, 10, 20] as kept_lengths,
                [4, 3] as further_idxs, [9, 8] as further_lengths,
                [90, 80] as further_kept_lengths
            """
        )
        yield connection


def rows(connection, query):
    return connection.execute(query).fetchall()


def strays(connection):
    """What is kept of lines that are no responses."""
    return rows(connection, "select reason, line from stray_results")


FROZEN_VARS = (
    "language, tokenizer, siblings_shown, min_siblings, typical_siblings, "
    "min_sentences_beside_split, max_neighbours, position_tolerance, complement_characters, "
    "further_siblings, further_characters, min_atom_words"
)
COLUMNS = (
    "select table_name, column_name, data_type, is_nullable from duckdb_columns() order by all"
)


def state(connection):
    """Everything in the landing file."""
    tables = rows(
        connection,
        "select table_name from duckdb_tables() where database_name = 'landing' order by all",
    )
    return {table: rows(connection, f"from landing.{table} order by all") for (table,) in tables}


def intend(connection, batch_id, *attempts, round_number=1, faults=(), mark=None):
    """Intend a batch of attempts, each a request id and a number; some cannot be encoded."""
    connection.execute(
        """
        create or replace temp table intended (
            request_id varchar, attempt bigint, stage varchar, round_number bigint,
            model varchar, prompt_hash varchar, input_hash varchar, shown_hash varchar,
            settings varchar, unit_map varchar, fault varchar
        )
        """
    )
    for request_id, attempt in attempts:
        fault = FAULT if request_id in faults else None
        connection.execute(
            "insert into intended "
            "values (?, ?, 'generator', ?, 'lexical', 'p', 'i', 's', '{}', '[1]', ?)",
            [request_id, attempt, round_number, fault],
        )
    batch = {
        "batch_id": batch_id,
        "provider": "lexical",
        "n_requests": sum(request_id not in faults for request_id, _ in attempts),
        "mark_id": mark,
        "mark_created_at": mark and MARKED_AT,
    }
    landing.intend(connection, batch, "warehouse")


def result(request_id, attempt, outcome="succeeded", **more):
    """A line of results."""
    custom_id = f"{request_id}-{attempt}"
    return json.dumps({"custom_id": custom_id, "result": {"type": outcome, **more}})


def stage(connection, folder, content):
    """Stage a file of results that holds these bytes; return what is staged of each line."""
    path = folder / "results.jsonl"
    path.write_bytes(content)
    landing.stage_results(connection, path)
    return rows(
        connection, "select request_id, attempt, outcome, line from staged order by line_number"
    )


def land(connection, folder, batch_id, *lines):
    """Land lines of results."""
    stage(connection, folder, "".join(f"{line}\n" for line in lines).encode())
    landing.add_responses(connection, batch_id, landing.MESSAGES_API)


def claims(connection):
    return rows(connection, "select request_id, attempt from claims order by all")


def batch_states(connection):
    return dict(rows(connection, "select batch_id, state from batches"))


def responses(connection):
    return rows(connection, "select request_id, attempt, outcome from responses order by all")


# Opening ---------------------------------------------------------------------------------------


def test_a_fresh_file_has_its_tables_and_version(path):
    with landing.opened(path) as connection:
        assert rows(connection, "from landing_version") == [(landing.VERSION,)]
        assert set(state(connection)) >= {"rollouts", "requests", "responses", "claims"}


def test_missing_folders_are_made(tmp_path):
    landing.prepare(tmp_path / "a" / "b" / "landing.duckdb")
    assert (tmp_path / "a" / "b" / "landing.duckdb").is_file()


def test_opening_again_changes_nothing(path):
    landing.prepare(path)
    with landing.opened(path) as connection:
        connection.execute("insert into claims values ('r', 1)")
        before = state(connection)
    with landing.opened(path) as connection:
        assert state(connection) == before


@pytest.mark.parametrize("version", [landing.VERSION + 1, 1])
def test_a_file_of_another_version_is_refused_and_let_go(path, version):
    with landing.opened(path) as connection:
        connection.execute("update landing_version set version = ?", [version])
    with pytest.raises(landing.LandingError, match=f"has version {version}, .*install"):
        landing.connect(path)
    with duckdb.connect(path) as connection:
        assert rows(connection, "from landing_version") == [(version,)]


def test_usage_at_the_ends_of_its_range_is_read_also_in_a_file_of_version_6(path):
    """Once, one such answer kept its batch from landing for ever."""
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_creation_input_tokens": 2**63 - 1,
        "cache_creation": {"ephemeral_1h_input_tokens": -(2**63)},
    }
    body = json.dumps({"result": {"message": {"content": [], "usage": usage}}})
    with landing.opened(path) as connection:
        connection.execute("update landing_version set version = 6")
        connection.execute("create or replace macro read_messages_api(line) as error('overflow')")
    with landing.opened(path) as connection:
        (message,) = rows(connection, f"select read_messages_api('{body}')")[0]
    assert message == {"text": "", "stop_reason": None, "model": None, "usage": None}


def test_a_file_of_version_2_is_brought_to_the_current_one(path):
    with duckdb.connect(path) as connection:
        connection.execute(
            """
            create table landing_version (version integer not null);
            insert into landing_version values (2);
            create table landed_files (
                file_hash varchar primary key, file_name varchar not null,
                file_rows bigint not null, rollouts_added bigint not null,
                landed_at timestamp not null
            );
            insert into landed_files values ('hash', 'r.jsonl', 3, 2, '2026-11-01');
            create table rollouts (
                source_model varchar not null, doc_id varchar not null,
                continuation_idx bigint not null, doc_source varchar not null,
                prefix varchar not null, continuation varchar not null, sampling json not null,
                file_hash varchar not null, primary key (source_model, doc_id, continuation_idx)
            );
            insert into rollouts values
                ('m', 'a', 0, 's', 'p', 'four', '{}', 'hash'),
                ('m', 'a', 1, 's', 'p', 'sevenöé', '{}', 'hash');
            create table started_rounds (
                round_number bigint primary key, n_docs bigint not null, seed bigint not null,
                source_model varchar not null, calibration_level bigint not null,
                n_answers bigint not null, generator_model varchar not null,
                answerer_model varchar not null, judge_model varchar not null,
                started_at timestamp not null
            );
            insert into started_rounds values
                (1, 1, 1, 'm', 0, 5, 'g', 'a', 'j', '2026-11-02'),
                (2, 1, 1, 'm', 0, 5, 'g', 'a', 'j', '2026-11-02');
            create table started_round_documents (
                round_number bigint not null, doc_id varchar not null,
                continuation_idxs bigint[] not null, primary key (round_number, doc_id)
            );
            insert into started_round_documents values (1, 'a', [1, 0]);
            create table claims (request_id varchar primary key, attempt bigint not null);
            insert into claims values ('paid', 1);
            """
        )
    with landing.opened(path) as connection:
        assert rows(connection, "from landing_version") == [(landing.VERSION,)]
        assert rows(connection, "select kind, name, n_rows from rollout_sources") == [
            ("file", "r.jsonl", 3)
        ]
        assert rows(connection, "select source_hash, continuation_tokens from rollouts") == [
            ("hash", None),
            ("hash", None),
        ]
        assert rows(connection, "from started_round_documents") == [
            (1, "a", [1, 0], [7, 4], [], [], [])
        ]
        # As many siblings as the round lists; one that lists none showed those of that edition.
        assert rows(connection, f"select {FROZEN_VARS} from started_rounds order by all") == [
            ("en", "Qwen/Qwen3-8B", n_shown, 3, 3, 3, 12, 0.25, 4000, 0, 0, 0) for n_shown in (2, 4)
        ]
        assert claims(connection) == [("paid", 1)]
        upgraded = rows(connection, COLUMNS)
    with landing.opened(path.with_name("fresh.duckdb")) as connection:
        assert rows(connection, COLUMNS) == upgraded


def test_equal_changes_of_two_rows_are_a_change(path):
    found = set()
    for day in ("2026-01-01", "2026-01-02"):
        with landing.opened(path) as connection:
            connection.execute("delete from token_counts")
            connection.execute(
                "insert into token_counts "
                f"select unnest(['a', 'b']), 'm', 'p', 1, timestamp '{day}'"
            )
        found.add(landing.contents(path)["token_counts"])
    assert len(found) == 2


def test_a_view_in_place_of_a_table_is_refused(path):
    with landing.opened(path) as connection:
        connection.execute("alter table claims rename to kept; create view claims as from kept")
    view = "claims must be a table; .*restore a copy"
    with pytest.raises(landing.LandingError, match=view), landing.looked_at(path):
        pass
    with duckdb.connect() as connection, pytest.raises(landing.LandingError, match=view):
        landing.attach(connection, path)


def test_contents_are_the_same_where_a_file_is_attached(path):
    with duckdb.connect() as connection:
        landing.attach(connection, path)
        attached = landing.contents_of(connection, "landing")
    assert attached == landing.contents(path)
    assert "responses" in attached and "landing_version" not in attached


@pytest.mark.parametrize("folder", ["landing", "block"])
def test_a_file_that_is_not_duckdb_is_refused_and_unchanged(tmp_path, folder):
    path = tmp_path / folder / "landing.duckdb"
    path.parent.mkdir()
    path.write_text("source_model,doc_id\n" * 100)
    with pytest.raises(landing.LandingError, match="cannot be opened"):
        landing.connect(path, timeout_seconds=0.2)
    assert path.read_text() == "source_model,doc_id\n" * 100


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(landing.LandingError, match="cannot be opened"):
        landing.connect(tmp_path, timeout_seconds=0)


@pytest.mark.parametrize("places", [range(0, 8192), range(12288, 20480)], ids=["head", "body"])
def test_a_damaged_file_is_refused(path, places):
    landing.prepare(path)
    content = bytearray(path.read_bytes())
    for place in places:
        content[place] ^= 255
    path.write_bytes(content)
    with pytest.raises(landing.LandingError, match="cannot be opened"):
        landing.connect(path, timeout_seconds=0)


def held(path, seconds):
    """A process that holds the file for so many seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_file_is_waited_for(path):
    landing.prepare(path)
    with held(path, seconds=0.5):
        landing.connect(path, timeout_seconds=20).close()


def test_a_file_that_stays_held_is_refused_by_name(path):
    landing.prepare(path)
    with held(path, seconds=30) as process:
        started = time.monotonic()
        holder = rf"is open in python[0-9.]* \(PID {process.pid}\): close it"
        with pytest.raises(landing.LandingError, match=holder):
            landing.connect(path, timeout_seconds=0.3)
        assert 0.3 <= time.monotonic() - started < 5
        process.kill()


def test_a_killed_writer_leaves_all_of_a_transaction_or_nothing(path):
    landing.prepare(path)
    program = (
        "import os, pathlib, sys\n"
        "from latent_probes import landing\n"
        "connection = landing.connect(pathlib.Path(sys.argv[1]))\n"
        "connection.execute(\"insert into claims values ('whole', 1)\")\n"
        "with landing.transaction(connection):\n"
        "    connection.execute(\"insert into claims values ('half', 1)\")\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == 9
    with landing.opened(path) as connection:
        assert claims(connection) == [("whole", 1)]


def test_a_transaction_that_fails_changes_nothing(connection):
    with pytest.raises(KeyboardInterrupt), landing.transaction(connection):
        connection.execute("insert into claims values ('half', 1)")
        raise KeyboardInterrupt
    assert claims(connection) == []


def test_first_is_the_first_row_or_none(connection):
    assert landing.first(connection, "from range(5)") == (0,)
    assert landing.first(connection, "from range(5) where range > ?", [4]) is None


# Claims ----------------------------------------------------------------------------------------


def test_an_intent_claims_its_requests(connection):
    intend(connection, "one", ("a", 1), ("b", 1))
    assert claims(connection) == [("a", 1), ("b", 1)]
    assert responses(connection) == []
    assert batch_states(connection) == {"one": "intended"}
    assert rows(connection, "select request_id, batch_id, unit_map from requests order by all") == [
        ("a", "one", "[1]"),
        ("b", "one", "[1]"),
    ]


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("is_submitted", [False, True])
def test_an_open_request_cannot_be_intended_again(connection, attempt, is_submitted):
    intend(connection, "one", ("a", 1))
    if is_submitted:
        landing.submitted(connection, "one", "batch-1")
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "two", ("b", 1), ("a", attempt), round_number=2)
    assert state(connection) == before


def test_an_answered_request_cannot_be_intended_again(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    land(connection, tmp_path, "one", result("a", 1))
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "two", ("b", 1), ("a", 1))
    assert state(connection) == before


def test_a_request_cannot_be_twice_in_a_batch(connection):
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "one", ("a", 1), ("a", 2))
    assert state(connection) == before


@pytest.mark.parametrize("outcome", ["errored", "expired", "canceled"])
def test_a_failed_request_can_be_intended_again(connection, tmp_path, outcome):
    intend(connection, "one", ("a", 1), ("b", 1))
    land(connection, tmp_path, "one", result("a", 1, outcome), result("b", 1))
    assert claims(connection) == [("b", 1)]
    intend(connection, "two", ("a", 2))
    assert claims(connection) == [("a", 2), ("b", 1)]


def test_a_failed_attempt_cannot_be_intended_under_its_number(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    land(connection, tmp_path, "one", result("a", 1, "errored"))
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "two", ("a", 1))
    assert state(connection) == before


def test_an_unusable_answer_gives_its_claim_to_a_later_attempt(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    land(connection, tmp_path, "one", result("a", 1))
    intend(connection, "two", ("a", 2))
    assert claims(connection) == [("a", 2)]
    assert responses(connection) == [("a", 1, "succeeded")]


def test_an_open_later_attempt_keeps_its_claim(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    land(connection, tmp_path, "one", result("a", 1))
    intend(connection, "two", ("a", 2))
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "three", ("a", 3))
    assert state(connection) == before


def test_a_refused_intent_leaves_the_claims_of_unusable_answers(connection, tmp_path):
    intend(connection, "one", ("unusable", 1), ("open", 1))
    land(connection, tmp_path, "one", result("unusable", 1), result("open", 1, "errored"))
    intend(connection, "two", ("open", 2))
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "three", ("unusable", 2), ("open", 2))
    assert state(connection) == before


def test_a_batch_cannot_be_intended_twice(connection):
    intend(connection, "one", ("a", 1))
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "one", ("b", 1))
    assert state(connection) == before


def test_a_released_request_can_be_intended_again(connection):
    intend(connection, "one", ("a", 1), ("b", 1))
    landing.release(connection, "one")
    assert claims(connection) == []
    assert batch_states(connection) == {"one": "released"}
    intend(connection, "two", ("a", 2))
    assert claims(connection) == [("a", 2)]


def test_a_release_leaves_the_claims_of_other_batches(connection):
    intend(connection, "one", ("a", 1))
    intend(connection, "two", ("b", 1))
    landing.release(connection, "one")
    assert claims(connection) == [("b", 1)]
    assert batch_states(connection) == {"one": "released", "two": "intended"}


def test_a_late_release_leaves_the_claim_of_the_next_attempt(connection):
    intend(connection, "one", ("a", 1))
    landing.release(connection, "one")
    intend(connection, "two", ("a", 2))
    landing.release(connection, "one")
    assert claims(connection) == [("a", 2)]


# Rounds ----------------------------------------------------------------------------------------


def test_the_first_intent_of_a_round_freezes_it(connection):
    intend(connection, "one", ("a", 1))
    assert rows(connection, "select round_number, n_docs, seed from started_rounds") == [(1, 10, 7)]
    assert rows(connection, f"select {FROZEN_VARS} from started_rounds") == [
        ("de", "t", 5, 6, 7, 8, 9, 0.5, 10, 11, 12, 13)
    ]
    assert rows(connection, "from started_round_documents order by all") == [
        (1, "a", [2, 0, 1], [30, 10, 20], [4, 3], [9, 8], [90, 80]),
        (1, "b", [2, 0, 1], [30, 10, 20], [4, 3], [9, 8], [90, 80]),
    ]


def test_a_later_intent_leaves_a_frozen_round(connection):
    intend(connection, "one", ("a", 1))
    frozen = "from started_rounds", "from started_round_documents order by all"
    before = [rows(connection, query) for query in frozen]
    connection.execute("update warehouse.round_settings set n_docs = 99")
    connection.execute(
        "insert into warehouse.round_documents values (1, 'late', [0], [5], [], [], [])"
    )
    intend(connection, "two", ("b", 1))
    assert [rows(connection, query) for query in frozen] == before


def test_a_refused_intent_freezes_no_round(connection):
    intend(connection, "one", ("a", 1))
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "two", ("a", 1), round_number=2)
    assert rows(connection, "select round_number from started_rounds") == [(1,)]


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_round_without_other_requests_is_no_longer_frozen(connection, is_taken):
    intend(connection, "one", ("a", 1), round_number=1)
    intend(connection, "two", ("c", 1), round_number=2)
    intend(connection, "three", ("b", 1), round_number=1)
    if is_taken:
        landing.submitted(connection, "three", "batch-3")
    landing.release(connection, "one")
    landing.release(connection, "two")
    assert rows(connection, "select round_number from started_rounds") == [(1,)]
    assert rows(connection, "select distinct round_number from started_round_documents") == [(1,)]


def test_a_round_is_frozen_again_after_its_release(connection):
    intend(connection, "one", ("a", 1))
    landing.release(connection, "one")
    connection.execute("update warehouse.round_settings set n_docs = 99")
    intend(connection, "two", ("a", 2))
    assert rows(connection, "select n_docs from started_rounds") == [(99,)]
    assert len(rows(connection, "from started_round_documents")) == 2


def test_a_round_that_landed_stays_frozen(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    land(connection, tmp_path, "one", result("a", 1, "errored"))
    intend(connection, "two", ("a", 2))
    landing.release(connection, "two")
    assert rows(connection, "select round_number from started_rounds") == [(1,)]


@pytest.mark.parametrize(("asked", "kept"), [(8, 8), (3, 5)])
def test_more_answers_may_be_asked_for_later_and_fewer_never(connection, asked, kept):
    intend(connection, "one", ("a", 1))
    connection.execute("update warehouse.round_settings set n_answers = ?", [asked])
    intend(connection, "two", ("b", 1))
    assert rows(connection, "select n_answers from started_rounds") == [(kept,)]


# Faults ----------------------------------------------------------------------------------------


def test_a_fault_is_answered_at_once_and_claims_nothing(connection):
    intend(connection, "one", ("a", 1), ("x", 1), faults=["x"])
    assert responses(connection) == [("x", 1, "errored")]
    assert rows(connection, "select body from responses") == [(FAULT,)]
    assert claims(connection) == [("a", 1)]
    assert rows(connection, "select n_requests, state from batches") == [(1, "intended")]
    intend(connection, "two", ("x", 2))


def test_the_answer_to_a_fault_stays_when_its_batch_lands(connection, tmp_path):
    intend(connection, "one", ("a", 1), ("x", 1), faults=["x"])
    land(connection, tmp_path, "one", result("a", 1))
    assert responses(connection) == [("a", 1, "succeeded"), ("x", 1, "errored")]
    assert rows(connection, "select body from responses where request_id = 'x'") == [(FAULT,)]


def test_a_batch_in_which_nothing_could_be_encoded_is_released(connection):
    intend(connection, "one", ("x", 1), ("y", 1), faults=["x", "y"])
    assert batch_states(connection) == {"one": "released"}
    assert landing.open_batches(connection) == []
    assert claims(connection) == []
    assert responses(connection) == [("x", 1, "errored"), ("y", 1, "errored")]


def test_a_batch_in_which_nothing_could_be_encoded_freezes_no_round(connection):
    intend(connection, "one", ("x", 1), faults=["x"])
    assert rows(connection, "from started_rounds") == []
    assert rows(connection, "from started_round_documents") == []


def test_a_fault_leaves_the_claim_of_an_unusable_answer(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    land(connection, tmp_path, "one", result("a", 1))
    intend(connection, "two", ("a", 2), faults=["a"])
    assert claims(connection) == [("a", 1)]
    intend(connection, "three", ("a", 3))
    assert claims(connection) == [("a", 3)]


# Batches ---------------------------------------------------------------------------------------


def test_open_batches_are_those_intended_or_submitted_oldest_first(connection, tmp_path):
    for number, batch_id in enumerate(["z", "y", "x", "w"]):
        intend(connection, batch_id, (f"request-{number}", 1), mark=f"before-{batch_id}")
    landing.submitted(connection, "z", "batch-1", was_adopted=True)
    landing.release(connection, "y")
    landing.sending(connection, "x")
    land(connection, tmp_path, "w", result("request-3", 1))
    (submitted_at,) = landing.first(
        connection, "select submitted_at from batches where batch_id = 'z'"
    )
    assert submitted_at is not None
    assert landing.open_batches(connection) == [
        Batch(
            batch_id="z",
            provider="lexical",
            n_requests=1,
            mark_id="before-z",
            mark_created_at=MARKED_AT,
            n_sends=0,
            was_adopted=True,
            provider_batch_id="batch-1",
            state="submitted",
            submitted_at=submitted_at,
        ),
        Batch(
            batch_id="x",
            provider="lexical",
            n_requests=1,
            mark_id="before-x",
            mark_created_at=MARKED_AT,
            n_sends=1,
            was_adopted=False,
            provider_batch_id=None,
            state="intended",
            submitted_at=None,
        ),
    ]


def test_a_batch_has_no_mark_where_the_provider_listed_nothing(connection):
    intend(connection, "one", ("a", 1))
    (batch,) = landing.open_batches(connection)
    assert (batch.mark_id, batch.mark_created_at) == (None, None)


def test_sendings_are_counted_but_for_those_refused(connection):
    intend(connection, "one", ("a", 1))
    intend(connection, "two", ("b", 1))
    seen = []
    for step in (landing.sending, landing.sending, landing.refused, landing.sending):
        step(connection, "one")
        seen.append([batch.n_sends for batch in landing.open_batches(connection)])
    assert seen == [[1, 0], [2, 0], [1, 0], [2, 0]]


def test_a_batch_that_landed_is_not_submitted_again(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    landing.submitted(connection, "one", "batch-1")
    land(connection, tmp_path, "one", result("a", 1))
    landing.submitted(connection, "one", "batch-2")
    assert rows(connection, "select state, provider_batch_id from batches") == [
        ("landed", "batch-1")
    ]


def test_a_disowned_batch_is_intended_again(connection):
    intend(connection, "one", ("a", 1), mark="before")
    landing.sending(connection, "one")
    landing.submitted(connection, "one", "foreign-1", was_adopted=True)
    landing.disown(connection, "one", "foreign-1", "foreign")
    assert landing.open_batches(connection) == [
        Batch("one", "lexical", 1, "before", MARKED_AT, 1, False, None, "intended", None)
    ]
    assert claims(connection) == [("a", 1)]
    landing.submitted(connection, "one", "batch-1")
    assert batch_states(connection) == {"one": "submitted"}


def test_a_disowned_copy_leaves_the_batch_that_we_go_by(connection):
    intend(connection, "one", ("a", 1))
    landing.submitted(connection, "one", "batch-1")
    before = landing.open_batches(connection)
    landing.disown(connection, "one", "batch-2", "surplus")
    assert landing.open_batches(connection) == before
    assert rows(connection, "select provider_batch_id, batch_id, reason from disowned_batches") == [
        ("batch-2", "one", "surplus")
    ]


def test_what_is_disowned_twice_is_disowned_once(connection):
    intend(connection, "one", ("a", 1))
    for _ in range(2):
        landing.disown(connection, "one", "batch-2", "surplus")
    assert rows(connection, "select reason from disowned_batches") == [("surplus",)]


def test_a_copy_of_a_foreign_batch_can_be_adopted_again(connection):
    intend(connection, "one", ("a", 1))
    intend(connection, "two", ("b", 1))
    landing.disown(connection, "one", "batch-2", "surplus")
    landing.disown(connection, "two", "batch-3", "surplus")
    landing.disown(connection, "one", "batch-1", "foreign")
    assert rows(
        connection, "select provider_batch_id, reason from disowned_batches order by all"
    ) == [("batch-1", "foreign"), ("batch-3", "surplus")]


def test_known_are_the_batches_that_landed_are_open_or_disowned(connection, tmp_path):
    assert landing.known_ids(connection) == set()
    for number, batch_id in enumerate(["landed", "open", "intended", "released"]):
        intend(connection, batch_id, (f"request-{number}", 1))
    landing.submitted(connection, "landed", "batch-1")
    land(connection, tmp_path, "landed", result("request-0", 1))
    landing.submitted(connection, "open", "batch-2")
    landing.submitted(connection, "intended", "batch-3")
    landing.disown(connection, "intended", "batch-3", "foreign")
    landing.release(connection, "released")
    assert landing.known_ids(connection) == {"batch-1", "batch-2", "batch-3"}


# Staging ---------------------------------------------------------------------------------------


def text_result(text, **options):
    """A line of results with a message."""
    body = {"custom_id": "a-1", "result": {"type": "succeeded", "message": text}}
    return json.dumps(body, **options)


READABLE = {
    "control characters": text_result("".join(map(chr, range(32)))),
    "quotes": text_result("\"double\" 'single' `back` \\ \\\\ \\n"),
    "commas, tabs and bars": text_result("a,b;c\td|e"),
    "unicode line separators": text_result("a\u2028b\u2029c\x85d\x0b\x0c", ensure_ascii=False),
    "NUL escapes": text_result("a\x00b"),
    "astral characters": text_result("👩\u200d👧 𝔘", ensure_ascii=False),
    "escaped astral characters": text_result("👩\u200d👧 𝔘"),
    "nested JSON": text_result({"deep": [{"custom_id": "z-9", "result": {"type": "errored"}}]}),
    "JSON in a string": text_result(text_result('{"custom_id": "z-9"}')),
    "many brackets": text_result(json.loads("[" * 900 + "]" * 900)),
    "5 MB": text_result("long " * 1_000_000),
    "space around": f"  {text_result('a')} \t",
    "a comment sign": text_result("# -- /* //"),
}


@pytest.mark.parametrize("line", READABLE.values(), ids=READABLE)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", ""], ids=["lf", "crlf", "none"])
def test_a_result_is_staged_and_lands_as_it_came(connection, tmp_path, line, line_end):
    expected = [("a", 1, "succeeded", line)]
    assert stage(connection, tmp_path, f"{line}{line_end}".encode()) == expected
    intend(connection, "one", ("a", 1))
    landing.add_responses(connection, "one", landing.MESSAGES_API)
    assert rows(connection, "select request_id, attempt, outcome, body from responses") == expected


UNREADABLE = {
    "no JSON": b"<html>busy</html>",
    "a torn line": result("a", 1).encode()[:-1],
    "a line torn in a string": b'{"custom_id": "a-1", "result": {"type": "succe',
    "a line torn in a character": text_result("é", ensure_ascii=False).encode()[:-4],
    "two results": f"{result('a', 1)}{result('b', 1)}".encode(),
    "bytes that are no text": b'{"custom_id": "a-1", "result": {"type": "x", "m": "\xff"}}',
    "bytes behind a backslash": b'{"custom_id": "a-1", "result": {"type": "x", "m": "\\\xff"}}',
    "a raw U+0001": b'{"custom_id": "a-1", "result": {"type": "x", "m": "\x01"}}',
    "a raw NUL": b'{"custom_id": "a-1", "result": {"type": "x", "m": "\x00"}}',
    "a number": b"1",
    "null": b"null",
    "a list": b'["custom_id", "result"]',
    "no custom_id": b'{"result": {"type": "succeeded"}}',
    "a custom_id that is no text": b'{"custom_id": 7, "result": {"type": "succeeded"}}',
    "no attempt": b'{"custom_id": "a", "result": {"type": "succeeded"}}',
    "no request": b'{"custom_id": "-1", "result": {"type": "succeeded"}}',
    "an attempt that is no number": b'{"custom_id": "a-one", "result": {"type": "succeeded"}}',
    "an attempt with a fraction": b'{"custom_id": "a-1.5", "result": {"type": "succeeded"}}',
    "no result": b'{"custom_id": "a-1"}',
    "a result that is a text": b'{"custom_id": "a-1", "result": "succeeded"}',
    "no type": b'{"custom_id": "a-1", "result": {"message": {}}}',
    "a type of null": b'{"custom_id": "a-1", "result": {"type": null}}',
}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (r'"\ud800"', r'"\ufffd"'),
        (r'"\uDFFF and \ud83d\ude00"', r'"\ufffd and \ud83d\ude00"'),
        (r'"\ud83d\ude00"', r'"\ud83d\ude00"'),
        (r'"a backslash: \\ud800"', r'"a backslash: \\ud800"'),
    ],
)
def test_half_a_character_costs_no_answer(connection, tmp_path, written, kept):
    intend(connection, "one", ("a", 1))
    line = '{"custom_id": "a-1", "result": {"type": "succeeded", "m": %s}}'
    ((request_id, _, outcome, body),) = stage(connection, tmp_path, (line % written).encode())
    assert (request_id, outcome) == ("a", "succeeded")
    assert body == line % kept


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_line_is_kept_as_a_stray_between_results(connection, tmp_path, line):
    intend(connection, "one", ("a", 1), ("b", 1))
    content = b"\n".join([result("b", 1).encode(), line, b""])
    staged = stage(connection, tmp_path, content)
    shown = line.decode(errors="backslashreplace")
    assert [(row[0], row[3]) for row in staged] == [("b", result("b", 1)), (None, shown)]
    assert landing.staged_counts(connection, "one") == {"succeeded": 1, "stray": 1}
    landing.add_responses(connection, "one", landing.MESSAGES_API)
    assert strays(connection) == [("unreadable", shown)]
    assert responses(connection) == [("a", 1, "missing"), ("b", 1, "succeeded")]


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n \n\t\r\n"])
def test_a_file_without_text_has_no_lines(connection, tmp_path, content):
    assert stage(connection, tmp_path, content) == []
    intend(connection, "one", ("a", 1))
    assert landing.staged_counts(connection, "one") == {}
    landing.add_responses(connection, "one", landing.MESSAGES_API)
    assert strays(connection) == []
    assert responses(connection) == [("a", 1, "missing")]


@pytest.mark.parametrize(
    ("custom_id", "request_id", "attempt"),
    [
        ("a-b--c-12", "a-b--c", 12),
        ("round-1-judge-0a3f-1", "round-1-judge-0a3f", 1),
        ("--1", "-", 1),
        ("ü-2", "ü", 2),
        ("a-99999999999999999999", "a", None),
    ],
)
def test_the_attempt_stands_after_the_last_dash(
    connection, tmp_path, custom_id, request_id, attempt
):
    line = json.dumps({"custom_id": custom_id, "result": {"type": "succeeded"}})
    assert stage(connection, tmp_path, line.encode()) == [(request_id, attempt, "succeeded", line)]


def test_line_breaks_may_differ_within_a_file(connection, tmp_path):
    names = ["a", "b", "c", "d"]
    breaks = ["\r\n", "\n", "\n\r\n", "\r"]
    content = "".join(
        result(name, 1) + line_end for name, line_end in zip(names, breaks, strict=True)
    )
    assert [row[0] for row in stage(connection, tmp_path, content.encode())] == names


def test_staged_lines_keep_their_order(connection, tmp_path):
    lines = [result(f"r-{number}", 1, message="z" * (number % 900)) for number in range(5_000)]
    content = "\n".join(reversed(lines)).encode()
    assert [row[3] for row in stage(connection, tmp_path, content)] == lines[::-1]


def test_earlier_staged_results_are_removed(connection, tmp_path):
    stage(connection, tmp_path, result("a", 1).encode())
    assert [row[0] for row in stage(connection, tmp_path, result("b", 1).encode())] == ["b"]


def test_counts_are_by_outcome_with_strays_apart(connection, tmp_path):
    intend(connection, "one", *((name, 1) for name in "abcd"))
    intend(connection, "two", ("z", 1))
    lines = [
        result("a", 1),
        result("b", 1, "expired"),
        result("c", 1),
        result("d", 1, "paused by the moon"),
        result("a", 1, "errored"),
        result("a", 2),
        result("z", 1),
        "torn",
    ]
    stage(connection, tmp_path, "\n".join(lines).encode())
    assert landing.staged_counts(connection, "one") == {
        "succeeded": 2,
        "expired": 1,
        "paused by the moon": 1,
        "stray": 4,
    }


@pytest.mark.parametrize(
    ("lines", "is_foreign"),
    [
        ([], False),
        (["torn", "<html>"], False),
        (['{"type": "error", "error": {"type": "api_error"}}'], False),
        ([result("z", 1), result("z", 2)], True),
        ([result("z", 1), "torn"], True),
        (['{"custom_id": "theirs", "result": {"type": "succeeded"}}'], True),
        ([result("z", 1), result("a", 1)], False),
        ([result("a", 2)], True),
        ([result("b", 1)], True),
    ],
)
def test_staged_results_are_foreign_if_none_is_ours(connection, tmp_path, lines, is_foreign):
    intend(connection, "one", ("a", 1))
    intend(connection, "two", ("b", 1))
    stage(connection, tmp_path, "\n".join(lines).encode())
    assert landing.results_are_foreign(connection, "one") == is_foreign


# Responses -------------------------------------------------------------------------------------


def test_results_land_with_their_lines_and_close_the_batch(connection, tmp_path):
    intend(connection, "one", ("a", 1), ("b", 1))
    lines = result("b", 1, "errored", error={"n": 1}), result("a", 1, message={"n": 2})
    land(connection, tmp_path, "one", *lines)
    assert responses(connection) == [("a", 1, "succeeded"), ("b", 1, "errored")]
    assert rows(connection, "select body from responses order by request_id") == [
        (lines[1],),
        (lines[0],),
    ]
    assert batch_states(connection) == {"one": "landed"}
    assert claims(connection) == [("a", 1)]
    assert strays(connection) == []


def test_a_result_that_did_not_come_is_missing_and_gives_its_claim_back(connection, tmp_path):
    intend(connection, "one", ("a", 1), ("b", 1))
    land(connection, tmp_path, "one", result("a", 1))
    assert responses(connection) == [("a", 1, "succeeded"), ("b", 1, "missing")]
    assert rows(connection, "select body from responses where request_id = 'b'") == [(None,)]
    assert claims(connection) == [("a", 1)]
    intend(connection, "two", ("b", 2))


def test_no_results_at_all_give_every_claim_back(connection, tmp_path):
    intend(connection, "one", ("a", 1), ("b", 1))
    land(connection, tmp_path, "one")
    assert [outcome for _, _, outcome in responses(connection)] == ["missing", "missing"]
    assert claims(connection) == []


@pytest.mark.parametrize("stranger", [("stranger", 1), ("a", 2), ("b", 1)])
def test_a_result_that_the_batch_did_not_ask_for_is_a_stray(connection, tmp_path, stranger):
    intend(connection, "one", ("a", 1))
    intend(connection, "two", ("b", 1))
    land(connection, tmp_path, "one", result(*stranger), result("a", 1))
    assert responses(connection) == [("a", 1, "succeeded")]
    assert rows(connection, "from stray_results") == [("one", "not asked", result(*stranger))]
    assert batch_states(connection) == {"one": "landed", "two": "intended"}


def test_of_repeated_results_the_first_counts(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    first, second = result("a", 1, message="first"), result("a", 1, "errored")
    land(connection, tmp_path, "one", first, second, first)
    assert rows(connection, "select outcome, body from responses") == [("succeeded", first)]
    assert strays(connection) == [("repeated", second), ("repeated", first)]
    assert claims(connection) == [("a", 1)]


def test_strays_keep_their_order(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    lines = ["z", result("b", 1), "y", result("a", 1), result("a", 1, "errored"), "x"]
    land(connection, tmp_path, "one", *lines)
    assert [line for _, line in strays(connection)] == [line for line in lines if line != lines[3]]


@pytest.mark.parametrize("outcome", ["errored", "paused by the moon", "", "Succeeded"])
def test_an_unknown_outcome_is_kept_and_gives_its_claim_back(connection, tmp_path, outcome):
    intend(connection, "one", ("a", 1))
    land(connection, tmp_path, "one", result("a", 1, outcome))
    assert responses(connection) == [("a", 1, outcome)]
    assert claims(connection) == []


def test_a_batch_that_landed_lands_no_other_answer(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    land(connection, tmp_path, "one", result("a", 1))
    kept = "from responses", "from claims"
    before = [rows(connection, query) for query in kept]
    land(connection, tmp_path, "one", result("a", 1, "errored"))
    assert [rows(connection, query) for query in kept] == before


def test_a_landing_that_fails_lands_nothing(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    stage(connection, tmp_path, f"{result('a', 1)}\ntorn".encode())
    connection.execute("alter table claims rename to hidden")
    before = state(connection)
    with pytest.raises(duckdb.Error, match="claims"):
        landing.add_responses(connection, "one", landing.MESSAGES_API)
    assert state(connection) == before


def test_a_landed_failure_leaves_the_claim_of_a_later_attempt(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    landing.release(connection, "one")
    intend(connection, "two", ("a", 2))
    land(connection, tmp_path, "one", result("a", 1, "errored"))
    assert claims(connection) == [("a", 2)]


wild_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
asked = st.sampled_from([("a", 1), ("b", 1), ("c-d", 2)])
strange = st.sampled_from([("a", 2), ("z", 1), ("c", 2)])
outcomes = st.sampled_from(["succeeded", "errored", "expired", "canceled", "unheard of"])


@st.composite
def result_lines(draw):
    """A result, ours or not, with any text in it."""
    name = draw(asked | strange)
    line = result(*name, draw(outcomes), message=draw(wild_text))
    return line if draw(st.booleans()) else json.dumps(json.loads(line), ensure_ascii=False)


junk = wild_text.map(lambda text: text.replace("\n", " ").rstrip("\r")).filter(
    lambda text: text.encode().strip() and not text.startswith("\ufeff")
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lines=st.lists(result_lines() | junk, max_size=12),
    line_end=st.sampled_from(["\n", "\r\n"]),
    is_torn=st.booleans(),
)
def test_every_line_is_a_response_or_a_stray(connection, tmp_path, lines, line_end, is_torn):
    for table in ("claims", "requests", "responses", "batches", "stray_results"):
        connection.execute(f"delete from {table}")
    intend(connection, "one", ("a", 1), ("b", 1), ("c-d", 2))
    content = line_end.join(lines) + ("" if is_torn else line_end)
    staged = stage(connection, tmp_path, content.encode())
    assert [row[3] for row in staged] == lines
    counts = landing.staged_counts(connection, "one")
    landing.add_responses(connection, "one", landing.MESSAGES_API)
    bodies = rows(connection, "select body from responses where outcome != 'missing'")
    stray_lines = [line for _, line in strays(connection)]
    assert sorted([*stray_lines, *(body for (body,) in bodies)]) == sorted(lines)
    assert counts.get("stray", 0) == len(stray_lines)
    assert sum(counts.values()) == len(lines)
    assert len(responses(connection)) == 3


def test_no_temporary_file_is_left_beside_a_closed_landing_file(path):
    landing.prepare(path)
    assert list(path.parent.iterdir()) == [path]


# Lines that are odd ----------------------------------------------------------------------------


def test_a_byte_order_mark_of_results_is_dropped(connection, tmp_path):
    content = "\ufeff{}\r\n{}\r\n".format(result("a", 1), result("b", 1)).encode()
    assert [row[:3] for row in stage(connection, tmp_path, content)] == [
        ("a", 1, "succeeded"),
        ("b", 1, "succeeded"),
    ]


def test_a_line_that_is_too_long_is_cut_and_the_others_land(
    connection,
    tmp_path,
    monkeypatch,
):
    monkeypatch.setattr(limits, "LINE_BYTES", 2000)
    intend(connection, "one", ("a", 1), ("b", 1), ("c", 1))
    long = result("b", 1, message="b" * 5000)
    land(connection, tmp_path, "one", result("a", 1), long, result("c", 1))
    assert responses(connection) == [
        ("a", 1, "succeeded"),
        ("b", 1, "missing"),
        ("c", 1, "succeeded"),
    ]
    assert strays(connection) == [("unreadable", f"{long[: limits.LINE_SHOWN]}…")]


def test_a_line_as_long_as_allowed_lands(connection, tmp_path, monkeypatch):
    line = result("a", 1, message="a" * 100)
    monkeypatch.setattr(limits, "LINE_BYTES", len(line) + 1)
    content = f"{line}\n{line}".encode()
    assert [row[0] for row in stage(connection, tmp_path, content)] == ["a", "a"]
    monkeypatch.setattr(limits, "LINE_BYTES", len(line) - 1)
    assert [row[0] for row in stage(connection, tmp_path, content)] == [None, None]


@pytest.mark.parametrize(
    "message",
    [
        *("", None, [], {"content": "Yes."}, {"content": None}, {"content": ["Yes.", 1, None]}),
        *({"content": [{"type": "text", "text": {"a": 1}}]}, {"usage": "none"}, {"usage": [1]}),
        *(
            {"usage": {"input_tokens": "x", "output_tokens": 1e300}},
            {"model": {}, "stop_reason": []},
        ),
    ],
)
def test_a_result_of_another_shape_lands(connection, tmp_path, message):
    intend(connection, "one", ("a", 1))
    land(connection, tmp_path, "one", result("a", 1, message=message))
    assert responses(connection) == [("a", 1, "succeeded")]


def test_a_result_nested_a_million_deep_lands(connection, tmp_path):
    intend(connection, "one", ("a", 1))
    deep = result("a", 1, message={})
    land(connection, tmp_path, "one", deep.replace("{}", "[" * 1_000_000 + "]" * 1_000_000))
    assert responses(connection) == [("a", 1, "succeeded")]
    assert len(rows(connection, "select body from responses")[0][0]) > 2_000_000


def marks_of(mark: str | None, note: str | None = None) -> pyarrow.Table:
    """A mark of one probe, as a file of the page has it."""
    row = {"rater": "anna", "probe_id": "p", "question_hash": "h", "mark": mark, "note": note}
    return pyarrow.Table.from_pylist([row | {"file_hash": "f"}])


def test_a_changed_mark_lands_behind_the_earlier_one(connection):
    landed = [
        landing.add_marks(connection, marks_of(*mark))
        for mark in (("good",), ("good",), ("leaks",), ("leaks", "why"), ("leaks", "why"))
    ]
    assert landed == [1, 0, 1, 1, 0]
    marks = "select revision, mark, note from probe_marks order by revision"
    assert rows(connection, marks) == [(1, "good", None), (2, "leaks", None), (3, "leaks", "why")]


def test_a_landed_mark_is_withdrawn_once_and_can_be_given_again(connection):
    given = (None, "good", None, None, "leaks")
    assert [landing.add_marks(connection, marks_of(mark)) for mark in given] == [0, 1, 1, 0, 1]
    landed = rows(connection, "select revision, mark from probe_marks order by revision")
    assert landed == [(1, "good"), (2, None), (3, "leaks")]
