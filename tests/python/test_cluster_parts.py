"""What a cluster would make where, and what is refused, without a cluster."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict

import pytest
from conftest import ROOT, compiled_project

from latent_probes import cluster
from latent_probes.cluster import engines, parts, scales, slices
from latent_probes.common.home import Home
from latent_probes.common.storage import Storage
from latent_probes.warehouse.compilation import CompiledProject


@pytest.fixture(scope="module")
def project() -> CompiledProject:
    return compiled_project()


def test_every_table_is_made_once_after_what_it_reads(project):
    phases = scales.phases(project, slices.AVAILABLE_AFTER)
    assert [phase.scale for phase in phases] == [
        *("prefixes", "whole", "round", "whole", "round", "whole")
    ]
    made = {name for name, node in project.nodes.items() if node.kind == "seed"}
    for phase in phases:
        for table in phase.tables:
            read = {leaf for leaf in scales.leaves(project, [table]) if "landing." not in leaf}
            assert read <= made, table
            assert table not in made
            made.add(table)
    assert made == {name for name, node in project.nodes.items() if node.kind != "view"}


def test_files_of_a_round_are_made_of_tables_that_its_task_has(project):
    phases = scales.phases(project, slices.AVAILABLE_AFTER)
    last = max(place for place, phase in enumerate(phases) if phase.scale == scales.ROUND)
    made = {table for phase in phases[: last + 1] for table in phase.tables}
    made |= {name for name, node in project.nodes.items() if node.kind == "seed"}
    with (ROOT / "seeds" / "published_tables.csv").open() as file:
        published = [row["model"] for row in csv.DictReader(file) if row["is_by_round"] == "true"]
    assert set(scales.leaves(project, [*published, "published_rounds"])) <= made


def test_every_name_of_a_scale_is_that_of_a_table_or_of_a_folder(project):
    folders = {node.folder for node in project.nodes.values()}
    tables = {node.name for node in project.nodes.values() if node.kind == "table"}
    assert scales.FOLDERS.keys() <= folders
    assert scales.TABLES.keys() <= tables


def test_every_landing_table_that_a_part_reads_can_be_divided(project):
    for phase in scales.phases(project, slices.AVAILABLE_AFTER):
        if phase.scale in scales.SHARDED:
            read = set(scales.leaves(project, list(phase.tables)))
            landed = {leaf.removeprefix("landing.") for leaf in read if "landing." in leaf}
            assert landed <= slices.DIVIDED[phase.scale].keys() | {*slices.EVERYWHERE}


def test_a_cluster_without_ray_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(cluster.ClusterError, match=r"requirements-cluster\.lock"),
        engines.on_ray(None),
    ):
        pass


def test_options_of_a_cluster_need_one(finished_once):
    said = finished_once.fails("latent-probes", "build", "--address", "auto")
    assert "--address and --storage need --on ray" in said


def test_a_machine_with_other_code_makes_nothing(tmp_path):
    order = parts.Order("round-0001", 1, str(tmp_path), "p", "other", "f", [], [], {}, {})
    with pytest.raises(cluster.ClusterError, match="another version"):
        parts.build_part(json.dumps(asdict(order)))
    assert list(tmp_path.iterdir()) == []


def test_a_calibration_is_built_on_one_machine(tmp_path, monkeypatch):
    monkeypatch.setattr("latent_probes.warehouse.is_calibration", lambda home: True)
    with pytest.raises(cluster.ClusterError, match="calibration"):
        cluster.build(Home(tmp_path, tmp_path), engines.here, str(tmp_path))


@pytest.mark.parametrize("protocol", ["", "memory://"])
def test_a_file_of_a_storage_is_complete_or_missing(tmp_path, protocol):
    storage = Storage(f"{protocol}{tmp_path}/storage")
    assert storage.text("a/b.txt") is None
    assert storage.folders("a") == []
    for content in ("first", "second"):
        (tmp_path / "b.txt").write_text(content)
        storage.put(tmp_path / "b.txt", "a/b.txt")
        assert storage.text("a/b.txt") == content
        assert not (tmp_path / "b.txt").exists()
    assert storage.folders("") == ["a"]
    with storage.scratch() as folder:
        assert storage.fetched("a/b.txt", folder).read_text() == "second"
        storage.copy("a/b.txt", folder / "c.txt")
        assert (folder / "c.txt").read_text() == "second"
    storage.remove("a")
    storage.remove("a")
    assert storage.folders("") == []
