"""Builds downstream of changed landing tables give the same result as full builds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import duckdb
import pytest

from latent_probes import landing, warehouse
from latent_probes.common.home import Home
from latent_probes.evaluation import oracles
from latent_probes.warehouse import builds

EVALUATE = ("latent-probes", "evaluate", "--name", "lexical", "--condition", "no_state")


def tables_of(checkout) -> dict[str, tuple]:
    """Rows and hash of every table of the warehouse."""
    with duckdb.connect(str(checkout.home / "warehouse.duckdb"), read_only=True) as connection:
        names = connection.execute(
            "select table_name from duckdb_tables() order by table_name"
        ).fetchall()
        return {
            name: connection.execute(f'select count(*), sum(hash(t)) from "{name}" as t').fetchone()
            for (name,) in names
        }


@pytest.fixture
def selections(monkeypatch) -> list[list[str]]:
    """What dbt is asked to build, in place of being asked."""
    asked = []
    monkeypatch.setattr(builds, "call_dbt", lambda home, arguments, what: asked.append(arguments))
    return asked


def test_an_evaluation_gives_the_same_tables_as_a_full_build(finished):
    finished.runs(*EVALUATE)
    selected = tables_of(finished)
    assert selected["oracle_questions"][0] > 0
    (finished.home / "warehouse.duckdb").unlink()
    finished.runs("latent-probes", "plan")
    assert tables_of(finished) == selected


def test_only_what_lies_behind_changed_tables_is_built(finished, selections):
    here = Home(finished.folder, finished.home)
    warehouse.build(here, tested=False)
    assert selections == []
    oracles.land_baseline_answers(here, "lexical", "no_state")
    warehouse.build(here, tested=False)
    assert selections.pop()[-2:] == ["--select", "source:landing.oracle_answers+"]


@pytest.mark.parametrize("case", ["warehouse", "project", "older stamp", "no stamp"])
def test_all_is_built_where_it_cannot_be_known_what_changed(case, finished, selections):
    here = Home(finished.folder, finished.home)
    oracles.land_baseline_answers(here, "lexical", "no_state")
    if case == "warehouse":
        finished.change("create table somebody as select 1 as wrote_it")
    elif case == "project":
        (finished.folder / "dbt_project.yml").open("a").write("\n")
    elif case == "older stamp":
        here.stamp.write_text(json.dumps(warehouse.state(here) | {"tested": True}))
    else:
        here.stamp.unlink()
    warehouse.build(here, tested=False)
    assert "--select" not in selections.pop()


@pytest.mark.parametrize(
    ("meanwhile", "built_next"),
    [
        ("an evaluation lands", ["--select", "source:landing.oracle_answers+"]),
        ("the project is edited", ["--exclude-resource-type", "test"]),
    ],
)
@pytest.mark.parametrize("stage", ["building", "testing"])
def test_data_that_lands_during_a_build_is_built_next(
    stage, meanwhile, built_next, finished, selections, monkeypatch
):
    here = Home(finished.folder, finished.home)
    here.stamp.unlink()

    def at_work(home, arguments, what):
        if what != stage:
            return
        if meanwhile == "an evaluation lands":
            oracles.land_baseline_answers(here, "lexical", "no_state")
        else:
            (finished.folder / "dbt_project.yml").open("a").write("\n")

    with monkeypatch.context() as patched:
        patched.setattr(builds, "call_dbt", at_work)
        warehouse.build(here, tested=stage == "testing")
    warehouse.build(here, tested=False)
    assert selections.pop()[-2:] == built_next


def killed_after(path, statement: str) -> None:
    """Have a process that is killed at once change a DuckDB file."""
    code = (
        "import duckdb, os, sys; duckdb.connect(sys.argv[1]).execute(sys.argv[2]); "
        "os.kill(os.getpid(), 9)"
    )
    process = subprocess.run([sys.executable, "-c", code, str(path), statement], check=False)
    assert process.returncode == -signal.SIGKILL


def test_what_a_killed_process_wrote_is_seen(finished, selections):
    """It is in the log beside the file, which is as it was."""
    here = Home(finished.folder, finished.home)
    warehouse.build(here, tested=False)
    assert selections == []
    killed_after(here.landing, "update batches set state = 'released'")
    warehouse.build(here, tested=False)
    assert selections.pop()[-2:] == ["--select", "source:landing.batches+"]
    killed_after(here.warehouse, "update round_settings set n_docs = 1000")
    warehouse.build(here, tested=False)
    assert "--select" not in selections.pop()


def test_a_table_that_an_older_file_lacks_is_one_that_changed(finished, selections):
    here = Home(finished.folder, finished.home)
    with landing.opened(here.landing) as connection:
        connection.execute(
            "insert into human_ratings values ('r', 'a', 'h', 0.5, 'f', '2026-01-01'::timestamp)"
        )
    warehouse.build(here, tested=False)
    selections.clear()
    with duckdb.connect(str(here.landing)) as connection:
        connection.execute("drop table human_ratings")
    warehouse.build(here, tested=False)
    assert selections.pop()[-2:] == ["--select", "source:landing.human_ratings+"]


def test_a_missing_landing_file_is_created_again(finished, selections):
    here = Home(finished.folder, finished.home)
    here.landing.unlink()
    warehouse.build(here, tested=False)
    assert "source:landing.rollouts+" in selections.pop()


def test_a_state_that_changes_is_seen(finished):
    path = finished.home / "landing.duckdb"
    before = landing.contents(path)
    with landing.opened(path) as connection:
        connection.execute("update batches set state = 'released'")
    after = landing.contents(path)
    assert {name for name in after if after[name] != before[name]} == {"batches"}
