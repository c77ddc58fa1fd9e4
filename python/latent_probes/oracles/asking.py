"""Ask a method about the states of published probes; a killed run can be rerun.

Documents are read in shards; the answers of a shard land together, with the settings of the run.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence

import duckdb
import pyarrow

from latent_probes import landing
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.evaluation import oracles
from latent_probes.evaluation.oracles import OracleError
from latent_probes.local_models import ReadingError, activations, scores
from latent_probes.local_models.readings import LONGEST_ANSWER
from latent_probes.local_models.states import Document
from latent_probes.oracles import pending, workers
from latent_probes.oracles.methods import Method, Result, Shard, answered, places_of
from latent_probes.oracles.prompts import Question
from latent_probes.oracles.workers import Worker
from latent_probes.sampling import rollouts as sampling

# Documents whose states are in memory at a time, of all devices together; the answers of a device's
# share land together.
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


def ask(home: Home, method: Method, n_documents: int | None, others: Sequence[Worker] = ()) -> int:
    """Ask about all probes that are still missing; return the number of answers landed.

    ``n_documents`` limits the documents; a larger number extends the same selection. ``others``
    answer their share on other devices. Raises OracleError, ReadingError or LanguageModelError;
    what has landed is kept.
    """
    published = oracles.published(home)
    run = run_row(method, others)
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
    size = max(1, SHARD_DOCUMENTS // (1 + len(others)))
    n_shards = math.ceil(len(left.documents) / size)
    announce(home, method, query, left, n_shards, 1 + len(others))
    report = activations.Report()
    n_landed = n_stateless = n_described = n_untagged = 0

    def fits(document: Document) -> bool:
        return report.add(method.model, document)

    with terminal.progress("asking", left.n_probes, "probes") as advance:
        asked = shards(home, method, query, left, size, fits)
        for shard, result in workers.answered_on_all(method, others, asked, n_shards):
            n_landed += land(home, method, run, published.build, result)
            n_stateless += shard.n_stateless
            n_described += result.n_described
            n_untagged += result.n_untagged
            advance(shard.n_wanted)
    report.say()
    if n_stateless:
        terminal.say(f"{n_stateless:,} probes skipped: no token ends before their split")
    if n_untagged:
        # If they are many, the verbalizer was asked wrongly.
        terminal.say(
            f"{n_untagged:,} of {n_described:,} descriptions are not between <explanation> tags, "
            "and were taken whole"
        )
    return n_landed


def run_row(method: Method, others: Sequence[Worker] = ()) -> dict[str, str]:
    """The row of ``oracle_runs``."""
    settings = sampling.canonical(method.settings())
    environment = dict(method.model.environment)
    if others:
        environments = [environment, *(worker.loaded.result()[1] for worker in others)]
        environment["device"] = [one["device"] for one in environments]
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
    home: Home,
    method: Method,
    query: str,
    left: pending.Pending,
    size: int,
    fits: Callable[[Document], bool],
) -> Iterator[Shard]:
    """What is asked about ``size`` documents at a time, as far as ``fits`` accepts them."""
    for start in range(0, len(left.documents), size):
        some = left.documents[start : start + size]
        (found,) = activations.documents(home, method.model, some, method.n_positions, len(some))
        ids = [document_id for document_id, _ in some]
        questions = pending.questions(home, query, left.known, ids)
        fitting = {one.document_id: one for one in found if fits(one)}
        asked = [one for one in questions if one.document_id in fitting]
        askable = [one for one in asked if places_of(method, fitting[one.document_id], one)]
        texts = pending.texts(home, sorted(fitting)) if method.needs_texts else {}
        yield Shard(
            *(askable, list(fitting.values()), texts),
            n_wanted=len(questions),
            n_stateless=len(asked) - len(askable),
        )


def announce(
    home: Home,
    method: Method,
    query: str,
    left: pending.Pending,
    n_shards: int,
    n_devices: int,
) -> None:
    """Print size and expected time, from documents of the middle; compare batched with alone.

    Raises ReadingError if batched prompts and single ones give different log-probabilities.
    """
    middle = left.documents[len(left.documents) // 2 :][: method.model.batch_size]
    part = pending.Pending(middle, 0, left.known)

    def fits(document: Document) -> bool:
        return activations.fits(method.model, document)

    (shard,) = shards(home, method, query, part, len(middle), fits)
    some = shard.first(method.model.batch_size)
    size = f"{left.n_probes:,} probes in {n_shards:,} shards, {method.at_once.size} at a time"
    if n_devices > 1:
        size += f" on each of {n_devices} devices"
    if not some.questions:
        terminal.say(size)
        return
    # The first pass is slower than all others.
    answered(method, some.first(1))
    for text in method.descriptions.values():
        terminal.say(f"the first description: {text[:SHOWN]!r}")
    started = time.monotonic()
    together = answered(method, some)
    seconds = (time.monotonic() - started) / len(some.questions) * left.n_probes
    seconds /= min(n_devices, n_shards)
    if method.method != "logit-lens":
        refuse_difference(method, together, answered(method, some.first(1)), some.questions[0])
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
