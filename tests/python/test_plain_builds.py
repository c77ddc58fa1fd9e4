"""Builds without dbt, by which most tests build: they make what dbt makes."""

from __future__ import annotations

import plain_builds
import pytest
from test_selected_builds import tables_of
from test_whole_runs import files_of

from latent_probes.warehouse import builds


def test_a_deleted_warehouse_is_built_again_with_the_same_tables_and_export(finished):
    """By plain statements, from a warehouse that dbt has built."""
    tables, export = tables_of(finished), files_of(finished.home / "export")
    (finished.home / "warehouse.duckdb").unlink()
    finished.runs("latent-probes", "export")
    assert tables_of(finished) == tables
    assert files_of(finished.home / "export") == export


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
    chosen = plain_builds.project(finished_once.folder).chosen(command, list(arguments))
    assert {node["name"] for node in chosen} == set(listed.split())
