"""Hidden states equal those of a plain forward pass, at the tokens in the index."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest
import tiny_models
from conftest import HOME, ROOT

torch = pytest.importorskip("torch", reason="the extra lm is not installed")
pytestmark = pytest.mark.local_models

from safetensors.torch import load_file  # noqa: E402

from latent_probes.common.home import Home  # noqa: E402
from latent_probes.local_models import ReadingError, activations, shards, states, tokens  # noqa: E402
from latent_probes.local_models.states import Document  # noqa: E402
from latent_probes.sampling import rollouts as sampling  # noqa: E402
from latent_probes.sampling import tokenizing  # noqa: E402
from latent_probes.sampling.language_model import LanguageModel  # noqa: E402
from latent_probes.sampling.prefixes import Prefix  # noqa: E402

torch.set_num_threads(1)

LAYERS = [0, 1, 2]
DIFFERENCE = 1e-5


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    """A model that was never trained."""
    return tiny_models.save(tmp_path_factory.mktemp("models") / "tiny", longest=8192, spread=0.1)


@pytest.fixture(scope="module")
def tiny(model_folder) -> LanguageModel:
    """The same on the CPU."""
    return LanguageModel(str(model_folder), None, "auto", "cpu", 3)


@pytest.fixture
def reading(finished):
    """A finished round, and how a person would read its documents."""
    # Two cores are not shared well by threads of two processes.
    return replace(finished, variables={"OMP_NUM_THREADS": "1"})


def document(model, text: str, *splits: int, n_kept: int = 2) -> Document:
    """A document that is tokenized from its text."""
    read = tokens.of_text(model.tokenizer, text)
    return Document("s", f"d{len(text)}", f"id{len(text)}", "h", splits, read, n_kept)


def plain(model, ids: list[int]):
    """What the model gives of a text by itself: (layers, tokens, hidden size)."""
    with torch.inference_mode():
        found = model.model(torch.tensor([ids]), output_hidden_states=True)
    return torch.cat(found.hidden_states), found.logits[0]


def command(model_folder, *options: str) -> list[str]:
    """The command line."""
    return [
        *("latent-probes", "save-activations", "--model", str(model_folder), "--device", "cpu"),
        *("--layers", "0,1,2", "--out", "states", *options),
    ]


def rows_at(folder: Path) -> list[dict]:
    """The rows of the index."""
    return [
        row for part in shards.parts(folder) for row in pyarrow.parquet.read_table(part).to_pylist()
    ]


def test_states_of_a_batch_are_those_of_a_plain_call(tiny):
    some = [document(tiny, text, 3, len(text) - 2) for text in tiny_models.TEXTS[:4]]
    for one, found in zip(some, states.read(tiny, some, LAYERS), strict=True):
        whole, _ = plain(tiny, one.tokens.ids)
        assert found.shape == (len(one.places), 3, 32)
        assert (found - whole[:, one.places].transpose(0, 1)).abs().max() < DIFFERENCE


def test_the_last_layer_is_after_the_final_norm(tiny):
    one = document(tiny, tiny_models.TEXTS[0], 20)
    (found,) = states.read(tiny, [one], [tiny.n_layers])
    _, logits = plain(tiny, one.tokens.ids)
    with torch.inference_mode():
        own = tiny.model.lm_head(found[:, 0])
    assert (own - logits[one.places]).abs().max() < 1e-4


def test_a_shard_holds_what_its_index_says(tiny, tmp_path):
    some = [document(tiny, text, 10, 20) for text in tiny_models.TEXTS if len(text) > 20]
    shards.add(tmp_path, some[:2], states.read(tiny, some[:2], LAYERS), LAYERS, 2)
    shards.add(tmp_path, some[2:], states.read(tiny, some[2:], LAYERS), LAYERS, 2)
    by_id = {one.document_id: one for one in some}
    rows = rows_at(tmp_path)
    assert len(rows) == 4 * 2 * 2 * 3
    for row in rows:
        one = by_id[row["document_id"]]
        kept = load_file(tmp_path / row["shard"])[f"layer_{row['layer']}"][row["row"]]
        whole, _ = plain(tiny, one.tokens.ids)
        assert (kept - whole[row["layer"], row["token_index"]]).abs().max() < DIFFERENCE
        assert row["token_end"] <= row["split"]
        # The embeddings and what is after the final norm are the output of no block.
        assert row["oracle_layer"] == {0: None, 1: 0, 2: None}[row["layer"]]
        assert one.tokens.ids[row["token_index"]] == row["token_id"]
    assert shards.known(tmp_path) == {
        (one.document_id, "h", split) for one in some for split in one.splits
    }


def test_what_was_sampled_is_read_as_it_was(tiny):
    settings = sampling.Settings(1.0, 1.0, 0, 0.0, 40, 3)
    n_equal = 0
    for number, text in enumerate(tiny_models.TEXTS):
        prefix = Prefix(f"d{number}", "u", text)
        ids = tokenizing.encode(tiny.tokenizer, text)
        wanted = sampling.Wanted(prefix, 0, sampling.sampling_seed(3, prefix.doc_id, 0))
        (sampled,) = tiny.sample_batch([wanted], [ids], settings)
        whole = text + sampled.text
        read = tokens.of_sample(
            tiny.tokenizer, text, whole, sampled.prefix_tokens, sampled.continuation_tokens
        )
        if read is None:
            # A model that was never trained writes bytes that are no text.
            assert tokenizing.INCOMPLETE in sampled.text
            continue
        n_equal += 1
        assert read.source == "sampled"
        fed = [*ids, *sampled.continuation_tokens]
        assert read.ids == fed[: len(read.ids)]
        one = Document("s", "d", "id", "h", (len(whole) - 1,), read, 1)
        (found,) = states.read(tiny, [one], LAYERS)
        own, _ = plain(tiny, fed)
        assert (found - own[:, one.places].transpose(0, 1)).abs().max() < DIFFERENCE
    assert n_equal


def test_layers_that_are_not_there_are_refused(tiny):
    with pytest.raises(ReadingError, match=r"tiny has layers 0 .* to 2 .*not 3"):
        activations.refuse_layers(tiny, [1, 3])


def test_states_that_are_no_numbers_are_an_error(tmp_path):
    folder = tiny_models.save(tmp_path / "tiny", longest=512)
    broken = LanguageModel(str(folder), None, "auto", "cpu", 4)
    with torch.no_grad():
        broken.model.model.norm.weight[3] = float("nan")
    with pytest.raises(ReadingError, match=r"d53: a hidden state is not finite"):
        states.read(broken, [document(broken, tiny_models.TEXTS[0], 20)], LAYERS)


def test_a_folder_of_something_else_is_refused(tiny, tmp_path):
    settings = activations.settings_of(tiny, LAYERS, 1)
    shards.prepare(tmp_path / "states", settings)
    shards.prepare(tmp_path / "states", settings)
    with pytest.raises(ReadingError, match=r"last 1, not 2.*another --out"):
        shards.prepare(tmp_path / "states", activations.settings_of(tiny, LAYERS, 2))
    with pytest.raises(ReadingError, match="is not empty"):
        shards.prepare(tmp_path, settings)


def test_every_split_of_a_round_has_its_states(reading, tiny, model_folder):
    said = reading.runs(*command(model_folder, "--positions", "2", "--shard-documents", "7"))
    assert "20 documents: up to" in said and "MB in 3 shards; about" in said
    assert "0 with the sampled tokens, 20 tokenized from text; 0 of " in said
    ((n_lenses, n_tokens),) = reading.query(
        "select count(*), sum(n_tokens)::bigint from probes where scope = 'lens'"
    )
    assert f"{n_lenses:,} lenses have {n_tokens:,} tokens there and " in said

    folder = reading.folder / "states"
    rows = rows_at(folder)
    splits = reading.query(
        "select distinct document_id, split_offset from splits where split_offset is not null"
    )
    assert {(row["document_id"], row["split"]) for row in rows} == set(splits)
    assert len(rows) == len(splits) * 2 * 3
    assert {row["shard"] for row in rows} == {
        f"shards/{number:05}.safetensors" for number in range(3)
    }
    described = json.loads((folder / "activations.json").read_text())
    assert described["layers"] == LAYERS and described["model"] == "tiny"

    texts = dict(reading.query("select document_id, text from documents"))
    for row in rows[::17]:
        ids = tokenizing.encode(tiny.tokenizer, texts[row["document_id"]])
        kept = load_file(folder / row["shard"])[f"layer_{row['layer']}"][row["row"]]
        whole, _ = plain(tiny, ids)
        assert (kept - whole[row["layer"], row["token_index"]]).abs().max() < DIFFERENCE

    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    again = reading.runs(*command(model_folder, "--positions", "2", "--shard-documents", "7"))
    assert "nothing to do" in again
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before

    assert "choose another --out" in reading.fails(*command(model_folder, "--positions", "1"))
    assert "must be a comma-separated list of integers" in reading.fails(
        *command(model_folder, "--layers", "8;16")
    )
    assert "round 9" in reading.fails(*command(model_folder, "--positions", "2", "--round", "9"))


@pytest.mark.soak
def test_a_killed_command_loses_at_most_a_shard(reading, model_folder):
    some = command(model_folder, "--shard-documents", "1")
    folder = reading.folder / "states"
    process = reading.start(*some)
    while len(shards.parts(folder)) < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    there = {path: path.read_bytes() for path in shards.parts(folder)}
    assert 3 <= len(there) < 20
    reading.runs(*some)
    assert len(shards.parts(folder)) == 20
    assert all(path.read_bytes() == content for path, content in there.items())
    keys = [(row["document_id"], row["split"], row["layer"]) for row in rows_at(folder)]
    assert len(set(keys)) == len(keys)
    ((n_splits,),) = reading.query(
        "select count(distinct (document_id, split_offset)) from splits "
        "where split_offset is not null"
    )
    assert len(keys) == 3 * n_splits


def test_the_loading_recipe_gives_a_state_for_each_probe(reading, model_folder, monkeypatch):
    reading.runs(*command(model_folder))
    text = (ROOT / "docs" / "local-models.md").read_text()
    (recipe,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(reading.folder)
    found = {}
    # The tiny model has no layer 19, and its warehouse lies in another folder.
    recipe = recipe.replace("warehouse.duckdb", f"{HOME}/warehouse.duckdb").replace("19", "2")
    exec(recipe + "    found[probe_id] = state\n", {"found": found})
    ((n_probes,),) = reading.query("select count(*) from probes")
    assert len(found) == n_probes
    assert {tuple(state.shape) for state in found.values()} == {(32,)}


def test_documents_by_a_model_of_another_name_are_named(tmp_path, capsys):
    here = Home(tmp_path, tmp_path)
    with duckdb.connect(str(here.warehouse)) as connection:
        connection.execute(
            "create table documents as select unnest(['a', 'b', 'c']) as document_id, "
            "unnest(['Qwen/Tiny', 'other', 'other']) as source_model"
        )
    activations.say_other_names(here, "tiny", ["a", "b"])
    said = capsys.readouterr().out
    assert "warning: other wrote 1 of the documents, and tiny is another name" in said
    assert said.count("warning") == 1
