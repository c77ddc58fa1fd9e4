"""Rollouts sampled with a tiny model in this process: what lands, and that a kill loses nothing."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import tiny_models
from landing_house import rows_at
from tiny_models import TEXTS

from latent_probes import landing
from latent_probes.sampling import language_model, tokenizing
from latent_probes.sampling import rollouts as sampling
from latent_probes.sampling.prefixes import Prefix
from latent_probes.sampling.rollouts import Sampled, Settings, Wanted

torch = pytest.importorskip("torch", reason="the extra lm is not installed")
pytestmark = pytest.mark.local_models
torch.set_num_threads(1)

SETTINGS = Settings(temperature=1.0, top_p=1.0, top_k=0, min_p=0.0, max_new_tokens=12, seed=3)
ORIGIN = {"file": "pages.jsonl", "file_sha256": "0", "cut": "none"}
PREFIXES = [Prefix(f"d{number}", f"u{number}", text) for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """A model of two layers that was never trained, and its tokenizer."""
    return tiny_models.save(tmp_path_factory.mktemp("models") / "tiny", longest=256)


def load(folder: Path, batch_size: int = 4) -> language_model.LanguageModel:
    """The model on the CPU."""
    return language_model.LanguageModel(str(folder), None, "auto", "cpu", batch_size)


@pytest.fixture(scope="session")
def tiny(model_folder) -> language_model.LanguageModel:
    """The tiny model, loaded once."""
    return load(model_folder)


def sample(path, model, siblings=3, prefixes=PREFIXES, settings=SETTINGS) -> int:
    """Sample and land; how many were added."""
    return sampling.sample_rollouts(path, model, "tiny", prefixes, siblings, settings, ORIGIN)


@pytest.fixture(scope="session")
def undisturbed(tiny, tmp_path_factory) -> Path:
    """Three siblings of each prefix."""
    path = tmp_path_factory.mktemp("undisturbed") / "landing.duckdb"
    assert sample(path, tiny) == 15
    return path


def wanted(prefix: Prefix, index: int, seed: int = 3) -> Wanted:
    """A rollout to be sampled."""
    return Wanted(prefix, index, sampling.sampling_seed(seed, prefix.doc_id, index))


def test_prefix_and_continuation_are_what_the_model_wrote(undisturbed, tiny):
    for doc_id, _, continuation, drawing, prefix_tokens, tokens in rows_at(undisturbed):
        text = TEXTS[int(doc_id[1:])]
        whole = tokenizing.decode(tiny.tokenizer, prefix_tokens + tokens)
        assert (text + continuation) == whole.rstrip(tokenizing.INCOMPLETE)
        ended = tokens[-1] == tiny.tokenizer.eos_token_id
        assert json.loads(drawing)["finish_reason"] == ("stop" if ended else "length")
        assert ended or len(tokens) == 12
        assert tiny.tokenizer.eos_token_id not in tokens[:-1]


def test_settings_stand_at_every_rollout_and_its_source(undisturbed, tiny):
    (row, *_) = rows_at(undisturbed)
    assert (
        json.loads(row[3]).items()
        >= {
            "temperature": 1.0,
            "top_p": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "max_new_tokens": 12,
            "sampling_seed": sampling.sampling_seed(3, "d0", 0),
        }.items()
    )
    with landing.opened(undisturbed) as connection:
        ((kind, name, details),) = landing.sources_of(connection, "tiny")
    assert (kind, name) == ("sampler", "tiny")
    assert details["settings"]["model"] == "tiny"
    assert details["settings"]["dtype"] == "float32"
    assert len(details["settings"]["revision"]) == 64
    assert details["settings"]["tokenizer"].startswith("tiny@")
    assert details["environment"]["device"] == "cpu"
    assert details["prefixes"] == ORIGIN
    assert "/" not in json.dumps(details)


def test_text_that_spells_a_special_token_is_text(undisturbed, tiny):
    fed = [row[4] for row in rows_at(undisturbed) if row[0] == "d4"]
    assert tiny.tokenizer.eos_token_id not in fed[0]
    assert tokenizing.decode(tiny.tokenizer, fed[0]) == TEXTS[4]


def test_a_second_run_adds_nothing(undisturbed, tiny):
    before = rows_at(undisturbed)
    assert sample(undisturbed, tiny) == 0
    assert rows_at(undisturbed) == before


def test_equal_seeds_give_equal_text_and_other_seeds_other_text(undisturbed, tiny, tmp_path):
    sample(tmp_path / "again.duckdb", tiny)
    assert rows_at(tmp_path / "again.duckdb") == rows_at(undisturbed)
    sample(tmp_path / "other.duckdb", tiny, settings=replace(SETTINGS, seed=4))
    assert rows_at(tmp_path / "other.duckdb") != rows_at(undisturbed)


def test_siblings_differ(undisturbed):
    texts = [row[2] for row in rows_at(undisturbed)]
    assert len(set(texts)) == len(texts)


def test_an_interrupted_run_goes_on_as_if_it_was_not(undisturbed, tiny, tmp_path, monkeypatch):
    path = tmp_path / "landing.duckdb"
    plain = tiny.sample_batch
    n_batches = 0

    def stops(*arguments) -> list[Sampled]:
        nonlocal n_batches
        n_batches += 1
        if n_batches == 3:
            raise KeyboardInterrupt
        return plain(*arguments)

    monkeypatch.setattr(tiny, "sample_batch", stops)
    with pytest.raises(KeyboardInterrupt):
        sample(path, tiny)
    assert len(rows_at(path)) == 8
    monkeypatch.undo()
    assert sample(path, tiny) == 7
    assert rows_at(path) == rows_at(undisturbed)


def test_more_siblings_and_documents_are_added_to_what_is_there(undisturbed, tiny, tmp_path):
    path = tmp_path / "landing.duckdb"
    assert sample(path, tiny, siblings=1, prefixes=PREFIXES[:3]) == 3
    assert sample(path, tiny, siblings=3) == 12
    assert rows_at(path) == rows_at(undisturbed)


def test_a_rollout_does_not_depend_on_its_batch(undisturbed, tiny):
    landed = {row[:2]: row[5] for row in rows_at(undisturbed)}
    for prefix in PREFIXES:
        row = wanted(prefix, 1)
        (alone,) = tiny.sample_batch(
            [row], [tokenizing.encode(tiny.tokenizer, prefix.text)], SETTINGS
        )
        assert alone.continuation_tokens == landed[prefix.doc_id, 1]


def test_other_settings_for_the_same_name_are_refused(undisturbed, tiny):
    with pytest.raises(sampling.SamplingError, match=r"temperature 1.0, not 0.5.*--source-mod"):
        sample(undisturbed, tiny, settings=replace(SETTINGS, temperature=0.5))


def test_a_model_whose_weights_changed_is_refused(undisturbed, tiny, monkeypatch):
    monkeypatch.setattr(tiny, "settings", tiny.settings | {"revision": "another"})
    with pytest.raises(sampling.SamplingError, match="revision"):
        sample(undisturbed, tiny)


def test_another_prefix_of_the_same_document_is_refused(undisturbed, tiny):
    other = [replace(PREFIXES[0], text="Another text")]
    with pytest.raises(sampling.SamplingError, match=r"'d0'.*a different prefix"):
        sample(undisturbed, tiny, prefixes=other)


def test_a_name_that_came_from_a_file_is_refused(tiny, tmp_path):
    from latent_probes import rollout_files

    file = tmp_path / "rollouts.jsonl"
    row = {"source_model": "tiny", "doc_id": "x", "doc_source": "y", "prefix": "z"}
    file.write_text(json.dumps(row | {"continuations": ["a"]}))
    rollout_files.land_rollouts(
        tmp_path / "landing.duckdb", [file], rollout_files.Mapping({}, {}), tmp_path / "downloads"
    )
    with pytest.raises(sampling.SamplingError, match=r"landed from rollouts\.jsonl"):
        sample(tmp_path / "landing.duckdb", tiny)


def test_another_machine_may_go_on_and_is_recorded(undisturbed, tiny, tmp_path, monkeypatch):
    path = tmp_path / "landing.duckdb"
    sample(path, tiny, siblings=1)
    monkeypatch.setattr(tiny, "environment", tiny.environment | {"device": "another"})
    assert sample(path, tiny, siblings=2) == 5
    with landing.opened(path) as connection:
        assert len(landing.sources_of(connection, "tiny")) == 2


def test_too_long_a_prefix_is_refused_before_anything_is_sampled(tiny, tmp_path):
    long = [*PREFIXES, Prefix("long", "u", "word " * 400)]
    with pytest.raises(language_model.LanguageModelError, match="--max-prefix"):
        sample(tmp_path / "landing.duckdb", tiny, prefixes=long)
    assert rows_at(tmp_path / "landing.duckdb") == []


def test_a_model_that_is_not_there_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    for model in [tmp_path / "empty", tmp_path / "none.gguf"]:
        with pytest.raises(
            (language_model.LanguageModelError, tokenizing.TokenizerError), match=model.name
        ):
            language_model.LanguageModel(str(model), None, "auto", "cpu", 1)


def test_draws_follow_the_probabilities():
    many = [
        Wanted(PREFIXES[0], index, sampling.sampling_seed(1, "d", index)) for index in range(4000)
    ]
    shares = torch.tensor([0.5, 0.0, 0.3, 0.2, 0.0])
    scores = shares.log().expand(len(many), -1)
    drawer = language_model.drawer(many)
    chosen = drawer(torch.zeros(len(many), 7, dtype=torch.long), scores).argmax(-1)
    counted = torch.bincount(chosen, minlength=5) / len(many)
    assert (counted - shares).abs().max() < 0.03
    assert counted[1] == counted[4] == 0


def test_warpers_leave_out_what_the_settings_leave_out():
    settings = replace(SETTINGS, top_k=2, temperature=2.0)
    scores = torch.tensor([[4.0, 3.0, 2.0, 1.0]]).expand(200, -1)
    many = [wanted(PREFIXES[0], index) for index in range(200)]
    chain = language_model.processors(many, settings)
    chosen = chain(torch.zeros(200, 5, dtype=torch.long), scores).argmax(-1)
    assert set(chosen.tolist()) == {0, 1}


def test_a_killed_command_loses_at_most_a_batch(checkout, model_folder):
    # Two cores are not shared well by threads of two processes.
    checkout = replace(checkout, variables={"OMP_NUM_THREADS": "1"})
    pages = checkout.folder / "pages.jsonl"
    pages.write_text(
        "".join(
            json.dumps({"id": f"p{number}", "url": "u", "text": f"{number} " + TEXTS[3] * 3}) + "\n"
            for number in range(12)
        )
    )
    command = ["latent-probes", "sample", "--prefixes", "pages.jsonl", "--model"]
    command += [str(model_folder), "--siblings", "2", "--max-new-tokens", "20", "--device", "cpu"]
    command += ["--batch-size", "2", "--min-prefix", "20", "--max-prefix", "150"]
    process = checkout.start(*command)
    landed = 0
    while landed < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
        try:
            ((landed,),) = checkout.query("select count(*) from rollouts", file="landing")
        except duckdb.Error:
            continue
    process.kill()
    process.communicate()
    ((landed,),) = checkout.query("select count(*) from rollouts", file="landing")
    assert 4 <= landed < 24
    assert landed % 2 == 0
    assert f"landed {24 - landed:,} rollouts of tiny; {landed:,} had" in checkout.runs(*command)
    killed = rows_at(checkout.home / "landing.duckdb")
    (checkout.home / "landing.duckdb").unlink()
    checkout.runs(*command)
    assert rows_at(checkout.home / "landing.duckdb") == killed
    assert len(killed) == 24
