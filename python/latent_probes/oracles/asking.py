"""Ask a method about the states of published probes; a killed run can be rerun.

Documents are read in shards; the answers of a shard land together, with the settings of the run.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow

from latent_probes import landing
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.evaluation import oracles
from latent_probes.evaluation.oracles import OracleError
from latent_probes.local_models import ReadingError, activations, scores, states, tokens
from latent_probes.local_models.readings import LONGEST_ANSWER
from latent_probes.local_models.states import Document
from latent_probes.oracles import AUTOENCODER, autoencoders, hidden, logit_lens, pending, prompts
from latent_probes.oracles.adapters import Adapter
from latent_probes.oracles.autoencoders import Verbalizer
from latent_probes.oracles.contract import Contract
from latent_probes.oracles.prompts import Prompt, Question
from latent_probes.oracles.reader import Answered, Halving, OracleReader
from latent_probes.oracles.saved import SavedStates
from latent_probes.sampling import rollouts as sampling
from latent_probes.sampling import tokenizing
from latent_probes.sampling.language_model import LanguageModel

if TYPE_CHECKING:
    import torch

# Changes with the prompts and with what is scored.
VERSION = "ask 1"
# Documents whose states are in memory at a time, and whose answers land together.
SHARD_DOCUMENTS = 32
# Characters of a description that is printed.
SHOWN = 300

ANSWERS = pyarrow.schema(
    {
        "oracle": pyarrow.string(),
        "condition": pyarrow.string(),
        "probe_id": pyarrow.string(),
        "answer_number": pyarrow.int64(),
        "answer": pyarrow.string(),
        "answer_hash": pyarrow.string(),
        "logp_atom": pyarrow.float64(),
        "logp_ipa": pyarrow.float64(),
        "build": pyarrow.string(),
        "file_hash": pyarrow.string(),
    }
)
RANKS = pyarrow.schema(
    {
        "oracle": pyarrow.string(),
        "condition": pyarrow.string(),
        "probe_id": pyarrow.string(),
        "layer": pyarrow.int64(),
        "atom_rank": pyarrow.int64(),
        "atom_logprob": pyarrow.float64(),
        "wrong_answer_rank": pyarrow.int64(),
        "wrong_answer_logprob": pyarrow.float64(),
    }
)


@dataclass
class Result:
    """Answers to land: probe, text, and the log-probabilities of atom and wrong answer."""

    answers: list[tuple[str, str, float, float]] = field(default_factory=list)
    ranks: list[dict[str, Any]] = field(default_factory=list)


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
    def needs_states(self) -> bool:
        """Whether states are read."""
        return self.condition != "no_state" and self.method != "text"

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


def refuse_early(home: Home, name: str, scopes: Sequence[str]) -> None:
    """Raise OracleError for what is known before a model is loaded.

    That is: there is no published data set, it has no probe of these scopes, or the name is that of
    other answers.
    """
    if not name:
        raise OracleError("--name is empty: give the name of the method")
    rounds = oracles.published(home).rounds
    with landing.opened(home.landing) as connection:
        oracles.refuse_confusing_name(connection, name, "")
        runs = landing.oracle_runs(connection, name)
        refuse_answers_of_files(connection, name, {settings_hash for _, settings_hash, _ in runs})
    if not pending.n_probes(home, scopes, rounds):
        raise OracleError(f"the data set has no probes of --scope {', '.join(scopes)}")


def refuse_answers_of_files(
    connection: duckdb.DuckDBPyConnection, name: str, runs: set[str]
) -> None:
    """Raise OracleError if a name has answers that none of these runs gave."""
    if landing.answer_sources(connection, name) - runs:
        raise OracleError(f"{name} has landed answers of a file: use another --name")


def ask(home: Home, method: Method, n_documents: int | None) -> int:
    """Ask about all probes that are still missing; return the number of answers landed.

    ``n_documents`` limits the documents; a larger number extends the same selection. Raises
    OracleError, ReadingError or LanguageModelError; what has landed is kept.
    """
    published = oracles.published(home)
    run = run_row(method)
    known = known_answers(home, method, run)
    query = pending.wanted(method.condition, method.scopes, n_documents, published.rounds)
    left = pending.pending(home, query, known)
    terminal.say(
        f"{method.name}, {method.condition}: {left.n_probes:,} probes to ask about the states of "
        f"{len(left.documents):,} documents; {known.num_rows:,} had already landed"
    )
    if not left.documents:
        return 0
    activations.say_other_names(home, method.model.name, [name for name, _ in left.documents])
    announce(home, method, query, left)
    if method.verbalizer is not None:
        method.verbalizer.forget_counts()
    report = activations.Report()
    n_landed = n_stateless = 0
    with terminal.progress("asking", left.n_probes, "probes") as advance:
        for questions, documents in shards(home, method, query, left, SHARD_DOCUMENTS):
            method.descriptions.clear()
            fitting = {
                document.document_id: document
                for document in documents
                if report.add(method.model, document)
            }
            askable = [
                one
                for one in questions
                if one.document_id in fitting and places_of(method, fitting[one.document_id], one)
            ]
            n_stateless += sum(one.document_id in fitting for one in questions) - len(askable)
            result = answered(home, method, askable, list(fitting.values()))
            n_landed += land(home, method, run, published.build, result)
            advance(len(questions))
    report.say()
    if n_stateless:
        terminal.say(f"{n_stateless:,} probes skipped: no token ends before their split")
    if method.verbalizer is not None:
        method.verbalizer.say_untagged()
    return n_landed


def run_row(method: Method) -> dict[str, str]:
    """The row of ``oracle_runs``."""
    settings = sampling.canonical(method.settings())
    environment = dict(method.model.environment)
    if method.adapter is not None and method.adapter.revision:
        environment["adapter_revision"] = method.adapter.revision
    return {
        "oracle": method.name,
        "condition": method.condition,
        "settings_hash": hashlib.sha256(settings.encode()).hexdigest(),
        "settings": settings,
        "environment": json.dumps(environment),
    }


def known_answers(home: Home, method: Method, run: dict[str, str]) -> pyarrow.Table:
    """Probes answered by this run. Raises OracleError for a name that is another method's."""
    with landing.opened(home.landing) as connection:
        oracles.refuse_confusing_name(connection, method.name, run["settings_hash"])
        runs = landing.oracle_runs(connection, method.name)
        known = landing.answered_by(connection, method.name, method.condition)
        refuse_answers_of_files(connection, method.name, {row[1] for row in runs})
    ours = json.loads(run["settings"])
    for condition, settings_hash, settings in runs:
        if settings_hash != run["settings_hash"]:
            theirs = json.loads(settings)
            differing = ", ".join(
                f"{name} {theirs.get(name)!r}, not {ours.get(name)!r}"
                for name in sorted(theirs | ours)
                if theirs.get(name) != ours.get(name)
            )
            raise OracleError(
                f"{method.name} was asked under {condition} with other settings ({differing}): use "
                "the same under all conditions, or another --name"
            )
    return known.select(["probe_id"])


def shards(
    home: Home, method: Method, query: str, left: pending.Pending, size: int
) -> Iterator[tuple[list[Question], list[Document]]]:
    """Questions and the documents of their states, ``size`` documents at a time."""
    for start in range(0, len(left.documents), size):
        some = left.documents[start : start + size]
        (found,) = activations.documents(home, method.model, some, method.n_positions, len(some))
        ids = [document_id for document_id, _ in some]
        yield pending.questions(home, query, left.known, ids), found


def places_of(method: Method, document: Document, question: Question) -> list[int]:
    """Positions of the tokens whose states are given."""
    return document.tokens.last_before(question.split, method.n_positions)


def announce(home: Home, method: Method, query: str, left: pending.Pending) -> None:
    """Print size and expected time, from documents of the middle; compare batched with alone.

    Raises ReadingError if batched prompts and single ones give different log-probabilities.
    """
    middle = left.documents[len(left.documents) // 2 :][: method.model.batch_size]
    part = pending.Pending(middle, 0, left.known)
    ((questions, documents),) = shards(home, method, query, part, len(middle))
    fitting = [one for one in documents if activations.fits(method.model, one)]
    ids = {one.document_id: one for one in fitting}
    some = [
        one
        for one in questions
        if one.document_id in ids and places_of(method, ids[one.document_id], one)
    ][: method.model.batch_size]
    n_shards = math.ceil(len(left.documents) / SHARD_DOCUMENTS)
    size = f"{left.n_probes:,} probes in {n_shards:,} shards, {method.at_once.size} at a time"
    if not some:
        terminal.say(size)
        return
    needed = [one for one in fitting if one.document_id in {row.document_id for row in some}]
    # The first pass is slower than all others.
    answered(home, method, some[:1], [ids[some[0].document_id]])
    for text in method.descriptions.values():
        terminal.say(f"the first description: {text[:SHOWN]!r}")
    method.descriptions.clear()
    started = time.monotonic()
    together = answered(home, method, some, needed)
    seconds = (time.monotonic() - started) / len(some) * left.n_probes
    if method.method != "logit-lens":
        alone = answered(home, method, some[:1], [ids[some[0].document_id]])
        refuse_difference(method, together, alone, some[0])
    terminal.say(
        f"{size}; log-probabilities of both candidates and an answer of up to {LONGEST_ANSWER} "
        f"tokens each; about {seconds / 60:,.1f} minutes"
    )


def refuse_difference(method: Method, batched: Result, alone: Result, question: Question) -> None:
    """Raise ReadingError if a prompt has another log-probability in a batch than alone."""
    of_batch = next(row for row in batched.answers if row[0] == question.probe_id)
    difference = max(abs(of_batch[2] - alone.answers[0][2]), abs(of_batch[3] - alone.answers[0][3]))
    n_tokens = max(1, len(method.model.tokenizer(question.atom)["input_ids"]))
    is_exact = method.model.settings["dtype"] in ("float32", "float64")
    if not difference <= n_tokens * (scores.TOLERANCE if is_exact else scores.ROUGH_TOLERANCE):
        raise ReadingError(
            f"{method.model.name} gives different log-probabilities batched than individually (by "
            f"{difference:.1e}), so none can be trusted: try --batch-size 1 or another --dtype"
        )


def answered(
    home: Home, method: Method, questions: list[Question], documents: list[Document]
) -> Result:
    """Answers to questions about the states of ``documents``."""
    found = states_of(method, documents) if method.needs_states else {}
    by_id = {document.document_id: document for document in documents}
    if method.method == "logit-lens":
        return read_by_lens(method, questions, by_id, found)
    if method.verbalizer is not None:
        describe(method, method.verbalizer, questions, by_id, found)
    read = (
        pending.texts(home, sorted(by_id))
        if method.method == "text" and method.condition != "no_state"
        else {}
    )
    wanted = [
        prompt_of(method, one, by_id[one.document_id], found, read.get(one.document_id))
        for one in questions
    ]
    wanted.sort(key=lambda prompt: (-len(prompt.ids), prompt.probe_id))
    result = Result()
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


def land(home: Home, method: Method, run: dict[str, str], build: str, result: Result) -> int:
    """Land the answers of a shard; return how many are new."""
    same = {"oracle": method.name, "condition": method.condition}
    answers = [
        same
        | {
            "probe_id": probe_id,
            "answer_number": 1,
            "answer": answer,
            "answer_hash": hashlib.md5(answer.encode()).hexdigest(),
            "logp_atom": logp_atom,
            "logp_ipa": logp_ipa,
            "build": build,
            "file_hash": run["settings_hash"],
        }
        for probe_id, answer, logp_atom, logp_ipa in result.answers
    ]
    with landing.opened(home.landing) as connection:
        return landing.add_asked(
            connection,
            run,
            pyarrow.Table.from_pylist(answers, schema=ANSWERS),
            pyarrow.Table.from_pylist([same | row for row in result.ranks], schema=RANKS),
        )
