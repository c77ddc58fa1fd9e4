"""A method, with its models on one device, and what it answers about states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from latent_probes.evaluation.oracles import OracleError
from latent_probes.local_models import scores, states, tokens
from latent_probes.local_models.readings import LONGEST_ANSWER
from latent_probes.local_models.states import Document
from latent_probes.oracles import AUTOENCODER, autoencoders, hidden, logit_lens, prompts
from latent_probes.oracles.adapters import Adapter
from latent_probes.oracles.autoencoders import Verbalizer
from latent_probes.oracles.contract import Contract
from latent_probes.oracles.prompts import Prompt, Question
from latent_probes.oracles.reader import Answered, Halving, OracleReader
from latent_probes.oracles.saved import SavedStates
from latent_probes.sampling import tokenizing
from latent_probes.sampling.language_model import LanguageModel

if TYPE_CHECKING:
    import torch

# Changes with the prompts and with what is scored.
VERSION = "ask 1"


@dataclass(frozen=True)
class Shard:
    """Questions, and the documents whose states they are about.

    ``texts`` has those of the documents, by id, for a method that reads them. ``n_stateless`` of
    the ``n_wanted`` questions are left out because no token ends before their split.
    """

    questions: list[Question]
    documents: list[Document]
    texts: dict[str, str]
    n_wanted: int
    n_stateless: int

    def first(self, n_questions: int) -> Shard:
        """The first questions, with the documents that they need."""
        questions = self.questions[:n_questions]
        needed = {question.document_id for question in questions}
        documents = [one for one in self.documents if one.document_id in needed]
        return replace(self, questions=questions, documents=documents)


@dataclass
class Result:
    """Answers to land: probe, text, and the log-probabilities of atom and wrong answer.

    ``n_untagged`` of ``n_described`` descriptions of a verbalizer had no tags.
    """

    answers: list[tuple[str, str, float, float]] = field(default_factory=list)
    ranks: list[dict[str, Any]] = field(default_factory=list)
    n_described: int = 0
    n_untagged: int = 0


@dataclass
class Method:
    """What is asked and how.

    ``method`` is one of METHODS, or AUTOENCODER with its ``verbalizer``; ``adapter`` has the files
    of either; ``without_adapter`` disables an oracle's in a block; ``saved`` has states that need
    not be computed.
    """

    name: str
    method: str
    condition: str
    model: LanguageModel
    contract: Contract | autoencoders.Contract
    adapter: Adapter | None = None
    without_adapter: Callable[[], AbstractContextManager] = nullcontext
    verbalizer: Verbalizer | None = None
    saved: SavedStates | None = None
    scopes: tuple[str, ...] = ()
    # Those of a shard, by document and split of the state.
    descriptions: dict[tuple[str, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scopes = self.scopes or scopes_of(self.method, None)
        agreed = self.contract
        if self.method == "oracle" and isinstance(agreed, Contract):
            self.reader = OracleReader(
                self.model, agreed.hook_layer, agreed.inject, agreed.coefficient
            )
        else:
            self.reader = OracleReader(self.model, agreed.layers[-1], "exact", 1.0)
        self.at_once = Halving(self.model.batch_size)
        self.readings_at_once = Halving(self.model.batch_size)

    @property
    def n_positions(self) -> int:
        """Tokens whose states are read at a split."""
        return self.contract.positions if self.method == "oracle" else 1

    @property
    def needs_texts(self) -> bool:
        """Whether documents are read as text."""
        return self.condition != "no_state" and self.method == "text"

    @property
    def needs_states(self) -> bool:
        """Whether states are read."""
        return self.condition != "no_state" and self.method != "text"

    def described(self) -> str:
        """One line for a person about how it is asked, with the origin of each setting."""
        if self.adapter is None and isinstance(self.contract, Contract):
            return f"layers {list(self.contract.layers)} ({self.contract.origins['layers']})"
        return self.contract.described()

    def settings(self) -> dict[str, Any]:
        """Everything that determines an answer, except the condition."""
        known = self.model.settings
        settings = {name: known[name] for name in ("model", "revision", "tokenizer", "dtype")}
        settings |= {"method": self.method, "version": VERSION, "longest_answer": LONGEST_ANSWER}
        if self.adapter is not None and self.verbalizer is None:
            settings |= {"adapter": self.adapter.settings} | self.contract.settings
        elif self.verbalizer is not None:
            settings |= {"verbalizer": self.verbalizer.settings} | self.contract.settings
        elif self.method != "text":
            settings |= {"layers": list(self.contract.layers), "positions": 1}
        if self.method in ("oracle", AUTOENCODER, "text"):
            settings["chat_template"] = prompts.hash_of_template(self.model.tokenizer)
        return settings


def scopes_of(method: str, given: Sequence[str] | None) -> tuple[str, ...]:
    """The scopes to ask about. Raises OracleError for one that the method does not answer."""
    answered = logit_lens.SCOPES if method == "logit-lens" else scores.SCOPES
    for scope in given or ():
        if scope not in answered:
            raise OracleError(f"--method {method} answers only --scope {' and '.join(answered)}")
    return tuple(dict.fromkeys(given or answered))


def places_of(method: Method, document: Document, question: Question) -> list[int]:
    """Positions of the tokens whose states are given."""
    return document.tokens.last_before(question.split, method.n_positions)


def answered(method: Method, shard: Shard) -> Result:
    """Answers to the questions of a shard. Raises ReadingError or LanguageModelError."""
    method.descriptions.clear()
    result = Result()
    found = states_of(method, shard.documents) if method.needs_states else {}
    by_id = {document.document_id: document for document in shard.documents}
    if method.method == "logit-lens":
        return read_by_lens(method, shard.questions, by_id, found)
    if method.verbalizer is not None:
        verbalizer = method.verbalizer
        verbalizer.forget_counts()
        describe(method, verbalizer, shard.questions, by_id, found)
        result.n_described, result.n_untagged = verbalizer.n_described, verbalizer.n_untagged
    wanted = [
        prompt_of(method, one, by_id[one.document_id], found, shard.texts.get(one.document_id))
        for one in shard.questions
    ]
    wanted.sort(key=lambda prompt: (-len(prompt.ids), prompt.probe_id))
    for one in method.at_once(method.reader.ask, wanted):
        result.answers.append(row_of(method, one))
    return result


def row_of(method: Method, one: Answered) -> tuple[str, str, float, float]:
    """An answer to land."""
    text = tokenizing.mended(tokenizing.decode(method.model.tokenizer, one.answer))
    return one.prompt.probe_id, text, sum(one.atom), sum(one.wrong_answer)


def states_of(method: Method, documents: list[Document]) -> dict[str, torch.Tensor]:
    """States by document id: saved ones, and the others computed without the adapter."""
    layers = method.contract.layers
    found = method.saved.read(documents) if method.saved else {}
    missing = [one for one in documents if one.document_id not in found and one.places]
    with method.without_adapter():
        for batch in states.batches(missing, method.readings_at_once.size):
            read = method.readings_at_once(
                lambda some: hidden.read(method.model, some, layers), batch
            )
            found |= {one.document_id: tensor for one, tensor in zip(batch, read, strict=True)}
    return found


def chosen_states(
    method: Method, question: Question, document: Document, found: dict[str, torch.Tensor]
) -> torch.Tensor | None:
    """States of shape (positions, layers, hidden size); None without a state."""
    if not method.needs_states:
        return None
    rows = {place: row for row, place in enumerate(document.places)}
    places = places_of(method, document, question)
    return found[document.document_id][[rows[place] for place in places]]


def described(method: Method, question: Question) -> tuple[str, int]:
    """The key of the description that a question is answered from."""
    return (question.document_id, question.split) if method.needs_states else ("", 0)


def describe(
    method: Method,
    verbalizer: Verbalizer,
    questions: list[Question],
    documents: dict[str, Document],
    found: dict[str, torch.Tensor],
) -> None:
    """Add the descriptions that are missing: one for each state, whatever is asked about it."""
    wanted = {}
    for question in questions:
        if (key := described(method, question)) not in method.descriptions:
            given = chosen_states(method, question, documents[question.document_id], found)
            wanted[key] = None if given is None else given[-1, 0]
    texts = method.at_once(verbalizer.describe, list(wanted.values()))
    method.descriptions |= dict(zip(wanted, texts, strict=True))


def prompt_of(
    method: Method,
    question: Question,
    document: Document,
    found: dict[str, torch.Tensor],
    text: str | None,
) -> Prompt:
    """The prompt of a question."""
    tokenizer, agreed = method.model.tokenizer, method.contract
    longest = scores.limit(method.model)
    if isinstance(agreed, autoencoders.Contract):
        shown = autoencoders.INTRODUCTION + method.descriptions[described(method, question)]
        return prompts.of_text(tokenizer, question, shown, longest)
    if method.method == "text":
        complement = text and (
            text[: question.split] if question.target == "suffix" else text[question.split :]
        )
        return prompts.of_text(tokenizer, question, complement, longest)
    given = chosen_states(method, question, document, found)
    if method.method == "patchscope":
        return prompts.of_patchscope(tokenizer, question, None if given is None else given[:, -1])
    n_positions = len(places_of(method, document, question))
    return prompts.of_oracle(tokenizer, agreed, question, n_positions, given)


def read_by_lens(
    method: Method,
    questions: list[Question],
    documents: dict[str, Document],
    found: dict[str, torch.Tensor],
) -> Result:
    """The logit lens of the last token of each question; without a state, that of no text."""
    empty: Any = (
        None
        if method.needs_states
        else hidden.read(method.model, [of_no_text(method.model)], method.contract.layers)[0]
    )
    result = Result()
    for question in questions:
        given = chosen_states(method, question, documents[question.document_id], found)
        last = (empty if given is None else given)[-1]
        logits = logit_lens.logits_of(method.model, last)
        first, other = (ids[0] for ids in prompts.continued(method.model.tokenizer, question))
        for layer, row in zip(method.contract.layers, logits, strict=True):
            atom, wrong = logit_lens.ranked(row, first), logit_lens.ranked(row, other)
            result.ranks.append(
                {
                    "probe_id": question.probe_id,
                    "layer": layer,
                    "atom_rank": atom.rank,
                    "atom_logprob": atom.logprob,
                    "wrong_answer_rank": wrong.rank,
                    "wrong_answer_logprob": wrong.logprob,
                }
            )
        text = logit_lens.answer(method.model, logits[-1])
        result.answers.append((question.probe_id, text, atom.logprob, wrong.logprob))
    return result


def of_no_text(model: LanguageModel) -> Document:
    """A document without text: the tokenizer's leading tokens, or the end of another text."""
    ids = tokens.before_text(model.tokenizer) or [min(model.ends, default=0)]
    # A span, so that the token counts as one with text.
    read = tokens.Tokens(ids[:1], [(0, 1)], "text")
    return Document("", "", "", "", (1,), read, 1)
