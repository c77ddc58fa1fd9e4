"""An oracle is asked by the public recipe, from states that a plain model has."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import duckdb
import huggingface_hub
import pyarrow.parquet
import pytest
import small_oracles
import typer

torch = pytest.importorskip("torch", reason="the extra lm is not installed")
peft = pytest.importorskip("peft", reason="the extra oracle is not installed")
pytestmark = pytest.mark.oracle

# Only where their libraries are installed.
from latent_probes.cli import options  # noqa: E402
from latent_probes.cli.oracles import refuse_unused  # noqa: E402
from latent_probes.evaluation import oracles  # noqa: E402
from latent_probes.evaluation.oracles import OracleError  # noqa: E402
from latent_probes.local_models import ReadingError, activations, shards, states, tokens  # noqa: E402
from latent_probes.local_models.states import Document  # noqa: E402
from latent_probes.oracles import (  # noqa: E402
    adapters,
    asking,
    contract,
    hidden,
    logit_lens,
    methods,
    prompts,
    workers,
)
from latent_probes.oracles.reader import Halving, OracleReader  # noqa: E402
from latent_probes.oracles.saved import SavedStates  # noqa: E402
from latent_probes.oracles.setups import Setup  # noqa: E402
from latent_probes.sampling.batched_model import LanguageModelError  # noqa: E402
from latent_probes.sampling.language_model import LanguageModel  # noqa: E402

torch.set_num_threads(1)

CONDITIONS = ("real_state", "no_state", "other_document_state")
TEXT = small_oracles.DOCUMENTS[0]
GIVEN = {"positions": 3}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """The base model."""
    return small_oracles.save(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory) -> Path:
    """The oracle."""
    return small_oracles.save_adapter(tmp_path_factory.mktemp("models") / "adapter", base)


@pytest.fixture
def home(tmp_path):
    """A home with 15 probes of 5 documents."""
    return small_oracles.home_in(tmp_path / "home")


def loaded(base: Path, batch_size: int = 4) -> LanguageModel:
    """The base model on the CPU."""
    model = LanguageModel(str(base), None, "auto", "cpu", batch_size)
    # An untrained model hardly ever ends its answers.
    model.ends |= set(range(0, len(model.tokenizer), 3))
    return model


def method(base, adapter, condition="real_state", name="tiny", batch_size=4, given=GIVEN):
    """The oracle as the command asks it."""
    model = loaded(base, batch_size)
    agreed = contract.read(adapter, given, small_oracles.LAYERS, "base")
    found = methods.Method(name, "oracle", condition, model, agreed)
    adapted = adapters.load(model, adapter, is_same_model=False)
    found.without_adapter = adapted.disable_adapter
    found.adapter = adapters.Adapter("adapter", None, adapter)
    return found


def baseline(base, kind, condition="real_state", layers=(1, 2)):
    """A method without an adapter."""
    agreed = contract.read(None, {"layers": layers}, small_oracles.LAYERS, "base")
    return methods.Method(kind, kind, condition, loaded(base), agreed)


def landed(home, table="oracle_answers") -> list[tuple]:
    """What has landed, but for when and under which condition."""
    with duckdb.connect(str(home.landing), read_only=True) as connection:
        names = "* exclude (landed_at)" if table == "oracle_answers" else "*"
        return connection.execute(f"select {names} from {table} order by all").fetchall()


def answers(home) -> dict[tuple[str, str], tuple]:
    """Answer and log-probabilities by condition and probe."""
    return {(row[1], row[2]): (row[4], *row[6:8]) for row in landed(home)}


def document(model, text=TEXT, split=40, n_kept=3) -> Document:
    """A document that is tokenized from its text."""
    read = tokens.of_text(model.tokenizer, text)
    return Document("s", "d", "id", "h", (split,), read, n_kept)


def question(**others) -> prompts.Question:
    """A question about a word."""
    given = {
        "probe_id": "p",
        "document_id": "id",
        "split": 40,
        "scope": "word",
        "target": "suffix",
        "verbalizer_prompt": "Which word comes next?",
        "atom": " afraid",
        "wrong_answer": " happy",
    }
    return prompts.Question(**(given | others))


def test_a_layer_is_the_output_of_the_block_with_its_number(base):
    model = loaded(base)
    one = document(model)
    (found,) = hidden.read(model, [one], range(small_oracles.LAYERS))
    with torch.inference_mode():
        listed = model.model(torch.tensor([one.ids]), output_hidden_states=True).hidden_states
        for layer in range(small_oracles.LAYERS - 1):
            theirs = listed[layer + 1][0, one.places]
            assert (found[:, layer] - theirs).abs().max() < 1e-6
        # The last one is after the final norm there.
        last = small_oracles.LAYERS - 1
        assert (found[:, last] - listed[last + 1][0, one.places]).abs().max() > 0.1
        normed = model.model.model.norm(found[:, last])
        assert (normed - listed[last + 1][0, one.places]).abs().max() < 1e-6
    assert shards.oracle_layer(10, 36) == 9
    assert shards.oracle_layer(0, 36) is None and shards.oracle_layer(36, 36) is None


def plain_logits(model, ids, places, given, how="add", size=1.0, hook_layer=1):
    """The recipe in a loop over blocks, for one prompt, without hooks, caches or padding."""
    inner = model.model.model
    with torch.inference_mode():
        state = inner.embed_tokens(torch.tensor([ids]))
        positions = torch.arange(len(ids))[None]
        rotated = inner.rotary_emb(state, positions)
        for layer, block in enumerate(inner.layers):
            state = block(state, attention_mask=None, position_embeddings=rotated)
            if layer == hook_layer:
                for place, vector in zip(places, given, strict=True):
                    h = state[0, place].clone()
                    added = size * h.norm() * vector / vector.norm()
                    state[0, place] = added + (h if how == "add" else 0)
        return model.model.lm_head(inner.norm(state))[0]


@pytest.mark.parametrize("how", ["add", "replace"])
def test_an_answer_is_that_of_a_plain_loop(base, adapter, how):
    asked = method(base, adapter, given=GIVEN | {"inject": how, "coefficient": 1.5})
    model, one = asked.model, document(loaded(base))
    with asked.without_adapter():
        (given,) = hidden.read(model, [one], asked.contract.layers)
    some = [
        prompts.of_oracle(model.tokenizer, asked.contract, row, 3, given)
        for row in (question(), question(verbalizer_prompt="And a much longer one, which is it?"))
    ]
    # Of two lengths: the shorter one is padded.
    for found in asked.reader.ask(some):
        prompt = found.prompt
        assert len(prompt.places) == 2 * 3
        vectors = torch.cat([given[:, 0], given[:, 1]])
        for ids, values in zip(prompt.candidates, (found.atom, found.wrong_answer), strict=True):
            logits = plain_logits(model, prompt.ids + ids, prompt.places, vectors, how, 1.5)
            following = logits[len(prompt.ids) - 1 : -1].log_softmax(-1)
            plain = following.gather(1, torch.tensor(ids)[:, None])[:, 0]
            assert (torch.tensor(values) - plain).abs().max() < 1e-5
        written = list(prompt.ids)
        for token in found.answer[:12]:
            logits = plain_logits(model, written, prompt.places, vectors, how, 1.5)
            assert int(logits[-1].argmax()) == token
            written.append(token)


def test_injected_states_are_the_recipe_s_to_a_millionth(base):
    model = loaded(base)
    block = hidden.blocks(model)[1]
    ids = torch.tensor([[5, 6, 7, 8]])
    kept = {}
    vectors = torch.randn(2, 32)
    with torch.inference_mode():
        before = model.model(ids, output_hidden_states=True).hidden_states[2][0]
        with hidden.injected(block, [0, 0], [1, 2], vectors, "add", 2.0):
            keep = block.register_forward_hook(lambda *given: kept.update(after=given[2][0]))
            model.model(ids)
            keep.remove()
        again = model.model(ids, output_hidden_states=True).hidden_states[2][0]
    for place, vector in ((1, vectors[0]), (2, vectors[1])):
        h = before[place]
        plain = h + 2.0 * h.norm() * vector / vector.norm()
        assert (kept["after"][place] - plain).abs().max() < 1e-6 * plain.norm()
    assert torch.equal(kept["after"][[0, 3]], before[[0, 3]])
    # The hook is gone.
    assert torch.equal(again, before)


def test_the_prompt_is_the_public_one(base):
    tokenizer = loaded(base).tokenizer
    agreed = contract.read(None, {"layers": (9, 18), "positions": 2}, 36, "base")
    ids = prompts.of_oracle(tokenizer, agreed, question(), 2, None).ids
    assert tokenizer.decode(ids) == (
        "<|start|>user\nLayer: 9\n ? ? \nLayer: 18\n ? ? \nWhich word comes next?<|endoftext|>\n"
        "<|start|>assistant\n"
    )
    # What looks like a special token in a question stays text.
    shown = prompts.chat(tokenizer, "What is <|endoftext|>?")
    assert tokenizer.decode(shown).count("<|endoftext|>") == 2
    assert shown.count(tokenizer.eos_token_id) == 1


def test_the_answer_depends_on_the_state_and_without_one_it_does_not(base, adapter, home):
    for condition in CONDITIONS:
        assert asking.ask(home, method(base, adapter, condition), None) == 15
    found = answers(home)
    real, none, other = (
        {probe: found[condition, probe] for known, probe in found if known == condition}
        for condition in CONDITIONS
    )
    assert sum(real[probe][1] != other[probe][1] for probe in real) == 15
    # Without a state, the same question gives the same, whatever the document.
    by_question = {}
    for probe, (answer, *_) in none.items():
        by_question.setdefault(probe.rpartition("-")[2], set()).add(answer)
    assert all(len(said) == 1 for said in by_question.values())
    assert len({said for said, *_ in real.values()}) > 1
    runs = landed(home, "oracle_runs")
    assert len(runs) == 3 and len({row[2] for row in runs}) == 1
    settings = json.loads(runs[0][3])
    assert settings["layers"] == [1, 3] and settings["positions"] == 3
    assert settings["adapter"]["hash"] and settings["dtype"] == "float32"
    assert settings["assumed"] == ["inject"]


def test_what_has_landed_is_evaluated_without_a_file(base, adapter, home):
    asking.ask(home, method(base, adapter), None)
    assert oracles.land_baseline_answers(home, "tiny", "real_state") == (0, 15)


def test_a_larger_number_of_documents_extends_the_selection(base, adapter, home):
    assert asking.ask(home, method(base, adapter), 2) == 6
    assert asking.ask(home, method(base, adapter), 4) == 6
    assert asking.ask(home, method(base, adapter), None) == 3
    assert asking.ask(home, method(base, adapter), None) == 0


def test_a_kill_after_each_shard_costs_that_shard_at_most(base, adapter, home, monkeypatch):
    whole = small_oracles.home_in(home.folder / "whole")
    asking.ask(whole, method(base, adapter), None)
    monkeypatch.setattr(asking, "SHARD_DOCUMENTS", 1)
    asked = method(base, adapter)
    keep = asking.land

    def landed_and_killed(*given):
        keep(*given)
        os._exit(9)

    for n_landed in range(1, 6):
        child = os.fork()
        if child == 0:
            asking.land = landed_and_killed
            try:
                asking.ask(home, asked, None)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 9
        assert len(landed(home)) == 3 * n_landed
    assert asking.ask(home, asked, None) == 0
    assert said(home) == said(whole)


def said(home) -> dict:
    """Answers, with log-probabilities as exact as other batches give them."""
    return {
        key: (answer, round(atom, 3), round(wrong, 3))
        for key, (answer, atom, wrong) in answers(home).items()
    }


def test_an_adapter_from_its_folder_gives_the_same_answers(base, adapter):
    asked, one = method(base, adapter), document(loaded(base))
    with asked.without_adapter():
        (given,) = hidden.read(asked.model, [one], (1, 3))
    prompt = prompts.of_oracle(asked.model.tokenizer, asked.contract, question(), 3, given)
    (first,) = asked.reader.ask([prompt])
    fresh = loaded(base)
    torch.manual_seed(1)
    lora = peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    peft.get_peft_model(fresh.model, lora).eval()
    (second,) = OracleReader(fresh, 1, "add", 1.0).ask([prompt])
    assert first.answer == second.answer
    assert torch.allclose(torch.tensor(first.atom), torch.tensor(second.atom), atol=1e-6)


def test_states_are_those_without_the_adapter(base, adapter):
    asked, one = method(base, adapter), document(loaded(base))
    with asked.without_adapter():
        (found,) = hidden.read(asked.model, [one], (1, 3))
    (plain,) = hidden.read(loaded(base), [one], (1, 3))
    (changed,) = hidden.read(asked.model, [one], (1, 3))
    assert torch.equal(found, plain) and not torch.allclose(changed, plain, atol=1e-3)


def saved_in(folder: Path, home, model, layers=(2, 3), n_kept=3) -> Path:
    """States of all splits, as save-activations keeps them."""
    shards.prepare(folder, activations.settings_of(model, list(layers), n_kept))
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select document_id, list(split_offset order by split_offset) from oracle_states "
            "where condition = 'real_state' group by document_id order by document_id"
        ).fetchall()
    wanted = [(document_id, tuple(splits)) for document_id, splits in rows]
    for some in activations.documents(home, model, wanted, n_kept, 2):
        shards.add(folder, some, states.read(model, some, list(layers)), list(layers), 4)
    return folder


def test_saved_states_give_equal_answers(base, adapter, home):
    given = GIVEN | {"layers": (1, 2)}
    stated = small_oracles.CONTRACT | {"act_layer_combinations": [[1, 2], [0]]}
    other = shutil.copytree(adapter, home.folder / "adapter")
    (other / "ao_config.json").write_text(json.dumps(stated))
    folder = saved_in(home.folder / "states", home, loaded(base))
    index = duckdb.sql(f"select distinct layer, oracle_layer from '{folder}/index/*.parquet'")
    assert sorted(index.fetchall()) == [(2, 1), (3, 2)]

    computed = small_oracles.home_in(home.folder / "computed")
    asking.ask(computed, method(base, other, given=given), None)
    asked = method(base, other, given=given)
    asked.saved = SavedStates(folder, asked.model, asked.contract.layers)
    n_read = []
    read = asked.saved.read
    asked.saved.read = lambda some: n_read.append(len(read(some))) or read(some)
    asking.ask(home, asked, None)
    # All of the last shard.
    assert n_read[-1] == 5
    for key, (answer, *values) in answers(computed).items():
        assert answers(home)[key][0] == answer
        assert torch.allclose(
            torch.tensor(answers(home)[key][1:]), torch.tensor(values), atol=1e-4, rtol=1e-5
        )
    (one,) = activations.documents(home, asked.model, [("d0", (29,))], 3, 1)
    (plain,) = hidden.read(loaded(base), one, (1, 2))
    assert (asked.saved.read(one)["d0"] - plain).abs().max() < 1e-5
    # Those of another document are at splits that it does not have.
    asked.condition = "other_document_state"
    assert asking.ask(home, asked, None) == 15
    assert n_read[-1] == 0

    with pytest.raises(OracleError, match=r"no states of layer 0.*calls 1"):
        SavedStates(folder, asked.model, (0,))
    with pytest.raises(OracleError, match=r"layer 3.*calls 4, and saves only after the final norm"):
        SavedStates(folder, asked.model, (3,))
    with pytest.raises(OracleError, match="contains no hidden states"):
        SavedStates(home.folder, asked.model, (1,))
    narrow = loaded(small_oracles.save(home.folder / "base2", hidden_size=16))
    with pytest.raises(OracleError, match="another model or precision"):
        SavedStates(folder, narrow, (1,))


def test_the_logit_lens_ranks_the_first_token(base, home):
    for condition in CONDITIONS:
        # Words and lenses.
        assert asking.ask(home, baseline(base, "logit-lens", condition), None) == 10
    ranks = landed(home, "oracle_token_ranks")
    assert len(ranks) == 3 * 10 * 2
    model, one = loaded(base), document(loaded(base), split=24, n_kept=1)
    with torch.inference_mode():
        listed = model.model(torch.tensor([one.ids]), output_hidden_states=True).hidden_states
        plain = model.model.lm_head(model.model.model.norm(listed[3][0, -1])).log_softmax(-1)
    logits = logit_lens.logits_of(model, hidden.read(model, [one], (2,))[0][-1])[0]
    for token in (7, 100):
        rank, logprob = logit_lens.ranked(logits, token)
        assert logprob == pytest.approx(float(plain[token]), abs=1e-5)
        assert rank == 1 + int((plain > plain[token]).sum())
    # Without a state, what follows no text: the same for all documents.
    assert (
        len({said for (known, _), (said, *_) in answers(home).items() if known == "no_state"}) == 1
    )


def test_a_patchscope_continues_the_state_itself(base, home):
    for condition in CONDITIONS:
        assert asking.ask(home, baseline(base, "patchscope", condition, (2,)), None) == 15
    found = answers(home)
    assert len({said for (known, _), (said, *_) in found.items() if known == "no_state"}) == 1
    assert len({said for (known, _), (said, *_) in found.items() if known == "real_state"}) > 1
    model, one = loaded(base), document(loaded(base), n_kept=1)
    given = hidden.read(model, [one], (2,))[0][:, -1]
    prompt = prompts.of_patchscope(model.tokenizer, question(), given)
    (said_,) = OracleReader(model, 2, "exact", 1.0).ask([prompt])
    with torch.inference_mode():
        inner = model.model.model
        state = inner.embed_tokens(torch.tensor([prompt.ids]))
        rotated = inner.rotary_emb(state, torch.arange(len(prompt.ids))[None])
        for layer, block in enumerate(inner.layers):
            state = block(state, attention_mask=None, position_embeddings=rotated)
            if layer == 2:
                state[0, -1] = given[0]
        plain = model.model.lm_head(inner.norm(state))[0, -1].log_softmax(-1)
    assert said_.atom[0] == pytest.approx(float(plain[prompt.candidates[0][0]]), abs=1e-5)


def test_the_base_model_reads_the_text_of_the_condition(base, home):
    for condition in CONDITIONS:
        assert asking.ask(home, baseline(base, "text", condition), None) == 15
    tokenizer = loaded(base).tokenizer
    shown = prompts.of_text(tokenizer, question(), TEXT[:40], 1024)
    assert f"\n{TEXT[:40]}\n\nWhich word comes next?<" in tokenizer.decode(shown.ids)
    # The end away from the split is cut.
    cut = prompts.of_text(tokenizer, question(), TEXT[:80], 140)
    assert len(cut.ids) <= 140 - 96 and TEXT[70:80] in tokenizer.decode(cut.ids)
    after = prompts.of_text(tokenizer, question(target="prefix"), TEXT, 140)
    assert TEXT[:8] in tokenizer.decode(after.ids) and TEXT[-8:] not in tokenizer.decode(after.ids)


def test_too_little_memory_halves_the_batch(capsys):
    sizes = []

    def run(some):
        sizes.append(len(some))
        if len(some) > 2:
            raise torch.OutOfMemoryError("full")
        return [row * 10 for row in some]

    at_once = Halving(8)
    assert at_once(run, list(range(5))) == [0, 10, 20, 30, 40]
    assert sizes == [5, 4, 2, 2, 1] and at_once.size == 2
    assert "out of memory: continuing with batches of 4" in capsys.readouterr().out

    def never(some):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(LanguageModelError, match="a single prompt does not fit in memory"):
        Halving(1)(never, [1])


def test_a_document_beyond_the_context_is_left_out_and_counted(base, adapter, home, capsys):
    asked = method(base, adapter)
    asked.model.longest = 20
    n_landed = asking.ask(home, asked, None)
    assert n_landed < 15 and n_landed % 3 == 0
    assert "beyond the model's context window" in capsys.readouterr().out


def test_a_split_inside_a_token_is_counted(base, adapter, home, capsys):
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("update oracle_states set split_offset = split_offset + 1")
    asking.ask(home, method(base, adapter), None)
    (line,) = [row for row in capsys.readouterr().out.splitlines() if "inside a token" in row]
    assert " 0 of 15 splits" not in line


def test_a_name_has_one_setup_under_all_conditions(base, adapter, home):
    asking.ask(home, method(base, adapter), None)
    other = method(base, adapter, "no_state", given={"positions": 2})
    with pytest.raises(OracleError, match=r"asked under real_state with other settings .positions"):
        asking.ask(home, other, None)
    with pytest.raises(OracleError, match="baseline that answers by itself"):
        asking.ask(home, method(base, adapter, name="lexical"), None)
    with pytest.raises(OracleError, match="in case or white space only"):
        asking.ask(home, method(base, adapter, name="Tiny"), None)


def test_a_state_that_is_not_finite_stops(base, adapter, home):
    asked = method(base, adapter)
    with torch.no_grad():
        hidden.blocks(asked.model)[0].mlp.down_proj.base_layer.weight.fill_(float("nan"))
    with pytest.raises(ReadingError, match=r"not finite.*--dtype float32"):
        asking.ask(home, asked, None)


def test_several_combinations_of_layers_are_chosen_from(tmp_path):
    (tmp_path / "ao_config.json").write_text(
        json.dumps({"act_layer_combinations": [[9], [18], [27]], "steering_coefficient": 2})
    )

    def read(**given):
        return contract.read(tmp_path, given, 36, "base")

    with pytest.raises(OracleError, match="choose one with --layers, of 9; 18; 27"):
        read()
    with pytest.raises(OracleError, match="--layers 9,18 is not what the oracle was trained on"):
        read(layers=(9, 18))
    assert read(layers=(18,)).layers == (18,)
    assert (
        read(layers=(18,)).coefficient == 2 and read(layers=(18,), coefficient=3).coefficient == 3
    )
    assert "positions 1 (assumed)" in read(layers=(18,)).described()
    with pytest.raises(OracleError, match="base has no layer 36: its layers are 0 to 35"):
        contract.read(None, {"layers": (36,)}, 36, "base")
    with pytest.raises(OracleError, match=r"must contain \{placeholders\} once"):
        read(layers=(9,), template="Layer")
    (tmp_path / "ao_config.json").write_text("[")
    with pytest.raises(OracleError, match=r"ao_config.json of the adapter cannot be read"):
        read()


def test_a_placeholder_of_more_than_one_token_is_refused(base):
    agreed = contract.read(None, {"placeholder": " ?!"}, 4, "base")
    with pytest.raises(OracleError, match="is not one token of this model"):
        prompts.of_oracle(loaded(base).tokenizer, agreed, question(), 3, None)


def test_a_model_without_a_chat_template_is_refused(base):
    tokenizer = loaded(base).tokenizer
    tokenizer.chat_template = None
    with pytest.raises(OracleError, match="has no chat template"):
        prompts.chat(tokenizer, "Which?")


def refused(base, adapter, **options) -> str:
    """The sentence with which an adapter is refused."""
    with pytest.raises(OracleError) as error:
        adapters.load(loaded(base), adapter, **({"is_same_model": True} | options))
    return str(error.value)


def test_an_adapter_of_another_base_is_refused(base, adapter, tmp_path):
    wide = small_oracles.save(tmp_path / "wide", hidden_size=48)
    assert "another width" in refused(wide, adapter)
    deep = small_oracles.save(tmp_path / "deep", n_layers=5)
    assert "weights without a counterpart" in refused(deep, adapter)
    shallow = small_oracles.save(tmp_path / "shallow", n_layers=3)
    assert "weights without a counterpart" in refused(shallow, adapter)
    named = shutil.copytree(base, tmp_path / "other-name")
    assert "was trained on" in refused(named, adapter, is_same_model=False)
    adapters.load(loaded(named), adapter, is_same_model=True)


def test_an_adapter_with_another_tokenizer_is_refused(base, adapter, tmp_path):
    with_tokenizer = shutil.copytree(adapter, tmp_path / "adapter")
    shutil.copy2(base / "tokenizer.json", with_tokenizer)
    adapters.load(loaded(base), with_tokenizer, is_same_model=True)
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    tokenizer["added_tokens"][0]["content"] = "<|other|>"
    (with_tokenizer / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "comes with another tokenizer than base" in refused(base, with_tokenizer)


def test_a_folder_without_an_adapter_is_refused(tmp_path):
    with pytest.raises(OracleError, match=r"has no adapter_config\.json"):
        adapters.found_at(str(tmp_path))


def test_a_revision_of_an_adapter_is_chosen_and_lands(base, adapter, monkeypatch, tmp_path):
    commit = shutil.copytree(adapter, tmp_path / ("a" * 40))
    asked = []

    def download(name, **options):
        asked.append((name, options["revision"]))
        return str(commit)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    found = adapters.found_at("owner/oracle@v1")
    assert asked == [("owner/oracle", "v1")] and found.revision == "a" * 40
    one = method(base, adapter)
    one.adapter = found
    # Another commit of equal files is no other method.
    assert one.settings()["adapter"] == {
        "name": "owner/oracle",
        "hash": adapters.found_at(str(adapter)).settings["hash"],
    }
    assert json.loads(asking.run_row(one)["environment"])["adapter_revision"] == "a" * 40
    adapters.found_at("owner/oracle")
    assert asked[-1] == ("owner/oracle", None)


def test_only_rounds_that_are_published_are_asked_about(base, adapter, home):
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("update probes set round_number = 2 where document_id = 'd0'")
        connection.execute("update probes set round_number = 3 where document_id = 'd1'")
        # The second is not in the manifest, the third was withdrawn after it.
        connection.execute("insert into round_settings values (2, false, 'started')")
        connection.execute("insert into round_settings values (3, false, 'withdrawn')")
    rounds = '[{"round_idx": 1}, {"round_idx": 3}]'
    (home.export / "manifest.json").write_text(f'{{"build": "b", "rounds": {rounds}}}')
    assert asking.ask(home, method(base, adapter), None) == 9
    assert not [row for row in landed(home) if row[2].startswith(("d0", "d1"))]
    (home.export / "manifest.json").write_text('{"build": "b", "rounds": []}')
    with pytest.raises(OracleError, match="has no probes of --scope word"):
        asking.refuse_early(home, "tiny", ["word"])
    (home.export / "manifest.json").unlink()
    with pytest.raises(OracleError, match="no data set has been exported yet"):
        asking.refuse_early(home, "tiny", ["word"])


def test_what_is_known_without_the_model_is_said_before_it_is_loaded(base, adapter, home):
    with pytest.raises(OracleError, match="--name is empty"):
        asking.refuse_early(home, "", ["word"])
    with pytest.raises(OracleError, match="baseline that answers by itself"):
        asking.refuse_early(home, "Lexical", ["word"])
    with pytest.raises(OracleError, match="--method logit-lens answers only --scope word and lens"):
        methods.scopes_of("logit-lens", ["word", "sentence"])
    with pytest.raises(OracleError, match="was trained on"):
        adapters.refuse_other_base(adapter, "another", is_same_model=False)
    asking.ask(home, method(base, adapter), None)
    asking.refuse_early(home, "tiny", ["word"])
    with duckdb.connect(str(home.landing)) as connection:
        connection.execute("update oracle_answers set file_hash = 'of a file'")
    with pytest.raises(OracleError, match="tiny has landed answers of a file"):
        asking.refuse_early(home, "tiny", ["word"])


def test_an_option_that_a_method_ignores_is_refused():
    def said(kind, **given):
        options = dict.fromkeys(("adapter", "layers", "states", "positions", "same_model"))
        with pytest.raises(typer.BadParameter) as error:
            refuse_unused(kind, options | given)
        return error.value.message

    assert "--adapter is missing" in said("oracle")
    assert "--same-model does not apply to --method text" in said("text", same_model=True)
    assert "--layers does not apply to --method text" in said("text", layers=(1,))
    assert "--positions does not apply to --method logit-lens" in said("logit-lens", positions=2)
    assert "--adapter does not apply" in said("patchscope", adapter="a")
    assert "reads one layer" in said("patchscope", layers=(1, 2))
    refuse_unused("oracle", {"adapter": "a", "layers": (1, 2), "same_model": True})
    refuse_unused("logit-lens", {"adapter": None, "layers": (1, 2), "states": "s"})


def test_saved_states_are_found_by_their_place_in_the_text(base, home):
    model = loaded(base)
    folder = saved_in(home.folder / "states", home, model)
    (some,) = activations.documents(home, model, [("d0", (29,))], 3, 1)
    expected = SavedStates(folder, model, (1,)).read(some)
    assert set(expected) == {"d0"}

    def changed(values: str) -> dict:
        other = shutil.copytree(folder, home.folder / "other", dirs_exist_ok=True)
        for part in shards.parts(folder):
            rows = duckdb.sql(f"select * replace ({values}) from '{part}'").to_arrow_table()
            pyarrow.parquet.write_table(rows, other / "index" / part.name)
        return SavedStates(other, model, (1,)).read(some)

    found = changed("token_index + 7 as token_index")
    assert torch.equal(found["d0"], expected["d0"])
    # Another version of the text, or other tokens of it.
    assert changed("'sampled' as token_source") == {}
    assert changed("token_end + 1 as token_end") == {}


@pytest.fixture
def setup(base, adapter) -> Setup:
    """The oracle as the command asks it, before its models are loaded."""
    return Setup(
        *("tiny", "oracle", "real_state", str(base), None, "auto", 4, ("word", "lens", "sentence")),
        {"layers": None, **GIVEN},
        adapters.found_at(str(adapter)),
        is_same_model=False,
        states=None,
    )


def asked_on_two(home, setup: Setup) -> int:
    """Ask on the CPU twice over."""
    with workers.started(setup, ["cpu"]) as processes:
        asked = setup.on("cpu")
        workers.wait_for_models(asked, processes)
        return asking.ask(home, asked, None, processes)


def test_several_devices_share_documents_and_give_the_answers_of_one(
    home, setup, monkeypatch, capsys
):
    monkeypatch.setattr(asking, "SHARD_DOCUMENTS", 1)
    alone = small_oracles.home_in(home.folder / "alone")
    assert asking.ask(alone, setup.on("cpu"), None) == 15
    here, exchanged, own_has_begun = [], workers.Worker.exchanged, threading.Event()

    def answered_here(method, shard):
        here.append(shard)
        own_has_begun.set()
        return methods.answered(method, shard)

    def late(worker, shard):
        # However fast the other process is, it does not take all.
        own_has_begun.wait(60)
        return exchanged(worker, shard)

    def large_shards(*given):
        # More than a pipe holds.
        for shard in of_documents(*given):
            yield replace(shard, texts={"unused": "a" * 1_000_000})

    of_documents = asking.shards
    monkeypatch.setattr(asking, "shards", large_shards)
    monkeypatch.setattr(workers, "answered", answered_here)
    monkeypatch.setattr(workers.Worker, "exchanged", late)
    assert asked_on_two(home, setup) == 15
    assert 0 < len(here) < 5
    assert "4 at a time on each of 2 devices" in capsys.readouterr().out
    assert said(home) == said(alone)
    with duckdb.connect(str(home.landing), read_only=True) as connection:
        ((environment,),) = connection.execute("select environment from oracle_runs").fetchall()
    assert json.loads(environment)["device"] == ["cpu", "cpu"]


def test_a_process_that_ends_loses_no_landed_answer(home, setup, monkeypatch):
    monkeypatch.setattr(asking, "SHARD_DOCUMENTS", 1)
    exchanged = workers.Worker.exchanged

    def killed(worker, shard):
        found = exchanged(worker, shard)
        worker.process.kill()
        worker.process.join()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(workers.Worker, "exchanged", killed)
        with pytest.raises(LanguageModelError, match=r"--device cpu has ended \(exit code -9\)"):
            asked_on_two(home, setup)
    kept = answers(home)
    assert 0 < len(kept) < 15
    assert asked_on_two(home, setup) == 15 - len(kept)
    assert answers(home).items() >= kept.items()


def test_what_goes_wrong_in_a_process_is_raised_here_and_printed_nowhere(setup, capfd):
    wrong = replace(setup, given={"layers": None, "hook_layer": 9})
    other = replace(setup, given=setup.given | {"positions": 1})
    asked = setup.on("cpu")
    for given, error, message in (
        (wrong, OracleError, "has no layer 9"),
        (other, OracleError, r"something else than the first device \(positions\)"),
    ):
        with (
            workers.started(given, ["cpu"]) as processes,
            pytest.raises(error, match=message),
        ):
            workers.wait_for_models(asked, processes)
    assert "Traceback" not in capfd.readouterr().err


def test_an_unexpected_error_of_a_process_brings_its_traceback():
    try:
        raise KeyError("layer")
    except KeyError as error:
        found = pickle.loads(pickle.dumps(workers.portable(error)))
    assert str(found) == "KeyError: 'layer'"
    assert "raise KeyError" in found.__notes__[0]
    ours = OracleError("as it is")
    assert workers.portable(ours) is ours


def test_devices_are_different_names():
    assert options.devices("cuda:0, cuda:1") == ["cuda:0", "cuda:1"]
    for wrong in ("cpu,", ",", "cuda:0,cuda:0", "cuda,cuda:0"):
        with pytest.raises(typer.BadParameter, match="--device must be"):
            options.devices(wrong)
