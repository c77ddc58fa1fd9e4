"""The models as plain SQL in one DuckDB process make what dbt makes."""

from __future__ import annotations

import duckdb

from latent_probes.common.home import Home
from latent_probes.warehouse import plain_sql


def test_the_compiled_project_makes_the_rows_that_dbt_made(finished, tmp_path):
    here = Home(finished.folder, finished.home)
    project = plain_sql.compiled_project(here)
    made = []
    with plain_sql.connected(tmp_path / "warehouse.duckdb", {"threads": 1}) as connection:
        plain_sql.attach_landing(connection, here.landing)
        plain_sql.run(connection, project, done=lambda node: made.append(node.name))
        connection.execute(f"attach '{here.warehouse}' as built (read_only)")
        names = {name for (name,) in connection.execute("show tables from built.main").fetchall()}
        assert names == set(made) == set(project.nodes)
        different = [name for name in made if not is_the_same(connection, project, name)]
    assert different == []
    # Where it is compiled already, nothing is.
    assert plain_sql.compiled_project(here) == project
    # A task elsewhere reads nothing but that folder.
    (here.project / "dbt_project.yml").unlink()
    assert plain_sql.read_project(project.folder) == project


def is_the_same(connection: duckdb.DuckDBPyConnection, project, name: str) -> bool:
    """Whether a node has the same kind, columns and rows in both databases."""
    kinds = connection.execute(
        "select count(*) from duckdb_views() where view_name = $name and not internal "
        "group by database_name = 'built'",
        {"name": name},
    ).fetchall()
    if len(kinds) != 2 * (project.nodes[name].kind == "view"):
        return False
    here, there = f"warehouse.main.{name}", f"built.main.{name}"
    if connection.execute(f"describe {here}").fetchall() != (
        connection.execute(f"describe {there}").fetchall()
    ):
        return False
    return not connection.execute(
        f"(from {here} except all from {there}) union all (from {there} except all from {here})"
    ).fetchall()
