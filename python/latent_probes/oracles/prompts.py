"""The prompts of each method: token ids, and where states are injected."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latent_probes.evaluation.oracles import OracleError
from latent_probes.local_models.readings import LONGEST_ANSWER, PLACE, candidate_text
from latent_probes.oracles.contract import Contract
from latent_probes.sampling import tokenizing

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

# Ghandeharioun et al., arXiv 2401.06102: the state takes the place of the last token.
IDENTITY = "cat -> cat\n1135 -> 1135\nhello -> hello\n?"
# Of the chat template.
NO_THINKING = {"enable_thinking": False}


@dataclass(frozen=True)
class Question:
    """A probe, and the document and split whose states it is asked about."""

    probe_id: str
    document_id: str
    split: int
    scope: str
    target: str
    verbalizer_prompt: str
    atom: str
    wrong_answer: str


@dataclass(frozen=True)
class Prompt:
    """A prompt with its candidates; ``states`` has one row for each of ``places``, or is None."""

    probe_id: str
    ids: list[int]
    places: list[int]
    states: torch.Tensor | None
    candidates: tuple[list[int], list[int]]
    ends_with_line: bool
    longest_answer: int = LONGEST_ANSWER


def of_oracle(
    tokenizer: PreTrainedTokenizerBase,
    contract: Contract,
    question: Question,
    n_positions: int,
    states: torch.Tensor | None,
) -> Prompt:
    """The question to an oracle, after one block of placeholders per layer.

    ``states`` has the shape (positions, layers, hidden size); None injects nothing at the same
    placeholders.
    """
    block = "".join(contract.block(layer, n_positions) for layer in contract.layers)
    ids = chat(tokenizer, block + question.verbalizer_prompt)
    found = placeholders(tokenizer, contract, ids, n_positions)
    if states is not None:
        states = states.transpose(0, 1).flatten(0, 1)
    return Prompt(
        question.probe_id,
        ids,
        [] if states is None else found,
        states,
        in_chat(tokenizer, question),
        ends_with_line=False,
    )


def of_patchscope(
    tokenizer: PreTrainedTokenizerBase, question: Question, state: torch.Tensor | None
) -> Prompt:
    """The identity prompt; ``state``, of shape (1, hidden size), takes the place of its end."""
    ids = tokenizing.encode(tokenizer, IDENTITY)
    return Prompt(
        question.probe_id,
        ids,
        [] if state is None else [len(ids) - 1],
        state,
        continued(tokenizer, question),
        ends_with_line=True,
    )


def of_text(
    tokenizer: PreTrainedTokenizerBase, question: Question, complement: str | None, longest: int
) -> Prompt:
    """A text, mostly the complement, and the question; without a text, the question alone.

    A complement that does not fit is cut at the end away from the split.
    """
    candidates = in_chat(tokenizer, question)
    room = longest - max(LONGEST_ANSWER, *map(len, candidates))
    shown = complement
    while True:
        content = "\n\n".join(filter(None, [shown, question.verbalizer_prompt]))
        ids = chat(tokenizer, content)
        if len(ids) <= room or not shown:
            break
        n_kept = int(len(shown) * room / len(ids) * 0.98)
        shown = shown[len(shown) - n_kept :] if question.target == "suffix" else shown[:n_kept]
    return Prompt(question.probe_id, ids, [], None, candidates, ends_with_line=False)


def chat(
    tokenizer: PreTrainedTokenizerBase, content: str, options: dict[str, bool] = NO_THINKING
) -> list[int]:
    """The ids of a user's message, up to where the answer begins.

    ``options`` are the chat template's. A special token that is spelled out in the message stays
    text. Raises OracleError if the tokenizer has no chat template.
    """
    if not tokenizer.chat_template:
        raise OracleError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template, in which oracles are "
            "asked: use the base model's own repository, or add chat_template.jinja to its folder"
        )
    rendered = str(
        tokenizer.apply_chat_template(
            [{"role": "user", "content": PLACE}],
            tokenize=False,
            add_generation_prompt=True,
            **options,
        )
    )
    head, _, tail = rendered.partition(PLACE)
    if not any(token in content for token in tokenizer.all_special_tokens):
        return ids_of(tokenizer, head + content + tail, special=True)
    return (
        ids_of(tokenizer, head, special=True)
        + ids_of(tokenizer, content, special=False)
        + ids_of(tokenizer, tail, special=True)
    )


def hash_of_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of the chat template."""
    return hashlib.sha256(str(tokenizer.chat_template).encode()).hexdigest()


def ids_of(tokenizer: PreTrainedTokenizerBase, text: str, *, special: bool) -> list[int]:
    """Token ids of a text, in which special tokens are read as such, or as text."""
    return list(
        tokenizer(text, add_special_tokens=False, split_special_tokens=not special)["input_ids"]
    )


def placeholders(
    tokenizer: PreTrainedTokenizerBase, contract: Contract, ids: list[int], n_positions: int
) -> list[int]:
    """Positions of the placeholders in a prompt, block after block.

    Raises OracleError unless each is one token and those of a block are consecutive.
    """
    single = ids_of(tokenizer, contract.placeholder, special=True)
    n_wanted = n_positions * len(contract.layers)
    found = [place for place, token in enumerate(ids) if single == [token]][:n_wanted]
    starts = found[::n_positions]
    if len(found) != n_wanted or found != [
        start + step for start in starts for step in range(n_positions)
    ]:
        raise OracleError(
            f"the placeholder {contract.placeholder!r} is not one token of this model in the "
            f"prompt (alone it is {len(single)}): states cannot be injected; set --placeholder to "
            "the one the oracle was trained with, and check --model"
        )
    return found


def in_chat(tokenizer: PreTrainedTokenizerBase, question: Question) -> tuple[list[int], list[int]]:
    """The atom and the wrong answer as answers in a chat."""
    return (
        answer_ids(tokenizer, question.atom, question.probe_id),
        answer_ids(tokenizer, question.wrong_answer, question.probe_id),
    )


def answer_ids(tokenizer: PreTrainedTokenizerBase, text: str, probe_id: str) -> list[int]:
    """An answer at the beginning of a message, without white space around it."""
    ids = ids_of(tokenizer, text.strip(), special=False)
    if not ids:
        raise OracleError(f"probe {probe_id}: an answer to score is empty")
    return ids


def continued(
    tokenizer: PreTrainedTokenizerBase, question: Question
) -> tuple[list[int], list[int]]:
    """The atom and the wrong answer as continuations of a text."""
    return (
        tokenizing.following(tokenizer, candidate_text(question.atom, True)),
        tokenizing.following(tokenizer, candidate_text(question.wrong_answer, True)),
    )
