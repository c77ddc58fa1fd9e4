"""A home made from a published data set: complete or empty, and evaluating like its maker's."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import duckdb
import huggingface_hub
import pytest
from conftest import Checkout, copy_of
from hub_client import ask, be_new
from stand_in_hub import StandInHub

from latent_probes import adoption, cluster, landing, warehouse
from latent_probes.adoption import AdoptionError
from latent_probes.cluster import engines
from latent_probes.common.home import Home
from latent_probes.evaluation import oracles
from latent_probes.landing import LandingError
from latent_probes.local_models import activations
from latent_probes.publication import manifest, proof

pytestmark = pytest.mark.rounds

CONDITIONS = {
    "real_state": "atom_text as answer, -1.0 - hash(doc_id) % 2 as logp_atom, -2.0 as logp_ipa",
    "no_state": "incorrect_plausible_answer as answer, -2.0 as logp_atom, -1.5 as logp_ipa",
    "other_document_state": "'It goes on.' as answer, -2.0 as logp_atom, -1.0 as logp_ipa",
}
# What an evaluation shows, and what it is computed from.
EVALUATED = (
    *("oracle_leaderboard", "oracle_comparisons", "oracle_scores", "oracle_state_effects"),
    *("oracle_probes", "oracle_questions", "contrast", "contrast_baselines", "lens_answers"),
    *("arm_scores", "control_answers", "controls", "folds", "other_documents", "oracle_states"),
    *("documents", "train", "rejected_slots", "published_rounds", "resample_splits"),
)


@pytest.fixture(scope="module")
def export(finished_once) -> Path:
    """The export of the finished checkout. Not to be changed."""
    return finished_once.home / "export"


@pytest.fixture(scope="module")
def adopted_once(new_checkout, export, tmp_path_factory) -> Checkout:
    """A checkout that adopted the export, after it was killed in the middle. Not to be changed."""
    checkout = new_checkout(tmp_path_factory.mktemp("adopted"))
    # When all rows are in, but not committed.
    died, said = checkout.ends("dying", "manifest.differences before", "adopt", str(export))
    assert died == 9, said
    assert checkout.query("select count(*) from adopted_compact", "landing") == [(0,)]
    said = checkout.runs("latent-probes", "adopt", str(export))
    assert "adopted" in said and "probes of 20 documents" in said
    said = checkout.runs("latent-probes", "plan")
    assert "seeds/rounds.csv and seeds/round_controls.csv are not used here" in said
    return checkout


@pytest.fixture
def new_home(tmp_path) -> Home:
    """An empty home."""
    return Home(tmp_path, tmp_path / "home")


@pytest.fixture
def believing(monkeypatch):
    """Nothing is proven, which takes a process of its own."""
    monkeypatch.setattr(proof, "faults", lambda folder: [])


def home_of(checkout: Checkout) -> Home:
    return Home(checkout.folder, checkout.home)


def landed(path: Path) -> dict[str, list[tuple]]:
    """All rows that an adoption landed, by table, except under which name and when."""
    with landing.opened(path) as connection:
        rows = {
            f"adopted_{config}": connection.execute(f"from adopted_{config}").fetchall()
            for config in landing.adoption.CONFIGS
        }
        rows["sets"] = connection.execute(
            "select manifest_sha256, manifest, build from adopted_sets"
        ).fetchall()
    return rows


def refusal(home: Home, place: Path | str, error: type[Exception] = AdoptionError) -> str:
    """Why a data set is not adopted; nothing of it has landed."""
    before = landed(home.landing)
    with pytest.raises(error) as caught:
        adoption.adopt(home, str(place))
    assert landed(home.landing) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def evaluate(checkout: Checkout, build: str) -> None:
    """Land the answers of a method under each condition, and have them judged."""
    data = checkout.folder / "answers.parquet"
    for condition, columns in CONDITIONS.items():
        with duckdb.connect() as connection:
            connection.execute(
                f"copy (select doc_id, slot_idx, {columns} from '{checkout.folder}/data/*.parquet' "
                f"where slot_idx != 3) to '{data}'"
            )
        if condition != "other_document_state":
            oracles.land_answers(home_of(checkout), "planted", condition, data, build)
    checkout.runs(
        *("latent-probes", "evaluate", "--name", "planted", "--condition", condition),
        *("--answers", str(data), "--build", build, "--provider", "lexical"),
    )


def test_an_evaluation_in_an_adopted_home_equals_the_makers_row_by_row(
    adopted_once, finished_once, export, tmp_path
):
    build = json.loads((export / "manifest.json").read_text())["build"]
    found = []
    for name, checkout in {"maker": finished_once, "adopted": adopted_once}.items():
        checkout = copy_of(checkout, tmp_path / name)
        shutil.copytree(export / "data", checkout.folder / "data")
        evaluate(checkout, build)
        found.append(checkout)
    maker, adopted = found
    assert maker.query(
        "select count(*), count(headline), count(hard_lift), count(contrast_difference) "
        "from oracle_leaderboard where oracle = 'planted'"
    ) > [(20, 5, 5, 1)]
    for table in EVALUATED:
        assert adopted.query(f"from {table} order by all") == maker.query(
            f"from {table} order by all"
        ), table
    # Only what is new was asked, under the ids that the maker's requests have.
    asked = "select distinct request_id, model, input_hash from requests "
    mine = set(adopted.query(f"{asked}", "landing"))
    assert mine == set(
        maker.query(f"{asked} where not starts_with(stage, 'generator')", "landing")
    ) - set(finished_once.query(asked, "landing"))
    assert adopted.query("select distinct stage from requests order by all", "landing") == [
        ("answerer",),
        ("judge",),
    ]
    said = adopted.fails(
        *("latent-probes", "evaluate", "--name", "other", "--condition", "no_state"),
        *("--answers", str(adopted.folder / "answers.parquet"), "--build", "0" * 64),
    )
    assert f"but the data set is {build}" in said
    # Everything that is tested in a maker's home holds here.
    warehouse.build(home_of(adopted), tested=True)


def test_the_same_data_set_is_adopted_once_and_another_one_never(adopted_once, demo_once, export):
    home = home_of(adopted_once)
    before = landed(home.landing)
    assert not adoption.adopt(home, str(export)).is_new
    assert landed(home.landing) == before
    said = refusal(home, demo_once.home / "export")
    assert "is another data set" in said and "new directory" in said


def test_states_and_resamples_start_from_what_the_maker_had(adopted_once, finished_once, tmp_path):
    found = []
    for checkout in (adopted_once, finished_once):
        with landing.opened(checkout.home / "landing.duckdb") as connection:
            settings = landing.sampling_settings(connection, "gemma-3-270m")
        found.append((settings, activations.unread(home_of(checkout), tmp_path, None)))
    adopted, maker = found
    assert adopted == maker and maker[0] == [("0.9", "0.95", None, None)] and len(maker[1]) == 20


def test_tokens_of_published_siblings_are_those_that_were_sampled(adopted_once, tmp_path):
    shutil.copy2(adopted_once.home / "landing.duckdb", tmp_path)
    with landing.opened(tmp_path / "landing.duckdb") as connection:
        key = landing.one(
            connection,
            "select source_model, doc_id, continuations[1].continuation_idx from adopted_siblings "
            "order by doc_id limit 1",
        )
        assert landing.sampled_tokens(connection, [key]) == {}
        connection.execute(
            """
            update adopted_siblings
            set
                prefix_tokens = [1, 2],
                continuations = list_transform(
                    continuations,
                    lambda x: struct_update(x, tokens := [x.continuation_idx::integer, 3])
                )
            """
        )
        assert landing.sampled_tokens(connection, [key]) == {key: ([1, 2], [key[2], 3])}
        ((kind, name, details),) = landing.sources_of(connection, key[0])
    assert (kind, details) == ("adopted", {}) and name.endswith("demo/export")


def test_a_home_with_rollouts_adopts_nothing(finished, export):
    assert "contains rollouts" in refusal(home_of(finished), export)


def test_what_a_maker_does_is_refused_in_an_adopted_home(adopted_once, export):
    for command in (
        ("land", "sample/rollouts.jsonl"),
        ("sample", "--prefixes", "sample/rollouts.jsonl", "--model", "none"),
        ("calibrate",),
        ("export",),
        ("push", "owner/probes"),
        ("write-sheet", "sheet.csv"),
    ):
        said = adopted_once.fails("latent-probes", *command)
        assert f"this home was adopted from {export}: " in said, command
        assert "set LATENT_PROBES_HOME to another directory" in said
    with pytest.raises(LandingError, match="not built in parts"):
        cluster.build(home_of(adopted_once), engines.here, "unused")


def test_a_data_set_is_adopted_from_the_hub_at_a_commit(
    adopted_once, new_home, export, monkeypatch, tmp_path, believing
):
    with StandInHub() as hub:
        be_new(monkeypatch, tmp_path)
        ask(monkeypatch, hub.address)
        monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda seconds: None)
        contents = {
            str(path.relative_to(export)): path.read_bytes()
            for path in export.rglob("*")
            if path.is_file()
        }
        repository = hub.create("owner/probes")
        commit = repository.commit({**contents, ".gitattributes": b"*.parquet lfs\n"})
        repository.commit({"README.md": b"Gone."})
        place = f"hf://datasets/owner/probes@{commit}"
        hub.plan("status", at="resolve", path="siblings/", times=None, status=403)
        assert "no permission" in refusal(new_home, place)
        hub.plans.clear()
        n_before = len(hub.asked("resolve"))
        found = adoption.adopt(new_home, place)
        again = [request.path for request in hub.asked("resolve")[n_before:]]
        # What was downloaded before is not downloaded again.
        assert not any("/data/" in path for path in again) and "siblings" in again[0]
        assert found.name == place and found.is_new
        assert landed(new_home.landing) == landed(adopted_once.home / "landing.duckdb")
        assert not [path for path in new_home.downloads.rglob("*") if path.is_file()]
        assert "has no manifest.json" in refusal(new_home, "hf://datasets/owner/probes")
        assert "no such data set" in refusal(new_home, "hf://datasets/owner/none")


def test_files_that_change_while_they_are_read_do_not_land(
    new_home, export, tmp_path, believing, monkeypatch
):
    folder = tmp_path / "export"
    shutil.copytree(export, folder)
    (folder / "folds" / "train-all.parquet").write_bytes(b"")
    monkeypatch.setattr(landing.adoption, "CONFIGS", ("rounds", "compact", "siblings"))
    assert "was changed while it was read" in refusal(new_home, folder)
    assert "has no manifest.json" in refusal(new_home, tmp_path)


def replaced(folder: Path, config: str, query: str, *, noted: bool = True) -> None:
    """Write a file of an export again; with ``noted``, also its hash in the manifest."""
    (file,) = (folder / config).iterdir()
    with duckdb.connect() as connection:
        connection.execute(f"create table rows as {query.replace('ROWS', str(file))}")
        connection.execute(f"copy rows to '{file}' (format parquet)")
    path = folder / manifest.NAME
    described = json.loads(path.read_text())
    for listed in described["files"]:
        if noted and listed["path"] == str(file.relative_to(folder)):
            listed["bytes"] = file.stat().st_size
            listed["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(described))


def test_files_that_do_not_prove_are_not_adopted(new_home, export, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(export, folder)
    replaced(folder, "folds", "select * replace ('train' as fold) from 'ROWS'", noted=False)
    said = refusal(new_home, folder)
    assert "folds/train-all.parquet does not match the hash in the manifest" in said
    assert "so nothing has landed" in said


@pytest.mark.parametrize(
    ("config", "query", "reason"),
    [
        ("controls", "select * exclude (n_answers) from 'ROWS'", "has no column n_answers"),
        (
            "rounds",
            "select * replace (seed::varchar as seed) from 'ROWS'",
            "no column seed of type",
        ),
        ("siblings", "select * replace (prefix || '.' as prefix) from 'ROWS'", "not in `siblings`"),
        ("siblings", "from 'ROWS' where doc_id > 'b'", "not in `siblings`"),
        ("folds", "from 'ROWS' where doc_id > 'b'", "a document has no fold"),
        ("compact", "from 'ROWS' union all from 'ROWS'", "have the same id"),
        ("rounds", "select * replace (null::bigint as seed) from 'ROWS'", "form of an export"),
    ],
)
def test_rows_that_contradict_each_other_do_not_land(
    new_home, export, tmp_path, believing, config, query, reason
):
    folder = tmp_path / "export"
    shutil.copytree(export, folder)
    replaced(folder, config, query)
    error = AdoptionError if "form" in reason else LandingError
    assert reason in refusal(new_home, folder, error)
