"""Copies of a model on a Ray cluster give what one process gives, also where some are lost."""

from __future__ import annotations

import functools
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_models
from conftest import copy_of
from landing_house import rows_at
from test_whole_runs import files_of

from latent_probes.cluster import ClusterError, models
from latent_probes.common.home import Home
from latent_probes.local_models import ReadingError, activations, scores
from latent_probes.sampling import rollouts as sampling
from latent_probes.sampling import tokenizing
from latent_probes.sampling.batched_model import LanguageModelError
from latent_probes.sampling.language_model import LanguageModel
from latent_probes.sampling.prefixes import Prefix

torch = pytest.importorskip("torch", reason="the extra lm is not installed")
ray = pytest.importorskip("ray", reason="the extra cluster is not installed")
pytestmark = pytest.mark.cluster
torch.set_num_threads(1)

SETTINGS = sampling.Settings(1.0, 1.0, 0, 0.0, 12, 3)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    """A model that was never trained."""
    return tiny_models.save(tmp_path_factory.mktemp("models") / "tiny", longest=4096)


def add_machine(cluster) -> None:
    """Add a machine with a CPU, and a place such as a GPU is."""
    cluster.add_node(num_cpus=1, resources={"place": 1})
    cluster.wait_for_nodes()


@pytest.fixture(scope="module")
def machines():
    """A cluster of two machines, as Ray sees it, with a CPU each."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_raylet_start_wait_time_s", "300")
        # What the copies are told to do below.
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "resources": {"place": 1}}
        )
        add_machine(cluster)
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def shared(machines, model_folder):
    """The model with a copy on each machine."""
    with models.on_ray(None, str(model_folder), None, "auto", 3) as model:
        wait_for_both(model)
        yield model


def wait_for_both(model) -> None:
    """Wait until both copies are loaded."""
    while len(model.ready) < 2:
        model.wait()


@pytest.fixture(scope="module")
def alone(model_folder) -> LanguageModel:
    """The same model in this process."""
    return LanguageModel(str(model_folder), None, "auto", "cpu", 3)


@pytest.fixture
def room(machines, monkeypatch):
    """Room for further copies on the machines, whose CPUs are taken."""
    places = models.places_on
    monkeypatch.setattr(
        models, "places_on", lambda ray: [place | {"num_cpus": 0} for place in places(ray)]
    )


def copies(folder: Path, load) -> models.ModelOnCluster:
    """Copies of the model that a function loads."""
    tokenizer = tokenizing.load(str(folder), None)
    version = tokenizing.version(tokenizer, str(folder), None)
    return models.ModelOnCluster(ray, load, "tiny", tokenizer, version, 3)


@pytest.fixture
def checkouts(demo_once, tmp_path):
    """The demo, twice."""
    return copy_of(demo_once, tmp_path / "one"), copy_of(demo_once, tmp_path / "other")


def home_of(checkout) -> Home:
    return Home(checkout.folder, checkout.home)


def where(model: LanguageModel, piece: int) -> tuple[int, int]:
    """The piece, and the process that did it."""
    time.sleep(0.05)
    return piece, os.getpid()


def test_pieces_are_done_by_all_copies_and_come_in_their_order(shared):
    found = list(shared.map(where, range(60)))
    assert [piece for piece, _ in found] == [piece for _, (piece, _) in found] == list(range(60))
    assert len({process for _, (_, process) in found}) == 2


def test_a_model_on_a_cluster_is_what_it_is_in_one_process(shared, alone):
    for name in ("name", "settings", "environment", "longest", "n_layers", "hidden_size"):
        assert getattr(shared, name) == getattr(alone, name)
    assert shared.n_bytes == alone.n_bytes == 4


def test_the_same_rollouts_are_sampled(shared, alone, tmp_path):
    prefixes = [Prefix(f"d{n}", f"u{n}", text) for n, text in enumerate(tiny_models.TEXTS)]
    for name, model in (("shared", shared), ("alone", alone)):
        path = tmp_path / name
        origin = {"file": "pages.jsonl"}
        sampling.sample_rollouts(path, model, "tiny", prefixes, 3, SETTINGS, origin)
    assert rows_at(tmp_path / "shared") == rows_at(tmp_path / "alone")


def test_the_same_scores_land(shared, alone, checkouts):
    for checkout, model in zip(checkouts, (shared, alone), strict=True):
        assert scores.score_probes(home_of(checkout), model, ["word"], 3) > 0
    query = "select * exclude (landed_at) from local_scores order by all"
    here, there = (checkout.query(query, file="landing") for checkout in checkouts)
    assert here == there


def test_the_same_states_are_saved(shared, alone, checkouts, tmp_path):
    for checkout, model, name in zip(checkouts, (shared, alone), "ab", strict=True):
        activations.save_activations(
            *(home_of(checkout), model, [0, 2], 2, tmp_path / name, None), shard_size=4
        )
    assert len(list((tmp_path / "a").rglob("*.safetensors"))) > 2
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_the_command_lands_the_same(shared, machines, model_folder, checkouts):
    one, other = (replace(found, variables={"OMP_NUM_THREADS": "1"}) for found in checkouts)
    command = ("latent-probes", "score-local", "--model", str(model_folder), "--documents", "2")
    # Meanwhile, the other cluster's copies wait.
    process = one.start(*command, "--on", "ray")
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    other.runs(*command, "--device", "cpu")
    query = "select * exclude (landed_at) from local_scores order by all"
    assert one.query(query, file="landing") == other.query(query, file="landing") != []


@pytest.mark.parametrize("option", [("--device", "cpu"), ("--server", "http://127.0.0.1:1/v1")])
def test_two_places_are_refused(demo_once, option):
    command = ("latent-probes", "resample", "--model", "tiny", "--on", "ray")
    assert option[0] in demo_once.fails(*command, *option)
    assert "--address needs --on ray" in demo_once.fails(*command[:4], "--address", "auto")


@pytest.mark.parametrize(
    "command",
    [
        ("sample", "--prefixes", "pages.jsonl"),
        ("resample",),
        ("score-local",),
        ("save-activations", "--layers", "1", "--out", "states"),
    ],
)
def test_each_command_asks_ray(demo_once, model_folder, tmp_path, command):
    copied = copy_of(demo_once, tmp_path / "checkout")
    (copied.folder / "pages.jsonl").write_text('{"id": "1", "url": "u", "prefix": "It was."}\n')
    (tmp_path / "ray.py").write_text("raise ImportError('no Ray here')")
    path = os.pathsep.join([os.fspath(tmp_path), os.environ.get("PYTHONPATH", "")])
    without = replace(copied, variables={"PYTHONPATH": path})
    process = without.start("latent-probes", *command, "--model", str(model_folder), "--on", "ray")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1 and "Ray is not installed" in said


def refuses(model: LanguageModel, piece: int) -> int:
    """A piece that cannot be read."""
    if piece == 5:
        raise ReadingError("piece 5: a log-probability is not finite")
    return piece


def test_what_is_wrong_with_a_piece_is_said_as_in_one_process(shared):
    with pytest.raises(ReadingError, match=r"^piece 5: a log-probability is not finite$"):
        list(shared.map(refuses, range(9)))
    # The copies are there as before.
    assert [piece for piece, _ in shared.map(where, range(3))] == [0, 1, 2]


def killed_once(model: LanguageModel, piece: int, marker: Path) -> int:
    """Piece 3 ends the process that does it, the first time."""
    if piece == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return len(model.tokenizer) + piece


def test_a_killed_copy_is_started_again(shared, alone, tmp_path, capsys):
    work = functools.partial(killed_once, marker=tmp_path / "killed")
    found = list(shared.map(work, range(12)))
    assert (tmp_path / "killed").exists()
    assert found == [(piece, len(alone.tokenizer) + piece) for piece in range(12)]
    assert "a copy of the model was lost, 1 are left" in capsys.readouterr().out
    wait_for_both(shared)


def kills(model: LanguageModel, piece: int) -> None:
    """What no copy survives."""
    if piece == 3:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("restarts", "losses"), [(0, 3), (3, 2)])
def test_a_piece_that_no_copy_survives_ends_the_run(
    room, model_folder, monkeypatch, restarts, losses
):
    monkeypatch.setattr(models, "RESTARTS", restarts)
    monkeypatch.setattr(models, "LOSSES", losses)
    with (
        models.on_ray(None, str(model_folder), None, "auto", 3) as model,
        pytest.raises(ClusterError, match=r"copies of the model were lost.*smaller --batch-size"),
    ):
        list(model.map(kills, range(9)))


def loaded(device: str | None, folder: Path, marker: Path, way: str) -> LanguageModel:
    """The model; in one of two copies there is something wrong."""
    model = LanguageModel(str(folder), None, "auto", device, 3)
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return model
    if way == "fails":
        raise LanguageModelError("cannot load the model (CUDA out of memory)")
    model.settings |= {way: "another"}
    return model


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("revision", r"different models or use other packages \(revision"),
        ("tokenizer", r"has another tokenizer than this machine \(another, not tiny@"),
    ],
)
def test_copies_of_different_files_are_refused(room, model_folder, tmp_path, way, said):
    load = functools.partial(loaded, folder=model_folder, marker=tmp_path / "first", way=way)
    with pytest.raises(ClusterError, match=said):
        model = copies(model_folder, load)
        try:
            wait_for_both(model)
        finally:
            assert len(model.ready) == 1
            model.stop()


def test_a_copy_that_cannot_be_loaded_is_left_out(room, model_folder, tmp_path, capsys):
    load = functools.partial(loaded, folder=model_folder, marker=tmp_path / "first", way="fails")
    model = copies(model_folder, load)
    while model.loading:
        model.wait()
    assert "left out: 1" in (said := capsys.readouterr().out) and "CUDA out of memory" in said
    assert [piece for piece, _ in model.map(where, range(9))] == list(range(9))
    model.stop()


def test_machines_with_another_version_are_refused(room, model_folder, monkeypatch):
    monkeypatch.setattr(models.stamps, "code_hash", lambda: "another")
    with (
        pytest.raises(ClusterError, match="another version of latent-probes"),
        models.on_ray(None, str(model_folder), None, "auto", 3),
    ):
        pass


def test_a_copy_is_on_each_gpu_or_without_any_on_each_machine():
    def places(*resources: dict) -> list[dict]:
        nodes = [
            {"Alive": True, "NodeID": "0" * 56, "Resources": resource} for resource in resources
        ]
        return models.places_on(SimpleNamespace(nodes=lambda: nodes))

    assert places({"GPU": 4.0, "CPU": 32.0}, {"CPU": 8.0}) == [{"num_gpus": 1, "num_cpus": 0}] * 4
    assert [one["num_cpus"] for one in places({"CPU": 16.0}, {}, {"CPU": 8.0})] == [16, 8]
    with pytest.raises(ClusterError, match="no GPU and no CPU"):
        places({})


# A copy without a GPU belongs to its machine. Another waits for one that is free.
@pytest.mark.parametrize("is_bound", [True, False])
def test_what_a_lost_machine_had_is_done_by_the_others(
    machines, room, model_folder, monkeypatch, is_bound
):
    if not is_bound:
        add_machine(machines)
        place = {"num_cpus": 0, "resources": {"place": 1}}
        monkeypatch.setattr(models, "places_on", lambda ray: [place, place])
    with models.on_ray(None, str(model_folder), None, "auto", 3) as model:
        wait_for_both(model)
        found = []
        for piece, (_, process) in model.map(where, range(200)):
            found.append((piece, process))
            if len({process for _, process in found}) == 2 and machines.worker_nodes:
                machines.remove_node(next(iter(machines.worker_nodes)), allow_graceful=False)
        assert not machines.worker_nodes
        assert [piece for piece, _ in found] == list(range(200))
        if is_bound:
            # Until Ray knows that the machine is lost.
            while model.loading:
                model.wait()
            assert len(model.ready) == 1
        else:
            add_machine(machines)
            wait_for_both(model)
            machines.remove_node(next(iter(machines.worker_nodes)), allow_graceful=False)
        assert [piece for piece, _ in model.map(where, range(9))] == list(range(9))
