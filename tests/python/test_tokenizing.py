"""Text and ids of a source model: its text is prefix || continuation, whatever its decoder."""

from __future__ import annotations

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from latent_probes.sampling import tokenizing

START, END = "<s>", "</s>"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def byte_level():
    """A tokenizer of bytes, as GPT's and Qwen's are."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([START, END, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return finished(tokenizer)


def sentencepiece():
    """A tokenizer that writes a space before a text and takes it away again, as Llama's does."""
    pieces = ["▁", *"abcdefghijklmnopqrstuvwxyz.,"]
    vocabulary = {token: number for number, token in enumerate([START, END, *BYTES, *pieces])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return finished(tokenizer)


def finished(tokenizer):
    """With a start before every text and, as some have it, an end behind it."""
    tokenizer.add_special_tokens([START, END])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, 0), (END, 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=START, eos_token=END, split_special_tokens=True
    )


BOTH = [byte_level(), sentencepiece()]
# A NUL ends a text.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@pytest.mark.parametrize("tokenizer", BOTH, ids=["byte level", "sentencepiece"])
@given(prefix=TEXTS, written=TEXTS)
def test_what_was_written_comes_back(tokenizer, prefix, written):
    fed = tokenizing.encode(tokenizer, prefix)
    assert fed[0] == 0
    assert not {0, 1} & set(fed[1:])
    ids = tokenizing.encode(tokenizer, prefix + written)[len(fed) :]
    assert tokenizing.continuation(tokenizer, fed, ids) == written.rstrip("�")
    assert tokenizing.continuation(tokenizer, fed, [*ids, 1]) == written.rstrip("�")


@pytest.mark.parametrize("tokenizer", BOTH, ids=["byte level", "sentencepiece"])
@given(prefix=TEXTS, ids=st.lists(st.integers(0, 257), max_size=20))
def test_any_ids_add_to_the_text_and_never_an_incomplete_end(tokenizer, prefix, ids):
    fed = tokenizing.encode(tokenizer, prefix)
    text = tokenizing.continuation(tokenizer, fed, ids)
    assert not text.endswith("�")
    assert "\0" not in text
    text.encode()


@pytest.mark.parametrize("tokenizer", BOTH, ids=["byte level", "sentencepiece"])
@pytest.mark.parametrize("prefix", ["the cheese", "the 🧀"])
def test_a_character_that_is_cut_between_its_bytes_is_dropped_alone(tokenizer, prefix):
    fed = tokenizing.encode(tokenizer, prefix)
    ids = tokenizing.encode(tokenizer, f"{prefix}🧀🧀")[len(fed) :]
    assert len(ids) == 8
    for kept in range(9):
        assert tokenizing.continuation(tokenizer, fed, ids[:kept]) == "🧀" * (kept // 4)


def test_the_space_before_the_first_token_is_kept():
    tokenizer = sentencepiece()
    fed = tokenizing.encode(tokenizer, "one")
    ids = tokenizing.encode(tokenizer, "one two")[len(fed) :]
    assert tokenizing.decode(tokenizer, ids) == "two"
    assert tokenizing.continuation(tokenizer, fed, ids) == " two"


def test_a_special_token_that_a_page_spells_is_text():
    for tokenizer in BOTH:
        fed = tokenizing.encode(tokenizer, f"a{END}b")
        assert 1 not in fed
        assert tokenizing.decode(tokenizer, fed) == f"a{END}b"


def test_a_decoder_that_rewrites_the_prefix_is_refused():
    tokenizer = sentencepiece()
    tokenizer.backend_tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("b", ""), decoders.Fuse(), decoders.Replace("ac", "x")]
    )
    fed = tokenizing.encode(tokenizer, "ab")
    with pytest.raises(tokenizing.TokenizerError, match="continuations have no defined text"):
        tokenizing.continuation(tokenizer, fed, tokenizer.convert_tokens_to_ids(["c"]))


def test_a_name_tells_no_path():
    assert tokenizing.short_name("owner/model") == "owner/model"
    assert tokenizing.short_name("/somewhere/model-q4.gguf") == "model-q4"
    assert tokenizing.short_name(".") != "."


@pytest.mark.parametrize(
    "name", ["nope.gguf", "org/nope.gguf", "./nope", "a/b/nope", "/nope", "no pe"]
)
def test_a_path_that_is_missing_is_not_searched_on_the_hub(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(tokenizing.TokenizerError, match=f"{name}: no such .*; check the path"):
        tokenizing.refuse_missing(name)


@pytest.mark.parametrize("name", ["gpt2", "Qwen/Qwen3.5-9B", "here/a/b", "here/model.gguf"])
def test_a_name_that_can_be_on_the_hub_and_a_path_that_exists_are_not_refused(
    name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here" / "a" / "b").mkdir(parents=True)
    (tmp_path / "here" / "model.gguf").touch()
    tokenizing.refuse_missing(name)
