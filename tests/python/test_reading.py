"""Log-probabilities of candidates: correct, and equal in a batch and individually."""

from __future__ import annotations

import types
from dataclasses import replace

import pytest
import tiny_models
import transformers

from latent_probes.sampling import tokenizing

torch = pytest.importorskip("torch", reason="the extra lm is not installed")
pytestmark = pytest.mark.local_models

from latent_probes.local_models import ReadingError, likelihoods, readings  # noqa: E402
from latent_probes.local_models.readings import Reading, Text  # noqa: E402
from latent_probes.sampling.batched_model import LanguageModelError  # noqa: E402
from latent_probes.sampling.language_model import LanguageModel  # noqa: E402

torch.set_num_threads(1)

SUFFIX = Text(
    "p1",
    "question",
    "h",
    "word",
    "suffix",
    "Æsop told it: a fox, a crow, 乌鸦 and a piece of cheese 🧀 that",
    "What comes next?",
    " fell down",
    " stood there",
)
PREFIX = replace(
    SUFFIX,
    probe_id="p2",
    target="prefix",
    complement=" and the towns on them.\nShort",
    atom=" river",
)
TEXTS = [
    SUFFIX,
    replace(SUFFIX, form="question_only"),
    replace(SUFFIX, form="continuation"),
    PREFIX,
    replace(PREFIX, form="question_only"),
    replace(
        SUFFIX, probe_id="p3", verbalizer_prompt="What is next?", atom="乌", wrong_answer="🧀 it is"
    ),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> LanguageModel:
    """A model of Qwen3's kind on the CPU."""
    folder = tiny_models.save(tmp_path_factory.mktemp("models") / "tiny", longest=512)
    return LanguageModel(str(folder), None, "auto", "cpu", 4)


def read(model, texts, longest=512):
    """What comes of texts in one batch."""
    some = [readings.reading_of(model.tokenizer, text, longest) for text in texts]
    return likelihoods.Reader(model).read(some)


def models():
    """Models whose layers keep all, keep a window, and keep a state."""
    kinds = transformers.models
    sizes = tiny_models.SIZES | {"vocab_size": 300, "max_position_embeddings": 256}
    yield transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(**sizes, num_hidden_layers=2, initializer_range=0.4)
    )
    yield transformers.Gemma3ForCausalLM(
        transformers.Gemma3TextConfig(
            **sizes, num_hidden_layers=7, sliding_window=16, initializer_range=0.2
        )
    )
    yield kinds.qwen3_5.modeling_qwen3_5.Qwen3_5ForCausalLM(
        kinds.qwen3_5.configuration_qwen3_5.Qwen3_5TextConfig(
            **sizes,
            num_hidden_layers=4,
            linear_num_value_heads=2,
            linear_num_key_heads=2,
            linear_key_head_dim=16,
            linear_value_head_dim=16,
            initializer_range=0.1,
        )
    )


def made_up(n_readings: int) -> list[Reading]:
    """Readings of three contexts of different lengths, some with an answer."""
    generator = torch.Generator().manual_seed(1)

    def ids(n_tokens: int) -> list[int]:
        return torch.randint(5, 300, (n_tokens,), generator=generator).tolist()

    contexts = [tuple(ids(n_tokens)) for n_tokens in (50, 33, 60)]
    return [
        Reading(
            replace(SUFFIX, probe_id=str(number)),
            contexts[number % 3],
            ids(5 + number % 2),
            (ids(1 + number), ids(12)),
            6 if number % 4 == 0 else 0,
            False,
        )
        for number in range(n_readings)
    ]


@pytest.mark.parametrize("kind", range(3), ids=["qwen3", "gemma3", "qwen3_5"])
def test_a_batch_gives_what_one_by_one_gives(kind):
    torch.manual_seed(0)
    *_, plain = (model for place, model in enumerate(models()) if place <= kind)
    plain.eval()
    model = types.SimpleNamespace(
        model=plain,
        device="cpu",
        ends=set(),
        tokenizer=types.SimpleNamespace(decode=lambda ids: "x"),
    )
    for one in likelihoods.Reader(model).read(made_up(8)):
        atom, wrong = likelihoods.one_by_one(model, one.reading)
        assert one.atom == pytest.approx(atom, abs=1e-4)
        assert one.wrong_answer == pytest.approx(wrong, abs=1e-4)
        if one.answer_tokens is None:
            assert not one.reading.longest_answer
            continue
        shown = [*one.reading.context, *one.reading.question]
        with torch.inference_mode():
            generated = plain.generate(
                torch.tensor([shown]), do_sample=False, max_new_tokens=6, eos_token_id=None
            )
        assert generated[0, len(shown) :].tolist() == one.answer_tokens


def test_a_resampled_text_is_read_without_another_answer(tiny):
    answered, resampled = read(tiny, [SUFFIX, replace(SUFFIX, compared_with="resampled_text")])
    assert answered.answer_tokens is not None
    assert resampled.answer_tokens is None
    assert resampled.atom == pytest.approx(answered.atom, abs=1e-4)


def test_all_forms_agree_with_one_by_one(tiny):
    for one in read(tiny, TEXTS):
        atom, wrong = likelihoods.one_by_one(tiny, one.reading)
        assert one.atom == pytest.approx(atom, abs=1e-4)
        assert one.wrong_answer == pytest.approx(wrong, abs=1e-4)


def test_one_by_one_is_what_the_model_itself_says_of_the_text(tiny):
    (one,) = read(tiny, [replace(SUFFIX, form="continuation")])
    whole = tiny.tokenizer(SUFFIX.complement + SUFFIX.atom)["input_ids"]
    n_atom = len(one.atom)
    assert whole == [*one.reading.context, *one.reading.question, *one.reading.candidates[0]]
    with torch.inference_mode():
        labels = torch.tensor([[-100] * (len(whole) - n_atom) + whole[-n_atom:]])
        loss = tiny.model(torch.tensor([whole]), labels=labels).loss
    assert sum(one.atom) / n_atom == pytest.approx(-loss.item(), abs=1e-4)


@pytest.mark.parametrize("most_logits", [1, 4000])
def test_little_memory_gives_the_same(tiny, monkeypatch, most_logits):
    usual = read(tiny, TEXTS)
    monkeypatch.setattr(likelihoods, "MOST_LOGITS", most_logits)
    for one, other in zip(read(tiny, TEXTS), usual, strict=True):
        assert one.atom == pytest.approx(other.atom, abs=1e-4)
        assert one.wrong_answer == pytest.approx(other.wrong_answer, abs=1e-4)
        assert one.answer_tokens == other.answer_tokens


def test_the_forms_show_what_they_say(tiny):
    shown = {
        (one.reading.text.probe_id, one.reading.text.form): tokenizing.decode(
            tiny.tokenizer, [*one.reading.context, *one.reading.question]
        )
        for one in read(tiny, TEXTS)
    }
    assert shown["p1", "continuation"] == SUFFIX.complement
    assert shown["p1", "question"].startswith("The beginning of a document")
    assert shown["p2", "question"].startswith("The end of a document")
    for (_, form), text in shown.items():
        assert ("Æsop" in text or "towns" in text) == (form != "question_only")
        assert ("Question: " in text) == (form != "continuation")
        assert form == "continuation" or text.endswith("\nAnswer:")


def test_a_candidate_stands_after_one_space_and_a_lens_goes_on_as_it_is():
    assert readings.candidate_text("\n key ", continues=False) == " key"
    assert readings.candidate_text("\n key ", continues=True) == "\n key "
    assert readings.candidate_text("key", continues=True) == " key"


def test_only_questions_are_answered_up_to_the_end_of_a_line(tiny):
    for one in read(tiny, TEXTS):
        assert (one.answer_tokens is None) == (one.reading.text.form != "question")
        if one.answer_tokens:
            assert len(one.answer_tokens) <= one.reading.longest_answer
            before = tiny.tokenizer.decode(one.answer_tokens[:-1])
            assert "\n" not in before.lstrip()


def test_the_answer_to_a_lens_has_its_length_or_room_for_its_end_and_can_have_several_lines(tiny):
    text = replace(SUFFIX, scope="lens", atom=" fell\n\nThen it stood")
    reading = readings.reading_of(tiny.tokenizer, text, 512)
    ids, _ = reading.candidates
    assert reading.longest_answer == len(ids)
    reader = likelihoods.Reader(tiny)
    assert not reader.has_ended(ids[:-1], reading)
    assert reader.has_ended(ids, reading)
    before = readings.reading_of(tiny.tokenizer, replace(text, target="prefix"), 512)
    assert before.longest_answer == len(ids) + readings.MORE_TOKENS
    assert not reader.has_ended(ids, before)
    assert not reader.has_ended([*ids, *ids[:1]], before)
    assert reader.has_ended([*ids, *tiny.tokenizer.encode("\n")], before)
    of_a_word = replace(reading, text=replace(text, scope="word"))
    assert reader.has_ended(ids[:-1], of_a_word)


def test_a_question_that_quotes_the_template_is_a_question(tiny):
    text = replace(SUFFIX, verbalizer_prompt=f"Is it {readings.PLACE} or {{{{ complement }}}}?")
    head, _, question = readings.parts(text)
    assert head.endswith(":\n\n")
    assert text.verbalizer_prompt in question


@pytest.mark.parametrize("text", [SUFFIX, PREFIX])
def test_a_complement_that_is_too_long_loses_what_is_far_from_the_split(tiny, text):
    long = replace(text, complement=" begin" + " word" * 200 + " end")
    reading = readings.reading_of(tiny.tokenizer, long, 256)
    shown = tiny.tokenizer.decode(reading.context)
    assert reading.was_cut
    assert shown.startswith("The beginning" if text.target == "suffix" else "The end")
    assert (" begin" in shown[20:], shown.endswith(" end")) == (
        (False, True) if text.target == "suffix" else (True, False)
    )
    assert reading.n_tokens + max(*map(len, reading.candidates), reading.longest_answer) == 256


def test_a_candidate_that_does_not_fit_is_refused(tiny):
    with pytest.raises(ReadingError, match=r"p1.*omit this scope"):
        readings.reading_of(tiny.tokenizer, replace(SUFFIX, atom=" word" * 300), 256)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_an_error(tmp_path, value):
    folder = tiny_models.save(tmp_path / "tiny", longest=512)
    broken = LanguageModel(str(folder), None, "auto", "cpu", 4)
    with torch.no_grad():
        broken.model.model.norm.weight[3] = value
    with pytest.raises(ReadingError, match=r"p1.*not finite.*float32"):
        read(broken, [SUFFIX])


def test_readings_of_a_context_stay_together_longest_first():
    some = [
        replace(one, context=(1,) * n) for n, one in zip([3, 5, 3, 5, 4], made_up(5), strict=True)
    ]
    found = [[len(one.context) for one in batch] for batch in likelihoods.batches(some, 2)]
    assert found == [[5, 5], [4, 3], [3]]


def test_a_batch_of_long_contexts_is_small(monkeypatch):
    monkeypatch.setattr(likelihoods, "MOST_TOKENS", 100)
    assert [len(batch) for batch in likelihoods.batches(made_up(6), 6)] == [1, 1, 2, 2]


def test_text_after_text_has_its_tokens_in_context(tiny):
    for text in (" fell", " Æsop 乌鸦 🧀", "\n\nQuestion: 🧀", " it is said"):
        ids = tokenizing.following(tiny.tokenizer, text)
        assert tiny.tokenizer.decode(ids) == text
        assert tiny.tokenizer("a" + text)["input_ids"][-len(ids) :] == ids


def test_without_torch_one_line_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(LanguageModelError, match=r"requirements-lm\.lock"):
        LanguageModel("tiny", None, "auto", "cpu", 1)
