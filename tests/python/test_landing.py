"""The landing file: who may open it, what is claimed, and what lands."""

import subprocess
import sys
import time

import duckdb
import pytest

from latent_probes import landing

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
    with landing.opened(path) as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            """
            create table warehouse.round_settings as
            select
                unnest([1, 2]) as round_number, 10 as n_docs, 7 as seed,
                'Qwen/Qwen3-8B' as source_model, 4 as calibration_level, 5 as n_answers,
                'lexical' as generator_model, 'lexical' as answerer_model,
                'lexical' as judge_model
            """
        )
        connection.execute(
            """
            create table warehouse.round_documents as
            select unnest([1, 1, 2]) as round_number, unnest(['b', 'a', 'c']) as doc_id,
                [2, 0, 1] as continuation_idxs
            """
        )
        yield connection


def rows(connection, query):
    return connection.execute(query).fetchall()


def state(connection):
    """Everything in the landing file."""
    tables = rows(
        connection,
        "select table_name from duckdb_tables() where database_name = 'landing' order by all",
    )
    return {table: rows(connection, f"from landing.{table} order by all") for (table,) in tables}


def intend(connection, batch_id, *attempts, round_number=1):
    """Intend a batch of attempts, each a request id and a number."""
    connection.execute(
        """
        create or replace temp table intended (
            request_id varchar, attempt bigint, stage varchar, round_number bigint,
            model varchar, prompt_hash varchar, input_hash varchar, unit_map varchar
        )
        """
    )
    for request_id, attempt in attempts:
        connection.execute(
            "insert into intended values (?, ?, 'generator', ?, 'lexical', 'p', 'i', '[1]')",
            [request_id, attempt, round_number],
        )
    batch = {
        "batch_id": batch_id,
        "provider": "lexical",
        "body_hash": f"hash of {batch_id}",
        "n_requests": len(attempts),
    }
    landing.intend(connection, batch, "warehouse")


def land(connection, batch_id, *results):
    """Land results, each a request id, an attempt and an outcome."""
    connection.execute(
        "create or replace temp table results "
        "(request_id varchar, attempt bigint, outcome varchar, body varchar)"
    )
    for result in results:
        connection.execute("insert into results values (?, ?, ?, '{\"n\": 1}')", result)
    landing.add_responses(connection, batch_id)


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


@pytest.mark.parametrize("version", [landing.VERSION + 1, landing.VERSION - 1])
def test_a_file_of_another_version_is_refused_and_let_go(path, version):
    with landing.opened(path) as connection:
        connection.execute("update landing_version set version = ?", [version])
    with pytest.raises(landing.LandingError, match=f"has version {version}, .*install"):
        landing.connect(path)
    with duckdb.connect(path) as connection:
        assert rows(connection, "from landing_version") == [(version,)]


@pytest.mark.parametrize("folder", ["landing", "block"])
def test_what_is_no_duckdb_file_is_refused_and_left(tmp_path, folder):
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
        with pytest.raises(landing.LandingError, match="held by another process; end it"):
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


def test_an_answered_request_cannot_be_intended_again(connection):
    intend(connection, "one", ("a", 1))
    land(connection, "one", ("a", 1, "succeeded"))
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
def test_a_failed_request_can_be_intended_again(connection, outcome):
    intend(connection, "one", ("a", 1), ("b", 1))
    land(connection, "one", ("a", 1, outcome), ("b", 1, "succeeded"))
    assert claims(connection) == [("b", 1)]
    intend(connection, "two", ("a", 2))
    assert claims(connection) == [("a", 2), ("b", 1)]


def test_a_failed_attempt_cannot_be_intended_under_its_number(connection):
    intend(connection, "one", ("a", 1))
    land(connection, "one", ("a", 1, "errored"))
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "two", ("a", 1))
    assert state(connection) == before


def test_an_unusable_answer_gives_its_claim_to_a_later_attempt(connection):
    intend(connection, "one", ("a", 1))
    land(connection, "one", ("a", 1, "succeeded"))
    intend(connection, "two", ("a", 2))
    assert claims(connection) == [("a", 2)]
    assert responses(connection) == [("a", 1, "succeeded")]


def test_an_open_later_attempt_keeps_its_claim(connection):
    intend(connection, "one", ("a", 1))
    land(connection, "one", ("a", 1, "succeeded"))
    intend(connection, "two", ("a", 2))
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "three", ("a", 3))
    assert state(connection) == before


def test_a_refused_intent_leaves_the_claims_of_unusable_answers(connection):
    intend(connection, "one", ("unusable", 1), ("open", 1))
    land(connection, "one", ("unusable", 1, "succeeded"), ("open", 1, "errored"))
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
    assert rows(connection, "from started_round_documents order by all") == [
        (1, "a", [2, 0, 1]),
        (1, "b", [2, 0, 1]),
    ]


def test_a_later_intent_leaves_a_frozen_round(connection):
    intend(connection, "one", ("a", 1))
    frozen = "from started_rounds", "from started_round_documents order by all"
    before = [rows(connection, query) for query in frozen]
    connection.execute("update warehouse.round_settings set n_docs = 99")
    connection.execute("insert into warehouse.round_documents values (1, 'late', [0])")
    intend(connection, "two", ("b", 1))
    assert [rows(connection, query) for query in frozen] == before


def test_a_refused_intent_freezes_no_round(connection):
    intend(connection, "one", ("a", 1))
    with pytest.raises(duckdb.ConstraintException):
        intend(connection, "two", ("a", 1), round_number=2)
    assert rows(connection, "select round_number from started_rounds") == [(1,)]


# Batches ---------------------------------------------------------------------------------------


def test_open_batches_are_those_intended_or_submitted_oldest_first(connection):
    for number, batch_id in enumerate(["z", "y", "x", "w"]):
        intend(connection, batch_id, (f"request-{number}", 1))
    landing.submitted(connection, "z", "batch-1")
    landing.release(connection, "y")
    land(connection, "w", ("request-3", 1, "succeeded"))
    assert landing.open_batches(connection) == [
        {
            "batch_id": "z",
            "provider": "lexical",
            "body_hash": "hash of z",
            "n_requests": 1,
            "provider_batch_id": "batch-1",
            "state": "submitted",
        },
        {
            "batch_id": "x",
            "provider": "lexical",
            "body_hash": "hash of x",
            "n_requests": 1,
            "provider_batch_id": None,
            "state": "intended",
        },
    ]


def test_a_batch_that_landed_is_not_submitted_again(connection):
    intend(connection, "one", ("a", 1))
    landing.submitted(connection, "one", "batch-1")
    land(connection, "one", ("a", 1, "succeeded"))
    landing.submitted(connection, "one", "batch-2")
    assert rows(connection, "select state, provider_batch_id from batches") == [
        ("landed", "batch-1")
    ]


# Responses -------------------------------------------------------------------------------------


def test_results_land_with_their_bodies_and_close_the_batch(connection):
    intend(connection, "one", ("a", 1), ("b", 1))
    land(connection, "one", ("b", 1, "errored"), ("a", 1, "succeeded"))
    assert responses(connection) == [("a", 1, "succeeded"), ("b", 1, "errored")]
    assert rows(connection, "select distinct body from responses") == [('{"n": 1}',)]
    assert batch_states(connection) == {"one": "landed"}
    assert claims(connection) == [("a", 1)]


def test_a_missing_result_lands_as_expired_and_gives_its_claim_back(connection):
    intend(connection, "one", ("a", 1), ("b", 1))
    land(connection, "one", ("a", 1, "succeeded"))
    assert responses(connection) == [("a", 1, "succeeded"), ("b", 1, "expired")]
    assert rows(connection, "select body from responses where request_id = 'b'") == [("{}",)]
    assert claims(connection) == [("a", 1)]
    intend(connection, "two", ("b", 2))


def test_no_results_at_all_give_every_claim_back(connection):
    intend(connection, "one", ("a", 1), ("b", 1))
    land(connection, "one")
    assert [outcome for _, _, outcome in responses(connection)] == ["expired", "expired"]
    assert claims(connection) == []


@pytest.mark.parametrize("stranger", [("stranger", 1), ("a", 2), ("b", 1)])
def test_a_result_that_the_batch_did_not_ask_for_lands_nothing(connection, stranger):
    intend(connection, "one", ("a", 1))
    intend(connection, "two", ("b", 1))
    before = state(connection)
    with pytest.raises(landing.LandingError, match=f"a result for {stranger[0]}, .* not ask"):
        land(connection, "one", ("a", 1, "succeeded"), (*stranger, "succeeded"))
    assert state(connection) == before


def test_a_batch_that_landed_lands_nothing_again(connection):
    intend(connection, "one", ("a", 1))
    land(connection, "one", ("a", 1, "succeeded"))
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        land(connection, "one", ("a", 1, "errored"))
    assert state(connection) == before


def test_a_result_that_comes_twice_lands_nothing(connection):
    intend(connection, "one", ("a", 1))
    before = state(connection)
    with pytest.raises(duckdb.ConstraintException):
        land(connection, "one", ("a", 1, "succeeded"), ("a", 1, "errored"))
    assert state(connection) == before


def test_a_body_that_is_no_json_lands_nothing(connection):
    intend(connection, "one", ("a", 1))
    connection.execute(
        "create or replace temp table results as "
        "select 'a' as request_id, 1 as attempt, 'succeeded' as outcome, '{\"cut' as body"
    )
    before = state(connection)
    with pytest.raises(duckdb.Error):
        landing.add_responses(connection, "one")
    assert state(connection) == before


def test_a_landed_failure_leaves_the_claim_of_a_later_attempt(connection):
    intend(connection, "one", ("a", 1))
    landing.release(connection, "one")
    intend(connection, "two", ("a", 2))
    land(connection, "one", ("a", 1, "errored"))
    assert claims(connection) == [("a", 2)]


def test_no_temporary_file_is_left_beside_a_closed_landing_file(path):
    landing.prepare(path)
    assert list(path.parent.iterdir()) == [path]
