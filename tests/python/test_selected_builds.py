"""Builds downstream of changed landing tables give the same result as full builds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import duckdb
import pytest
from conftest import compiled_project

from latent_probes import landing, warehouse
from latent_probes.common.home import Home
from latent_probes.evaluation import oracles
from latent_probes.warehouse import builds, plain_sql, stamps
from latent_probes.warehouse import versions as versions_of_builds
from latent_probes.warehouse.versions import Versions

# Their tokenizer's files are outside of the project.
LOOKED_AT = {"document_tokens"}
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
def made(monkeypatch) -> list[str]:
    """The nodes that are to be made, in place of making them."""
    names = []
    monkeypatch.setattr(plain_sql, "make", lambda _, project, node: names.append(node.name))
    return names


def behind(table: str) -> set[str]:
    """The nodes that read a landing table, also through others, and those that always look."""
    nodes, found = compiled_project().nodes, {f"landing.{table}"}
    for name, node in nodes.items():
        if found.intersection(node.parents):
            found.add(name)
    return (found & nodes.keys()) | {name for name, node in nodes.items() if node.news}


@pytest.mark.rounds
def test_an_evaluation_gives_the_same_tables_as_a_full_build(finished):
    finished.runs(*EVALUATE)
    selected = tables_of(finished)
    assert selected["oracle_questions"][0] > 0
    (finished.home / "warehouse.duckdb").unlink()
    finished.runs("latent-probes", "plan")
    assert tables_of(finished) == selected


def test_only_what_lies_behind_changed_tables_is_made(finished, made):
    here = Home(finished.folder, finished.home)
    warehouse.build(here, tested=False)
    assert made == []
    oracles.land_baseline_answers(here, "lexical", "no_state")
    warehouse.build(here, tested=False)
    assert "stg_oracle_answers" in made
    assert set(made) < behind("oracle_answers")
    made.clear()
    warehouse.build(here, tested=False)
    assert made == []


def test_what_reads_a_table_that_comes_out_as_it_was_is_not_made(finished, made):
    here = Home(finished.folder, finished.home)
    with landing.opened(here.landing) as connection:
        connection.execute("update batches set state = 'released'")
    warehouse.build(here, tested=False)
    # Nothing was made, so every table is as it was. A view is what it reads.
    nodes, readers = compiled_project().nodes, {"landing.batches"}
    for name, node in nodes.items():
        views = {one for one in readers if one not in nodes or nodes[one].kind == "view"}
        if views.intersection(node.parents):
            readers.add(name)
    assert set(made) == readers - {"landing.batches"} | LOOKED_AT
    assert set(made) - LOOKED_AT < behind("batches")


def test_a_seed_that_is_edited_is_loaded_with_what_reads_it(finished, made):
    here = Home(finished.folder, finished.home)
    finished.add_round("2,2,1,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    warehouse.build(here, tested=False)
    assert "rounds" in made and "rollout_quality" not in made


def test_a_model_is_made_again_when_its_statement_is_another(finished, made, monkeypatch):
    here = Home(finished.folder, finished.home)
    before = compiled_project()
    node = before.nodes["rollout_quality"]
    others = before.nodes | {node.name: replace(node, statement=f"{node.statement}\n")}
    found = replace(before, seeds=finished.folder / "seeds", nodes=others)
    monkeypatch.setattr(builds, "compiled_project", lambda _: found)
    here.stamp.unlink()
    warehouse.build(here, tested=False)
    assert set(made) == {"rollout_quality"} | LOOKED_AT


@pytest.mark.parametrize("change", [{"followed_by": ()}, {"key": ("text_hash",)}])
def test_an_incremental_model_is_made_again_when_its_key_or_what_follows_is_another(
    change, finished, made, monkeypatch
):
    here = Home(finished.folder, finished.home)
    before = compiled_project()
    node = before.nodes["document_units"]
    others = before.nodes | {node.name: replace(node, **change)}
    found = replace(before, seeds=finished.folder / "seeds", nodes=others)
    monkeypatch.setattr(builds, "compiled_project", lambda _: found)
    here.stamp.unlink()
    warehouse.build(here, tested=False)
    assert set(made) == {"document_units"} | LOOKED_AT


def test_no_other_process_writes_the_landing_file_during_a_build(finished, monkeypatch):
    here, said = Home(finished.folder, finished.home), []
    oracles.land_baseline_answers(here, "lexical", "no_state")

    def make(*_):
        writer = f"import duckdb; duckdb.connect({str(here.landing)!r})"
        command = [sys.executable, "-c", writer]
        said.append(subprocess.run(command, capture_output=True, text=True).stderr)
        raise KeyboardInterrupt

    monkeypatch.setattr(plain_sql, "make", make)
    with pytest.raises(KeyboardInterrupt):
        warehouse.build(here, tested=False)
    assert "Could not set lock" in said[0]


@pytest.mark.parametrize("case", ["warehouse", "code", "no versions", "versions cut off"])
def test_all_is_made_where_it_cannot_be_known_what_changed(case, finished, made, monkeypatch):
    here = Home(finished.folder, finished.home)
    oracles.land_baseline_answers(here, "lexical", "no_state")
    if case == "warehouse":
        finished.change("create table somebody as select 1 as wrote_it")
    elif case == "code":
        monkeypatch.setattr(stamps, "code_hash", lambda: "another")
    elif case == "no versions":
        here.versions.unlink()
    else:
        here.versions.write_text(here.versions.read_text()[:-9])
    warehouse.build(here, tested=False)
    assert set(made) == set(compiled_project().nodes)


def test_a_stamp_of_another_version_is_none(finished, made):
    here = Home(finished.folder, finished.home)
    here.stamp.write_text(json.dumps(warehouse.state(here)))
    assert not warehouse.is_current(here, tested=False)
    warehouse.build(here, tested=False)
    assert warehouse.is_current(here, tested=False)


def test_what_lands_while_a_build_waits_is_built_once(finished, made, monkeypatch):
    here = Home(finished.folder, finished.home)
    here.stamp.unlink()
    real = builds.writing

    @contextmanager
    def at_work(home):
        oracles.land_baseline_answers(here, "lexical", "no_state")
        with real(home) as opened:
            yield opened

    with monkeypatch.context() as patched:
        patched.setattr(builds, "writing", at_work)
        warehouse.build(here, tested=False)
    assert "stg_oracle_answers" in made
    assert not warehouse.is_current(here, tested=False)
    made.clear()
    warehouse.build(here, tested=False)
    assert set(made) == LOOKED_AT


def test_a_build_that_is_interrupted_keeps_what_is_known(finished, monkeypatch):
    here = Home(finished.folder, finished.home)
    oracles.land_baseline_answers(here, "lexical", "no_state")
    names = []

    def interrupted(_, project, node):
        names.append(node.name)
        if node.name == "oracle_questions":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(plain_sql, "make", interrupted)
        with pytest.raises(KeyboardInterrupt):
            warehouse.build(here, tested=False)
    first = [name for name in names if not compiled_project().nodes[name].news]
    names.clear()
    monkeypatch.setattr(plain_sql, "make", lambda _, project, node: names.append(node.name))
    warehouse.build(here, tested=False)
    second = [name for name in names if not compiled_project().nodes[name].news]
    assert second[0] == first[-1] == "oracle_questions"


def test_a_view_that_was_made_of_another_statement_is_another_version(finished, made):
    """Whatever the project says now: a test that passed has read the view that was there."""
    here, project = Home(finished.folder, finished.home), compiled_project()
    view = next(node for node in project.nodes.values() if node.kind == "view" and node.parents)
    versions = Versions(here, replace(project, seeds=finished.folder / "seeds"), {})
    before = versions.version(view.name)
    versions.made_of[view.name] = "another statement"
    assert versions.version(view.name) != before


def test_a_table_whose_content_was_not_read_to_the_end_is_made_again(finished, made, monkeypatch):
    here = Home(finished.folder, finished.home)
    oracles.land_baseline_answers(here, "lexical", "no_state")

    def interrupted(connection, table):
        raise KeyboardInterrupt

    for _ in range(2):
        made.clear()
        with monkeypatch.context() as patched:
            patched.setattr(versions_of_builds, "content", interrupted)
            with pytest.raises(KeyboardInterrupt):
                warehouse.build(here, tested=False)
    first = made[-1]
    made.clear()
    warehouse.build(here, tested=False)
    assert first in made


def test_tables_that_differ_in_a_name_a_type_or_a_nested_value_differ():
    queries = (
        *("select 1 as a", "select 1::bigint as a", "select 1 as b", "select true as a"),
        *("select null::int[] as a", "select []::int[] as a", "select [null]::int[] as a"),
        *("select [['a'], ['b']] as a", "select [['a', 'b']] as a"),
        *("select null::struct(x int) as a", "select {'x': null::int} as a"),
    )
    contents = set()
    with duckdb.connect() as connection:
        for query in queries:
            connection.execute(f"create or replace table one as {query}")
            contents.add(versions_of_builds.content(connection, "one"))
    assert len(contents) == len(queries)


def test_a_data_test_runs_again_only_on_other_rows(finished, monkeypatch):
    here = Home(finished.folder, finished.home)
    ran = []
    monkeypatch.setattr(plain_sql, "check", lambda _, node: ran.append(node.name))
    here.stamp.unlink()
    warehouse.build(here, tested=True)
    assert ran == []
    oracles.land_baseline_answers(here, "lexical", "no_state")
    warehouse.build(here, tested=True)
    tests = compiled_project().tests
    assert 0 < len(ran) < len(tests) / 2
    assert "rounds_share_no_document" not in ran


def killed_after(path, statement: str) -> None:
    """Have a process that is killed at once change a DuckDB file."""
    code = (
        "import duckdb, os, sys; duckdb.connect(sys.argv[1]).execute(sys.argv[2]); "
        "os.kill(os.getpid(), 9)"
    )
    process = subprocess.run([sys.executable, "-c", code, str(path), statement], check=False)
    assert process.returncode == -signal.SIGKILL


def test_what_a_killed_process_wrote_is_seen(finished, made):
    """It is in the log beside the file, which is as it was."""
    here = Home(finished.folder, finished.home)
    killed_after(here.landing, "update batches set state = 'released'")
    warehouse.build(here, tested=False)
    assert made and set(made) <= behind("batches")
    killed_after(here.warehouse, "update round_settings set n_docs = 1000")
    warehouse.build(here, tested=False)
    assert set(made) == set(compiled_project().nodes)


def test_a_table_that_an_older_file_lacks_is_one_that_changed(finished, made):
    here = Home(finished.folder, finished.home)
    with landing.opened(here.landing) as connection:
        connection.execute(
            "insert into human_ratings values ('r', 'a', 'h', 0.5, 'f', '2026-01-01'::timestamp)"
        )
    warehouse.build(here, tested=False)
    made.clear()
    with duckdb.connect(str(here.landing)) as connection:
        connection.execute("drop table human_ratings")
    warehouse.build(here, tested=False)
    assert made and set(made) <= behind("human_ratings")


def test_a_missing_landing_file_is_created_again(finished, made):
    here = Home(finished.folder, finished.home)
    here.landing.unlink()
    warehouse.build(here, tested=False)
    assert "stg_rollouts" in made


def test_a_state_that_changes_is_seen(finished):
    path = finished.home / "landing.duckdb"
    before = landing.contents(path)
    with landing.opened(path) as connection:
        connection.execute("update batches set state = 'released'")
    after = landing.contents(path)
    assert {name for name in after if after[name] != before[name]} == {"batches"}
