"""Builds without dbt, by which most tests build: they make what dbt makes."""

from __future__ import annotations

import duckdb
import plain_builds
import pytest
from conftest import copy_of
from test_selected_builds import tables_of
from test_whole_runs import files_of

from latent_probes.warehouse import builds


def test_a_deleted_warehouse_is_built_again_with_the_same_tables_and_export(demo_once, tmp_path):
    """By plain statements, from a warehouse that dbt has built."""
    finished = copy_of(demo_once, tmp_path / "checkout")
    tables, export = tables_of(finished), files_of(finished.home / "export")
    (finished.home / "warehouse.duckdb").unlink()
    finished.runs("latent-probes", "export")
    assert tables_of(finished) == tables
    assert files_of(finished.home / "export") == export


def test_the_content_of_a_table_changes_where_rows_change_alike():
    with duckdb.connect() as connection:
        found = set()
        for value in (1, 2):
            connection.execute(
                f"create or replace table t as select unnest([1, 2]) as key, {value} as value"
            )
            found.add(plain_builds.content(connection, "t"))
    assert len(found) == 2


SOME = (
    *("--select", "responses+,+pending_prices", "source:landing.oracle_answers+"),
    *("--exclude", "generator_outputs+,+answers"),
)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("build", SOME), ("test", ("--select", *builds.TESTS_BEFORE_SPENDING))],
)
def test_what_is_selected_is_what_dbt_selects(command, arguments, finished_once, checkout):
    kinds = [f"--resource-type={kind}" for kind in plain_builds.KINDS[command]]
    listed = checkout.runs("dbt", "--quiet", "ls", "--output", "name", *kinds, *arguments)
    chosen = plain_builds.project(finished_once.built_like).chosen(command, list(arguments))
    assert {node["name"] for node in chosen} == set(listed.split())
