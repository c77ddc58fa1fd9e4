"""A verbalizer describes the states, and the base model answers from its descriptions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest
import small_oracles
import typer
import yaml

torch = pytest.importorskip("torch", reason="the extra lm is not installed")
pytest.importorskip("peft", reason="the extra oracle is not installed")
pytestmark = pytest.mark.oracle

# Only where their libraries are installed.
from latent_probes.cli.oracles import refuse_unused  # noqa: E402
from latent_probes.evaluation.oracles import OracleError  # noqa: E402
from latent_probes.local_models import ReadingError, tokens  # noqa: E402
from latent_probes.local_models.states import Document  # noqa: E402
from latent_probes.oracles import AUTOENCODER, adapters, asking, autoencoders, hidden, methods  # noqa: E402
from latent_probes.oracles.autoencoders import Verbalizer  # noqa: E402
from latent_probes.sampling.language_model import LanguageModel  # noqa: E402

torch.set_num_threads(1)

CONDITIONS = ("real_state", "no_state", "other_document_state")
LAYER = 2


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """The base model."""
    return small_oracles.save(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The verbalizer."""
    return small_oracles.save_verbalizer(tmp_path_factory.mktemp("models") / "verbalizer")


@pytest.fixture
def home(tmp_path):
    """A home with 15 probes of 5 documents."""
    return small_oracles.home_in(tmp_path / "home")


def loaded(place: Path, dtype: str = "auto") -> LanguageModel:
    """A model on the CPU."""
    return LanguageModel(str(place), None, dtype, "cpu", 4)


def method(base: Path, folder: Path, condition: str = "real_state", name: str = "nla"):
    """The autoencoder as the command asks it."""
    source = loaded(base)
    # An untrained model hardly ever ends its answers.
    source.ends |= set(range(0, len(source.tokenizer), 3))
    found = adapters.found_at(str(folder))
    agreed = autoencoders.read(found.folder, None, small_oracles.LAYERS, "base")
    asked = methods.Method(name, AUTOENCODER, condition, source, agreed, found)
    asked.verbalizer = Verbalizer(loaded(folder), agreed)
    asked.verbalizer.model.ends |= set(range(0, len(source.tokenizer), 5))
    return asked


def changed(folder: Path, to: Path, **others) -> Path:
    """A copy of the verbalizer whose file states something else; None leaves a field out."""
    shutil.copytree(folder, to)
    stated = yaml.safe_load((to / "nla_meta.yaml").read_text()) | others
    kept = {name: value for name, value in stated.items() if value is not None}
    (to / "nla_meta.yaml").write_text(yaml.safe_dump(kept))
    return to


def landed(home, table: str = "oracle_answers") -> list[tuple]:
    """What has landed."""
    with duckdb.connect(str(home.landing), read_only=True) as connection:
        return connection.execute(f"select * from {table} order by all").fetchall()


def state_of(base: Path) -> torch.Tensor:
    """A state of the base model."""
    model = loaded(base)
    read = tokens.of_text(model.tokenizer, small_oracles.DOCUMENTS[0])
    one = Document("s", "d", "id", "h", (40,), read, 1)
    return hidden.read(model, [one], (LAYER,))[0][-1, 0]


def plainly(model, ids: list[int], place: int, state: torch.Tensor, scale: float) -> torch.Tensor:
    """Logits of the recipe in a loop over blocks: without hooks, caches or padding."""
    inner = model.model
    with torch.inference_mode():
        given = inner.embed_tokens(torch.tensor([ids])).clone()
        given[0, place] = state * scale / state.norm()
        rotated = inner.rotary_emb(given, torch.arange(len(ids))[None])
        for block in inner.layers:
            given = block(given, attention_mask=None, position_embeddings=rotated)
        return model.lm_head(inner.norm(given))[0]


def test_a_description_is_that_of_a_plain_loop(base, folder):
    agreed = autoencoders.read(folder, None, small_oracles.LAYERS, "base")
    verbalizer = Verbalizer(loaded(folder), agreed)
    model, state = verbalizer.model.model, state_of(base)
    assert (
        verbalizer.model.tokenizer.decode(verbalizer.ids)
        == "<|start|>user\nDescribe the vector in tags.\n\n<concept>?</concept>\n\nPlease."
        "<|endoftext|>\n<|start|>assistant\n"
    )
    prompts = [verbalizer.prompt(state), verbalizer.prompt(-state)]
    with torch.inference_mode():
        asked = verbalizer.prefilled(prompts)
        logits = asked.logits.log_softmax(-1)
        written = verbalizer.answers(asked, prompts)
    for row, (given, ids) in enumerate(zip((state, -state), written, strict=True)):
        plain = plainly(model, verbalizer.ids, verbalizer.place, given, 40.0)
        assert (logits[row] - plain[-1].log_softmax(-1)).abs().max() < 1e-5
        so_far = list(verbalizer.ids)
        for token in ids[:12]:
            plain = plainly(model, so_far, verbalizer.place, given, 40.0)
            assert int(plain[-1].argmax()) == token
            so_far.append(token)
    assert written[0] != written[1] and len(written[0]) <= 200


def test_the_state_takes_the_place_of_the_embedding_to_a_millionth(base, folder):
    agreed = autoencoders.read(folder, None, small_oracles.LAYERS, "base")
    verbalizer, state = Verbalizer(loaded(folder), agreed), state_of(base)
    kept: dict[str, torch.Tensor] = {}
    first = hidden.blocks(verbalizer.model)[0]
    hook = first.register_forward_pre_hook(lambda module, given: kept.update(first=given[0]))
    with torch.inference_mode():
        verbalizer.prefilled([verbalizer.prompt(state)])
        hook.remove()
        plain = verbalizer.model.model.model.embed_tokens(torch.tensor(verbalizer.ids)).clone()
        plain[verbalizer.place] = state * 40.0 / state.norm()
    assert (kept["first"][0] - plain).abs().max() < 1e-6 * 40.0
    assert kept["first"][0, verbalizer.place].norm() == pytest.approx(40.0, rel=1e-6)


def test_the_answer_is_the_base_model_s_to_the_description(base, folder, home):
    asked = method(base, folder)
    assert asking.ask(home, asked, None) == 15
    ((_, _, probe_id, _, said, _, atom, *_), *_) = landed(home)
    assert probe_id == "d0-0"
    split = len(" ".join(small_oracles.DOCUMENTS[0].split(" ")[:3]))
    description = asked.descriptions["d0", split]
    source = loaded(base)
    shown = (
        "<|start|>user\nA description of a language model's hidden state in the middle of a text:"
        f"\n\n{description}\n\nWhat is said 0?<|endoftext|>\n<|start|>assistant\n"
    )
    ids = source.tokenizer(shown, add_special_tokens=False, split_special_tokens=False)["input_ids"]
    text = small_oracles.DOCUMENTS[0][split : split + 9].strip()
    wanted = source.tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = source.model(torch.tensor([ids + wanted])).logits[0, len(ids) - 1 : -1]
    each = logits.log_softmax(-1).gather(1, torch.tensor(wanted)[:, None])
    assert float(each.sum()) == pytest.approx(atom, abs=1e-4)
    assert isinstance(said, str)


def test_the_answer_depends_on_the_state_and_without_one_it_does_not(base, folder, home):
    for condition in CONDITIONS:
        assert asking.ask(home, method(base, folder, condition), None) == 15
    by_condition: dict[str, dict[str, tuple]] = {}
    for _, condition, probe_id, _, said, _, atom, wrong, *_ in landed(home):
        by_condition.setdefault(condition, {})[probe_id] = (said, atom, wrong)
    real, none, other = (by_condition[condition] for condition in CONDITIONS)
    assert sum(real[probe][1] != other[probe][1] for probe in real) == 15
    # One description of nothing: the same question has the same answer, whatever the document.
    for slot in range(3):
        assert len({said for probe, (said, *_) in none.items() if probe.endswith(f"-{slot}")}) == 1
        assert len({said for probe, (said, *_) in real.items() if probe.endswith(f"-{slot}")}) > 1


def test_what_is_assumed_lands(base, folder, home, capsys):
    asking.ask(home, method(base, folder), None)
    ((_, _, _, settings, *_),) = landed(home, "oracle_runs")
    found = json.loads(settings)
    assert found["method"] == "autoencoder" and found["contract"] == "nla_meta.yaml"
    assert found["layers"] == [LAYER] and found["injection_scale"] == 40.0
    assert found["assumed"] == sorted(autoencoders.ASSUMED)
    assert found["answered_by"] == "the base model, from the description"
    assert (
        found["verbalizer"]["model"] == "verbalizer" and len(found["verbalizer"]["revision"]) == 64
    )
    printed = capsys.readouterr().out
    assert "the first description: '" in printed
    # One of each split, whatever was tried before.
    assert "15 of 15 descriptions are not between <explanation> tags" in printed
    said = autoencoders.read(folder, None, small_oracles.LAYERS, "base").described()
    assert "layers [2] (from nla_meta.yaml)" in said and "described 'greedily' (assumed)" in said


def test_another_scale_is_another_method(base, folder, home, tmp_path):
    asking.ask(home, method(base, folder), None)
    extraction = {"injection_scale": 50}
    other = changed(folder, tmp_path / "verbalizer", extraction=extraction)
    with pytest.raises(OracleError, match=r"other settings .injection_scale 40\.0, not 50\.0"):
        asking.ask(home, method(base, other, "no_state"), None)


def test_a_description_is_what_is_between_the_tags(base, folder):
    asked = method(base, folder)
    tokenizer = asked.verbalizer.model.tokenizer
    for written, said in (
        ("a <explanation>\nof\nrivers </explanation> b", "of\nrivers"),
        (" <explanation>cut off", "cut off"),
        ("no tags ", "no tags"),
    ):
        # The ends of this method would be cut out of it.
        asked.verbalizer.model.ends = set()
        assert asked.verbalizer.description(tokenizer(written)["input_ids"]) == said
    assert (asked.verbalizer.n_described, asked.verbalizer.n_untagged) == (3, 1)


def test_a_file_that_does_not_say_how_to_ask_is_refused(base, folder, tmp_path):
    def refused(layers=None, **others) -> str:
        place = changed(folder, tmp_path / str(len(list(tmp_path.iterdir()))), **others)
        with pytest.raises(OracleError) as error:
            agreed = autoencoders.read(place, layers, small_oracles.LAYERS, "base")
            autoencoders.refuse_other_width(agreed, loaded(base))
            Verbalizer(loaded(place), agreed)
        return str(error.value)

    tokens_of = yaml.safe_load((folder / "nla_meta.yaml").read_text())["tokens"]
    assert "only a verbalizer" in refused(role="ar")
    assert "only a verbalizer" in refused(kind="nla_dataset")
    assert "has no injection_scale" in refused(extraction={})
    assert "has no tokens" in refused(tokens=None)
    assert "cannot be read" in refused(extraction={"injection_scale": None})
    assert "cannot be read" in refused(d_model=float("inf"))
    assert "has no av" in refused(prompt_templates={})
    assert "injection_scale is -1" in refused(extraction={"injection_scale": -1})
    assert "once" in refused(prompt_templates={"av": "Describe it."})
    assert "has no extraction_layer_index" in refused(extraction_layer_index=None)
    assert "--layers 1 is not what the verbalizer was trained on" in refused(layers=(1,))
    for layer in ("2", 2.0, True):
        assert "extraction_layer_index is" in refused(extraction_layer_index=layer)
    assert "base has no layer 4" in refused(extraction_layer_index=4)
    assert "describes states of 64 numbers, and base has 32" in refused(d_model=64)
    for wrong in ({"injection_token_id": 5}, {"injection_left_neighbor_id": 5}):
        assert "is not the one of its nla_meta.yaml" in refused(tokens=tokens_of | wrong)
    two = {"injection_char": "zqx"}
    assert "must be token" in refused(tokens=tokens_of | two)
    (tmp_path / "damaged").mkdir()
    for damaged in ("kind: [", "kind: " + "[" * 5_000):
        (tmp_path / "damaged" / "nla_meta.yaml").write_text(damaged)
        with pytest.raises(OracleError, match="cannot be read"):
            autoencoders.read(tmp_path / "damaged", None, 4, "base")
    # The layer can be given if the file does not have it.
    place = changed(folder, tmp_path / "given", extraction_layer_index=None)
    assert autoencoders.read(place, (1,), 4, "base").layers == (1,)
    root = autoencoders.read(
        changed(folder, tmp_path / "root", extraction={"injection_scale": "sqrt_d_model"}),
        *(None, 4, "base"),
    )
    assert root.scale == pytest.approx(32**0.5)


def test_a_verbalizer_that_overflows_stops(base, folder):
    asked = method(base, folder)
    with torch.no_grad():
        hidden.blocks(asked.verbalizer.model)[0].mlp.down_proj.weight.fill_(float("nan"))
    with pytest.raises(ReadingError, match="the verbalizer overflows"):
        asked.verbalizer.describe([torch.ones(32)])


def test_an_adapter_of_a_verbalizer_is_refused(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "lora")
    (place / "adapter_config.json").write_text("{}")
    with pytest.raises(OracleError, match="merge the adapter into its base model"):
        adapters.found_at(str(place))


def test_an_option_that_a_verbalizer_ignores_is_refused():
    with pytest.raises(typer.BadParameter, match="--positions does not apply to a verbalizer"):
        refuse_unused(AUTOENCODER, {"adapter": "a", "positions": 2, "layers": None})
    refuse_unused(AUTOENCODER, {"adapter": "a", "layers": (20,), "states": "s"})
