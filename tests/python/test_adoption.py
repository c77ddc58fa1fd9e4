"""A home made from a published data set: complete or empty, and evaluating like its maker's."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import huggingface_hub
import pytest
from conftest import Checkout, compiled_project, copy_of, warehouse_copy
from hub_client import ask, be_new
from stand_in_hub import StandInHub

from latent_probes import adoption, cluster, landing, warehouse
from latent_probes.adoption import AdoptionError
from latent_probes.cli.dataset import own_data_set
from latent_probes.cluster import engines
from latent_probes.common.home import Home, HomeError
from latent_probes.evaluation import oracles
from latent_probes.landing import LandingError
from latent_probes.local_models import activations
from latent_probes.publication import manifest, proof

pytestmark = pytest.mark.rounds

NAME = "owner/probes"
PLACE = f"hf://datasets/{NAME}"
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
def hub(finished_once, tmp_path_factory) -> Iterator[StandInHub]:
    """A stand-in for the Hub, to which the data set was pushed. Not to be changed."""
    with StandInHub() as hub:
        maker = copy_of(finished_once, tmp_path_factory.mktemp("maker") / "checkout")
        variables = {"HF_TOKEN": hub.token, "HF_HUB_DISABLE_XET": "1"}
        maker = replace(maker, variables=variables).reading_from(hub)
        maker.runs("latent-probes", "push", NAME, "--allow-baseline", "--public")
        yield hub


@pytest.fixture(scope="module")
def adopted_once(new_checkout, hub, tmp_path_factory) -> Checkout:
    """A checkout that adopted what was pushed, after it was killed. Not to be changed."""
    checkout = new_checkout(tmp_path_factory.mktemp("adopted")).reading_from(hub)
    # When all rows are in, but not committed.
    died, said = checkout.ends("dying", "manifest.differences before", "adopt", PLACE)
    assert died == 9, said
    assert checkout.query("select count(*) from adopted_compact", "landing") == [(0,)]
    said = checkout.runs("latent-probes", "adopt", PLACE)
    assert f"adopted {PLACE}@" in said and "probes of 20 documents" in said
    said = checkout.runs("latent-probes", "plan")
    assert "seeds/rounds.csv and seeds/round_controls.csv are not used here" in said
    return checkout


@pytest.fixture(scope="module")
def damaged(adopted_once, tmp_path_factory):
    """A copy of the adopted warehouse and of its landing file, opened for writing."""
    with warehouse_copy(adopted_once, tmp_path_factory.mktemp("damaged")) as connection:
        yield connection


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
    before = landed(home.landing) if home.landing.exists() else None
    with pytest.raises(error) as caught:
        adoption.adopt(home, str(place))
    assert (landed(home.landing) if home.landing.exists() else None) == before
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
    said = checkout.runs(
        *("latent-probes", "evaluate", "--name", "planted", "--condition", condition),
        *("--answers", str(data), "--build", build, "--provider", "lexical"),
    )
    # What no paid provider has is not for nothing there.
    assert "not served" in said and "lexical is not in the cost below: it is the offline" in said
    assert said.index("lexical is not in the cost below") < said.index(
        "Expected cost, without lexical"
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
    again = ("latent-probes", "evaluate", "--name", "planted", "--condition", "real_state")
    assert "had already landed" in adopted.runs(*again)
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
    assert (kind, details) == ("adopted", {}) and name.startswith(f"{PLACE}@")


def test_a_home_with_rollouts_adopts_nothing(finished, export):
    assert "contains rollouts" in refusal(home_of(finished), export)


def test_what_a_maker_does_is_refused_in_an_adopted_home(adopted_once):
    for command in (
        ("land", "sample/rollouts.jsonl"),
        ("sample", "--prefixes", "sample/rollouts.jsonl", "--model", "none"),
        ("calibrate",),
        ("export",),
        ("push", "owner/probes"),
        ("write-sheet", "sheet.csv"),
    ):
        said = adopted_once.fails("latent-probes", *command)
        assert f"this home was adopted from {PLACE}@" in said, command
        assert "set LATENT_PROBES_HOME to another directory" in said
    with pytest.raises(LandingError, match="not built in parts"):
        cluster.build(home_of(adopted_once), engines.here, "unused")


def test_a_pushed_data_set_is_adopted_at_a_revision(
    adopted_once, new_home, hub, monkeypatch, tmp_path, believing
):
    be_new(monkeypatch, tmp_path)
    ask(monkeypatch, hub.address)
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda seconds: None)
    repository = hub.repositories[NAME]
    commit = repository.at("main").sha
    repository.commit({"README.md": b"Gone."})
    place = f"{PLACE}@{commit}"
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
    assert "has no manifest.json" in refusal(new_home, PLACE)
    assert "no such data set" in refusal(new_home, "hf://datasets/owner/none")


def test_the_demo_is_adopted_with_its_answers_in_every_arm(demo_once, new_home, believing):
    export = demo_once.home / "export"
    found = adoption.adopt(new_home, str(export))
    with duckdb.connect() as connection:
        connection.execute(f"attach '{new_home.landing}' as landing (read_only)")
        n_probes = connection.execute(f"select count(*) from '{export}/data/*.parquet'").fetchall()
        assert n_probes == [(found.n_probes,)]
        for config in landing.adoption.CONFIGS:
            ((n_landed, n_published),) = connection.execute(
                f"select (select count(*) from landing.adopted_{config}), "
                f"(select count(*) from '{export}/{config}/*.parquet')"
            ).fetchall()
            assert n_landed == n_published, config
        assert connection.execute(
            "select count(distinct arm) from landing.adopted_control_answers"
        ).fetchall() == [(4,)]


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


def test_what_is_not_the_folder_of_a_data_set_is_named(new_home, export, tmp_path):
    assert "none: no such folder; check the path" in refusal(new_home, tmp_path / "none")
    said = refusal(new_home, export / "manifest.json")
    assert said.endswith(f"is a file of a data set: adopt its folder, {export}")
    assert f"adopt {export}" in refusal(new_home, export.parent)


def test_the_data_set_of_an_adopted_home_is_what_it_was_adopted_from(
    adopted_once, new_home, export, monkeypatch, tmp_path, believing
):
    monkeypatch.chdir(adopted_once.folder)
    monkeypatch.setenv("LATENT_PROBES_HOME", "demo")
    assert own_data_set(reading_hub=True).startswith(f"{PLACE}@")
    with pytest.raises(HomeError, match="its files were proven then: to check a copy of them"):
        own_data_set(reading_hub=False)
    adoption.adopt(new_home, str(export))
    monkeypatch.setenv("LATENT_PROBES_HOME", str(new_home.folder))
    assert own_data_set(reading_hub=False) == str(export)


def test_another_data_set_with_the_same_ids_is_another_content(adopted_once, tmp_path):
    shutil.copy2(adopted_once.home / "landing.duckdb", tmp_path)
    before = landing.contents(tmp_path / "landing.duckdb")
    with landing.opened(tmp_path / "landing.duckdb") as connection:
        connection.execute("update adopted_compact set doc = doc || '.'")
        connection.execute("update adopted_sets set manifest_sha256 = 'another'")
    after = landing.contents(tmp_path / "landing.duckdb")
    assert {table for table in after if after[table] != before[table]} == {
        table for table in after if table.startswith("adopted_")
    }


@pytest.mark.parametrize(
    "change",
    [
        "delete from landing.adopted_folds where doc_id = (select min(doc_id) from train)",
        "update documents set text = text || '.' where document_id in "
        "(select min(document_id) from adopted_documents)",
        "update landing.adopted_text_readers set atom_value = 7 where reader like '%length%'",
        "delete from landing.adopted_siblings where doc_id = (select min(doc_id) from train)",
        "insert into landing.adopted_rejections "
        "select * replace (15 as slot_idx) from landing.adopted_rejections limit 1",
    ],
)
def test_an_adopted_row_more_or_less_is_found(adopted_once, damaged, change):
    node = compiled_project().tests["adopted_rows_stay_as_published"]
    # Commands run it in such a home alone, and again when the table has changed.
    assert node.only_with in node.parents
    statement = node.statement
    damaged.begin()
    assert damaged.execute(f"from ({statement}\n)").fetchall() == []
    damaged.execute(change)
    assert damaged.execute(f"from ({statement}\n)").fetchall() != []
    damaged.rollback()


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
