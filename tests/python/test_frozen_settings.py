"""Rounds keep what they were asked with, whatever today's vars and the landing format are."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml
from conftest import Checkout, copy_of_compiled, copy_of_project

from latent_probes import landing
from latent_probes.common.home import Home
from latent_probes.warehouse import compilation

pytestmark = pytest.mark.rounds

OLD = Path(__file__).with_name("landing_files")
# A value for each frozen var that it has nowhere else. No files of that tokenizer exist.
CHANGED = {
    "language": "de",
    "tokenizer": "nobody/none",
    "siblings_shown": 2,
    "min_siblings": 9,
    "typical_siblings": 1,
    "min_sentences_beside_split": 5,
    "max_neighbours": 1,
    "position_tolerance": 0.01,
    "complement_characters": 100,
    "further_siblings": 1,
    "further_characters": 50,
    "min_atom_words": 40,
}


def set_vars(checkout: Checkout, values: dict) -> None:
    """Change vars of the project, so that stale requests are pending again."""
    path = checkout.folder / "dbt_project.yml"
    project = yaml.safe_load(path.read_text())
    project["vars"]["latent_probes"] |= values | {"ask_stale_again": True}
    path.write_text(yaml.safe_dump(project))


def data(checkout: Checkout) -> dict[str, bytes]:
    """The data files of the export, by name."""
    return {path.name: path.read_bytes() for path in (checkout.home / "export/data").iterdir()}


def is_moved(checkout: Checkout, before: dict[str, bytes]) -> bool:
    """Whether a build asks for anything again, or publishes other bytes."""
    status, _ = checkout.ends("latent-probes", "export")
    return status != 0 or n_pending(checkout) > 0 or data(checkout) != before


def n_pending(checkout: Checkout) -> int:
    """Requests that would be asked now."""
    ((n_requests,),) = checkout.query("select coalesce(sum(n_pending), 0) from planned_requests")
    return n_requests


@pytest.fixture(scope="module")
def changed_once(finished_once, tmp_path_factory) -> Path:
    """A checkout with other vars, whose statements dbt has compiled."""
    checkout = copy_of_project(tmp_path_factory.mktemp("changed"))
    set_vars(checkout, CHANGED)
    project = compilation.compiled_project(Home(checkout.folder, checkout.home))
    assert "nobody/none" in project.nodes["round_settings"].statement
    return checkout.folder


def test_no_var_that_is_frozen_moves_a_finished_round(finished, changed_once):
    before = data(finished)
    original = (finished.folder / "dbt_project.yml").read_text()
    set_vars(finished, CHANGED)
    copy_of_compiled(changed_once, finished.folder)
    if not is_moved(finished, before):
        return

    moved = []
    for name, value in CHANGED.items():
        (finished.folder / "dbt_project.yml").write_text(original)
        set_vars(finished, {name: value})
        if is_moved(finished, before):
            moved.append(name)
    pytest.fail(f"a finished round moves with {', '.join(moved) or 'several vars together'}")


def test_the_frozen_vars_are_those_that_land_with_a_round(tmp_path):
    with landing.opened(tmp_path / "landing.duckdb") as connection:
        columns = [name for name, *_ in connection.execute("describe started_rounds").fetchall()]
    project = yaml.safe_load((OLD.parents[2] / "dbt_project.yml").read_text())
    assert set(CHANGED) == set(columns) & set(project["vars"]["latent_probes"])


def test_an_old_landing_file_publishes_what_it_published(checkout, changed_once):
    """Whatever the frozen vars are today: its round has those of its time."""
    copy_of_compiled(changed_once, checkout.folder)
    checkout.home.mkdir(exist_ok=True)
    (checkout.home / "landing.duckdb").write_bytes(
        lzma.decompress((OLD / "landing.duckdb.xz").read_bytes())
    )
    for name in ("rounds.csv", "round_controls.csv"):
        shutil.copy2(OLD / name, checkout.folder / "seeds" / name)
    set_vars(checkout, CHANGED)
    checkout.runs("latent-probes", "export")
    assert n_pending(checkout) == 0
    assert checkout.query("from landing_version", "landing") == [(landing.VERSION,)]
    assert checkout.query(
        "select tokenizer, siblings_shown, complement_characters from published_rounds"
    ) == [("Qwen/Qwen3-8B", 4, 4000)]
    published = checkout.home / "export/data/train-round-0001.parquet"
    # Of later editions: which words and lenses are drawn, columns behind the first 35, and how the
    # words up to an atom are counted.
    with duckdb.connect() as connection:
        for name, file in (("old", OLD / "data.parquet"), ("new", published)):
            connection.execute(
                f"""
                create table {name} as
                select columns(lambda c: c not in (
                    'actual_word_distance_from_split', 'is_nested', 'atom_origin'
                ))
                from '{file}'
                where scope in ('sentence', 'paragraph', 'whole')
                """
            )
        differing = connection.execute(
            "(from old except all from new) union all (from new except all from old)"
        ).fetchall()
        assert differing == []
        assert connection.execute("select count(*) from new").fetchall() == [(24,)]
