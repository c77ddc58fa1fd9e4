"""dbt by its own command builds what the commands build, and passes every test."""

from __future__ import annotations

import pytest
from conftest import compiled_project, copy_of
from test_selected_builds import tables_of

pytestmark = pytest.mark.dbt


def test_dbt_builds_what_the_commands_built_and_every_test_passes(demo_once, tmp_path):
    """Data tests and unit tests."""
    demo = copy_of(demo_once, tmp_path / "checkout")
    built = tables_of(demo)
    (demo.home / "warehouse.duckdb").unlink()
    demo.runs("dbt", "build")
    assert tables_of(demo) == built
    kinds = (
        "select table_name, table_type from information_schema.tables where table_schema = 'main'"
    )
    expected = {"table": "BASE TABLE", "seed": "BASE TABLE", "view": "VIEW"}
    assert dict(demo.query(kinds)) == {
        name: expected[node.kind] for name, node in compiled_project().nodes.items()
    }
    # Over what dbt has made, incremental tables as well.
    demo.runs("latent-probes", "plan")
    assert tables_of(demo) == built


def test_dbt_builds_an_empty_landing_and_every_test_passes(checkout):
    checkout.runs("dbt", "build", "--exclude-resource-type", "unit_test")
    assert checkout.query("select count(*) from train") == [(0,)]


def test_dbt_documents_every_table_on_one_page(demo_once, tmp_path):
    demo = copy_of(demo_once, tmp_path / "checkout")
    demo.runs("dbt", "docs", "generate", "--static", "--target-path", "demo/target")
    assert "oracle_leaderboard" in (demo.home / "target" / "static_index.html").read_text()


def test_dbt_prints_the_rows_that_fail(finished):
    """Each with the name of its test."""
    finished.change("update probes set atom_start = atom_start + 1")
    said = finished.fails("dbt", "test", "--select", "atoms_match_their_scope")
    assert "  atoms_match_their_scope: " in said


def test_a_column_that_breaks_its_contract_is_named(checkout):
    model = checkout.folder / "models" / "publication" / "published_probes.sql"
    text = model.read_text()
    model.write_text(text.replace("slot_idx::double as", "slot_idx::varchar as"))
    assert model.read_text() != text
    said = checkout.fails("latent-probes", "plan")
    assert "train (models/publication/train.sql)" in said and "slot_idx" in said


def test_a_model_that_cannot_be_compiled_is_named(checkout):
    (checkout.folder / "models" / "landed" / "responses.sql").write_text("select {{ ref('gone') }}")
    said = checkout.fails("latent-probes", "plan")
    assert "the warehouse was not built" in said and "gone" in said and "Traceback" not in said
