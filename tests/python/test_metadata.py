"""Example queries run, every grain is tested, and uses and descriptions are complete."""

from __future__ import annotations

import csv
import re

import conftest
import duckdb
import pytest
from conftest import ROOT

from latent_probes.publication import queries

EXAMPLE = re.compile(r"```sql\n(.*?)\n```", re.DOTALL)


@pytest.fixture(scope="module")
def manifest() -> dict:
    """What dbt read of the project."""
    return conftest.manifest()


@pytest.fixture(scope="module")
def models(manifest) -> dict[str, dict]:
    """The models by name."""
    nodes = manifest["nodes"].values()
    return {node["name"]: node for node in nodes if node["resource_type"] == "model"}


def names(nodes: list[str]) -> set[str]:
    """The names of dbt's unique ids."""
    return {node.split(".")[-1] for node in nodes}


def test_every_public_table_has_one_query_that_runs(models, finished_once):
    public = {name: node for name, node in models.items() if node["meta"].get("public")}
    assert len(public) > 50
    failures = {}
    with duckdb.connect() as connection:
        for file in ("landing", "warehouse"):
            connection.execute(f"attach '{finished_once.home / file}.duckdb' as {file} (read_only)")
        connection.execute("use warehouse")
        for name, node in public.items():
            examples = EXAMPLE.findall(node["description"])
            if len(examples) != 1 or f"\nfrom {name}\n" not in examples[0]:
                failures[name] = "must have one query, of this table"
            elif "\norder by " not in examples[0]:
                failures[name] = "its query has no order"
            else:
                try:
                    connection.execute(examples[0]).fetchall()
                except duckdb.Error as error:
                    failures[name] = str(error)
    assert failures == {}


def test_what_is_published_is_public(models):
    with (ROOT / "seeds" / "published_tables.csv").open() as file:
        published = {row["model"] for row in csv.DictReader(file)}
    assert [name for name in published if not models[name]["meta"].get("public")] == []


def test_every_table_has_a_test_of_its_grain(manifest, models):
    tested = set()
    for node in manifest["nodes"].values():
        metadata = node.get("test_metadata") or {"name": None, "kwargs": {}}
        states_grain = {"key", "unique", "max_rows"} & set(metadata["kwargs"])
        if metadata["name"] == "rules" and states_grain:
            tested |= names([node["attached_node"]])
    # A results file can repeat a line that matches nothing.
    assert set(models) - tested == {"stg_stray_results"}


def test_exposures_name_what_the_code_reads(manifest):
    exposures = {
        node["name"]: names(node["depends_on"]["nodes"]) for node in manifest["exposures"].values()
    }
    with (ROOT / "seeds" / "published_tables.csv").open() as file:
        published = {row["model"] for row in csv.DictReader(file)}
    assert exposures["data_set"] == published | {"published_tables"}
    assert exposures["data_set_card"] >= set(queries.FIGURES)


def test_every_table_macro_and_seed_is_described_and_has_an_owner(manifest):
    nodes = [
        node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")
    ]
    undescribed = [
        f"{node['name']}.{column['name']}"
        for node in nodes
        for column in node["columns"].values()
        if not column["description"]
    ]
    assert undescribed == []
    assert [node["name"] for node in nodes if not node["description"]] == []
    assert {node["config"]["meta"]["owner"] for node in nodes} == {"latent-probes"}
    macros = [
        node
        for node in manifest["macros"].values()
        if node["package_name"] == manifest["metadata"]["project_name"]
    ]
    assert [node["name"] for node in macros if not node["description"]] == []
    assert [
        f"{node['name']}.{argument['name']}"
        for node in macros
        for argument in node["arguments"]
        if not argument["description"]
    ] == []
