"""What a person is told of rounds that have fewer documents than they want."""

from __future__ import annotations

import duckdb
import pytest

from latent_probes.common.home import Home
from latent_probes.queue import runner
from latent_probes.reports.plan import say_what_is_missing


@pytest.fixture
def connection():
    """A warehouse with three prefixes of one model, of which one is eligible."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table prefixes as
            select 'gemma' as source_model, doc_id, if(doc_id = 'a', null, 'short') as
            exclusion_reason from unnest(['a', 'b', 'c']) as t (doc_id)
            """
        )
        connection.execute(
            "create table round_status (round_number int, state varchar, n_documents int, "
            "n_documents_wanted int, source_model varchar)"
        )
        connection.execute("create table round_settings as select false as is_adopted")
        yield connection


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ((1, "started", 20, 20, "gemma"), ""),
        ((1, "proposed", 20, 20, "gemma"), ""),
        ((1, "withdrawn", 0, 20, "gemma"), ""),
        (
            (1, "proposed", 0, 20, "Gemma"),
            "Round 1 has no documents: no rollouts of Gemma have landed. Land some, or correct "
            "source_model in seeds/rounds.csv (landed: gemma).\n",
        ),
        (
            (1, "proposed", 1, 20, "gemma"),
            "Round 1 has only 1 of 20 documents, and would keep these once it starts: gemma has 3 "
            "prefixes, 1 of them eligible, some used by other rounds. See table rollout_quality "
            "for exclusion reasons, or land more rollouts.\n",
        ),
        (
            (2, "started", 3, 9, "gemma"),
            "Round 2 started with 3 of 9 documents and keeps these: for more, add another round.\n",
        ),
    ],
)
def test_each_reason_has_its_sentence(status, said, connection, capsys):
    connection.execute("insert into round_status values (?, ?, ?, ?, ?)", status)
    say_what_is_missing(connection)
    assert capsys.readouterr().out == said


def test_without_rollouts_none_are_named(connection, capsys):
    connection.execute("delete from prefixes")
    connection.execute("insert into round_status values (1, 'proposed', 0, 20, 'gemma')")
    say_what_is_missing(connection)
    assert capsys.readouterr().out.endswith("(landed: none).\n")


@pytest.mark.parametrize("state", ["proposed", "withdrawn"])
def test_a_run_without_any_document_names_the_home(state, tmp_path):
    here = Home(tmp_path, tmp_path / "nope")
    here.folder.mkdir()
    with duckdb.connect(str(here.warehouse)) as connection:
        connection.execute(
            f"create table round_settings as select 'gemma' as source_model, '{state}' as state"
        )
        connection.execute("create table round_documents (doc_id varchar)")
    if state == "withdrawn":
        runner.refuse_without_documents(here)
        return
    with pytest.raises(runner.RunError, match=r"no round has documents in .*nope: .* gemma there"):
        runner.refuse_without_documents(here)
    with duckdb.connect(str(here.warehouse)) as connection:
        connection.execute("insert into round_documents values ('d')")
    runner.refuse_without_documents(here)


def test_an_adopted_home_has_the_rounds_of_its_data_set(connection, capsys):
    connection.execute("update round_settings set is_adopted = true")
    say_what_is_missing(connection)
    assert "seeds/rounds.csv and seeds/round_controls.csv are not used" in capsys.readouterr().out
