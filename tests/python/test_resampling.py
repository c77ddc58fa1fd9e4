"""Resampling from splits: draws, kills, and the resulting tables."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, replace
from pathlib import Path

import duckdb
import landing_house
import pytest
import tiny_models
from conftest import Checkout

from latent_probes import landing, rollout_files
from latent_probes.common.home import Home
from latent_probes.sampling import resamples as resampling
from latent_probes.sampling import rollouts as sampling
from latent_probes.sampling.rollouts import Sampled, Settings

pytest.importorskip("torch", reason="the extra lm is not installed")
pytestmark = pytest.mark.local_models

OFFLINE = ("latent-probes", "run", "--provider", "lexical")


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    """A model that was never trained."""
    return tiny_models.save(tmp_path_factory.mktemp("models") / "tiny", longest=8192)


@pytest.fixture
def sampled(finished) -> Checkout:
    """A finished round, and how a person would have its model go on."""
    # Two cores are not shared well by threads of two processes.
    return replace(finished, variables={"OMP_NUM_THREADS": "1"})


def command(model_folder, *options: str) -> list[str]:
    """The command line of a few documents."""
    return [
        *("latent-probes", "resample", "--model", str(model_folder), "--device", "cpu"),
        *("--documents", "3", "--max-new-tokens", "12", "--batch-size", "4", "--same-model"),
        *options,
    ]


def landed(checkout) -> list[tuple]:
    """What has landed."""
    return checkout.query(
        "select prefix_hash, continuation_idx, continuation, sampling from resamples order by all",
        file="landing",
    )


def test_a_killed_command_goes_on_and_more_continuations_leave_the_first(sampled, model_folder):
    process = sampled.start(*command(model_folder, "--continuations", "2"))
    while True:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
        try:
            if len(landed(sampled)) >= 4:
                break
        except duckdb.Error:
            continue
    process.kill()
    process.communicate()
    said = sampled.runs(*command(model_folder, "--continuations", "2"))
    assert "sampling settings of the rollouts: temperature 0.9, top_p 0.95" in said
    first = landed(sampled)
    ((n_splits,),) = sampled.query(
        "select count(distinct prefix_hash) from resample_splits where doc_id in "
        "(select doc_id from resample_passages join resample_splits using (prefix_hash))"
    )
    assert len(first) == 2 * n_splits
    drawing = json.loads(first[0][3])
    assert (drawing["temperature"], drawing["top_p"]) == (0.9, 0.95)

    more = sampled.runs(*command(model_folder, "--continuations", "3"))
    assert f"landed {n_splits} of {3 * n_splits}" in more
    assert set(first) < set(landed(sampled))
    # Passages of written probes are to be judged, unless they were cut; the rest needs nobody.
    ((n_asked,),) = sampled.query("select count(*) from judge_requests where arm = 'resample'")
    ((n_passages,),) = sampled.query(
        "select count(*) from resample_passages where is_written and not is_empty and not was_cut"
    )
    assert n_asked == n_passages
    assert re.search(r"\d+ of \d+ passages were cut before the atom's place \(n_cut\)", more)
    # So few tokens reach no sentence's end.
    assert sampled.query("select max(n_cut) from commitment where is_written") == [(3,)]


class Repeating:
    """A source model that says once more what stands in the document, or something else."""

    def __init__(self, texts: list[str], repeats: int):
        self.settings = {"model": "repeating"}
        self.environment = {}
        self.texts = texts
        self.repeats = repeats

    def sample(self, wanted, settings, land):
        rows = []
        for row in wanted:
            (text,) = (text for text in self.texts if text.startswith(row.prefix.text))
            again = row.continuation_idx < self.repeats
            said = text[len(row.prefix.text) :] if again else " Zyx wvu."
            rows.append(Sampled(row, said, None, None, "stop"))
        land(rows)


def test_what_is_said_again_is_found_in_every_scope(sampled):
    """Of five continuations, three are those of the document itself."""
    here = Home(sampled.folder, sampled.home)
    texts = [
        text
        for (text,) in sampled.query(
            "select text from documents semi join resample_splits using (document_id)"
        )
    ]
    model = Repeating(texts, repeats=3)
    n_landed, _ = resampling.resample_splits(
        here, model, "gemma-3-270m", 5, 100, 1, None, is_same_model=True
    )
    assert n_landed > 0
    sampled.runs(*OFFLINE)
    # The offline judge knows nothing but words: `4.` has none.
    rows = sampled.query(
        "select scope, count(*), count(*) filter (where n_scored = n_resamples), "
        "min(recurrence_share), max(recurrence_share) "
        "from commitment join probes using (probe_id, scope) "
        "where scope in ('word', 'lens') or regexp_matches(target_response, '[a-z]{3}') "
        "group by scope order by scope"
    )
    assert {scope for scope, *_ in rows} == {"lens", "paragraph", "sentence", "whole", "word"}
    for scope, n_probes, n_scored, lowest, highest in rows:
        assert (n_scored, lowest, highest) == (n_probes, 0.6, 0.6), scope
    # Read as an answer, each of the three is the atom.
    assert sampled.query(
        "select min(n_same), max(n_same) from (select count(*) filter (where is_same) as n_same "
        "from resample_answers group by probe_id)"
    ) == [(3, 3)]
    assert sampled.query(
        "select sum(n_probes)::bigint from commitment_summary "
        "where scope != 'all' and typicality = 'all' and recurrence = 'all'"
    ) == sampled.query("select count(*) from probes where target = 'suffix'")
    # What the source model says again is published nowhere, and all data tests pass.
    before = (sampled.home / "export" / "manifest.json").read_text()
    sampled.runs("latent-probes", "export")
    after = json.loads((sampled.home / "export" / "manifest.json").read_text())
    assert after["build"] == json.loads(before)["build"]


def landed_by(path: Path, settings: dict) -> None:
    """A rollout that a sampler with these settings landed."""
    drawing = Settings(0.7, 1.0, 0, 0.0, 10, 1)
    source = {"source_hash": "s", "kind": "sampler", "name": "m", "details": {"settings": settings}}
    prefix = resampling.Prefix("d", "u", "Once")
    row = Sampled(sampling.Wanted(prefix, 0, 1), " upon", None, None, "stop")
    with landing.opened(path) as connection:
        landing.add_sampled(
            connection,
            source | {"details": sampling.canonical(source["details"])},
            sampling.rows_of(source, "m", drawing, [row]),
        )


def test_another_model_is_refused(tmp_path):
    path = tmp_path / "landing.duckdb"
    landed_by(path, {"model": "tiny", "revision": "a", "dtype": "float32"})
    with landing.opened(path) as connection:
        # A server does not say which revision it runs.
        resampling.refuse_other_model(connection, "m", {"model": "tiny", "revision": None}, False)
        for settings in ({"model": "other"}, {"model": "tiny", "revision": "b"}):
            with pytest.raises(
                sampling.SamplingError, match="resample with the model that wrote them"
            ):
                resampling.refuse_other_model(connection, "m", settings, True)
        assert resampling.as_drawn(connection, "m", 9, 4) == Settings(0.7, 1.0, 0, 0.0, 9, 4)
        with pytest.raises(sampling.SamplingError, match="no rollouts of 'n'"):
            resampling.as_drawn(connection, "n", 9, 4)


def test_a_model_of_another_name_than_a_file_states_is_confirmed(tmp_path, capsys):
    file = landing_house.write(
        tmp_path / "rollouts.jsonl", landing_house.row(source_model="google/tiny")
    )
    path = tmp_path / "landing.duckdb"
    rollout_files.land_rollouts(path, [file], rollout_files.Mapping(), tmp_path / "downloads")
    with landing.opened(path) as connection:
        for model in ("tiny.Q4_1", "tiny-2", "google"):
            with pytest.raises(sampling.SamplingError, match=r"another name.*add --same-model"):
                resampling.refuse_other_model(connection, "google/tiny", {"model": model}, False)
            resampling.refuse_other_model(connection, "google/tiny", {"model": model}, True)
        for model in ("google/tiny", "Tiny", "unsloth/tiny"):
            resampling.refuse_other_model(connection, "google/tiny", {"model": model}, False)
    assert "rollouts.jsonl: cannot verify that Tiny wrote them" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "max_new_tokens", "fault"),
    [("other", 10, "model tiny, not other"), ("tiny", 11, "max_new_tokens 10, not 11")],
)
def test_what_is_counted_together_is_drawn_in_one_way(model, max_new_tokens, fault, tmp_path):
    """Also where nothing says which model wrote the rollouts."""
    drawing = Settings(1.0, 1.0, 0, 0.0, 10, 1)
    prefix = resampling.Prefix("hash", "u", "Once")
    row = Sampled(sampling.Wanted(prefix, 0, 1), " upon", None, None, "length")
    landed = Repeating([], 0)
    landed.settings = {"model": "tiny"}
    source = sampling.source_of("m", landed, drawing, {})
    source |= {"kind": "resampler", "details": sampling.canonical(source["details"])}
    with landing.opened(tmp_path / "landing.duckdb") as connection:
        rows = resampling.rows_of(source["source_hash"], "m", drawing, [row])
        landing.add_resamples(connection, source, rows)
        connection.execute(
            "insert into rollouts values ('m', 'd', 0, 'u', 'p', 'c', '{}', 's', null, null)"
        )
        same = {"model": "tiny"} | asdict(drawing)
        resampling.refuse_other_settings(connection, "m", same)
        resampling.refuse_other_settings(connection, "n", same | {"model": "other"})
    landed.settings = {"model": model}
    with pytest.raises(sampling.SamplingError, match=fault):
        resampling.resample_splits(
            Home(tmp_path, tmp_path), landed, "m", 5, max_new_tokens, 1, None, is_same_model=True
        )


@pytest.mark.parametrize(
    ("drawn", "fault"),
    [
        (["'{\"temperature\": 0}'"], "at temperature 0"),
        # An earlier version landed these.
        (["'{\"temperature\": [0.7]}'"], "state temperature .0.7., which is not a number"),
        (["json_object('top_p', 'nan'::double)"], "state top_p NaN, which is not a number"),
        (['\'{"top_k": "all"}\''], "state top_k all, which is not an integer"),
        (["'{\"temperature\": 1}'", "'{\"temperature\": 0.5}'"], "with 2 different settings"),
    ],
)
def test_rollouts_that_cannot_be_resampled_are_refused(drawn, fault, tmp_path):
    with landing.opened(tmp_path / "landing.duckdb") as connection:
        for number, values in enumerate(drawn):
            connection.execute(
                f"insert into rollouts values "
                f"('m', 'd', {number}, 'u', 'p', 'c', {values}, 's', null, null)"
            )
        with pytest.raises(sampling.SamplingError, match=fault):
            resampling.as_drawn(connection, "m", 9, 4)


def test_without_probes_there_is_nothing_to_go_on_from(new_checkout, tmp_path, model_folder):
    checkout = new_checkout(tmp_path)
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    assert "there are no suffix probes yet" in checkout.fails(*command(model_folder))
