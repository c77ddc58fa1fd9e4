"""The folders of models: named in the order of the flow, small, and entered in one direction."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath

import pytest
import yaml
from conftest import ROOT, manifest

MAX_MODELS = 20


def rooms_of(configured: dict, above: str = "") -> list[str]:
    """Folders as dbt_project.yml names them, in its order: ``landed``, …, ``evaluation/card``."""
    rooms = []
    for name, below in configured.items():
        if not name.startswith("+"):
            rooms += rooms_of(below, f"{above}{name}/") or [f"{above}{name}"]
    return rooms


ROOMS = rooms_of(yaml.safe_load((ROOT / "dbt_project.yml").read_text())["models"]["latent_probes"])


@pytest.fixture(scope="module")
def models() -> dict[str, tuple[str, list[str]]]:
    """The folder of each model, and the models that it refers to."""
    return {
        name: (str(PurePath(node["path"]).parent), node["depends_on"]["nodes"])
        for name, node in manifest()["nodes"].items()
        if node["resource_type"] == "model"
    }


def test_every_folder_of_models_is_named_once(models):
    assert len(ROOMS) == len(set(ROOMS))
    assert set(ROOMS) == {folder for folder, _ in models.values()}


def test_a_folder_refers_only_to_itself_and_to_earlier_ones(models):
    places = {room: place for place, room in enumerate(ROOMS)}
    backwards = [
        f"{name} ({folder}) refers to {other} ({models[other][0]})"
        for name, (folder, others) in models.items()
        for other in others
        if other in models and places[models[other][0]] > places[folder]
    ]
    assert backwards == []


def test_no_folder_has_more_models_than_can_be_read_at_a_glance(models):
    counts = Counter(folder for folder, _ in models.values())
    assert {room: count for room, count in counts.items() if count > MAX_MODELS} == {}
