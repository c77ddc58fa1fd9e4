"""Score probes with a language model in this process; a killed run can be rerun.

First, some readings are done both batched and individually: the results must agree, and the time
gives an estimate for the rest.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow

from latent_probes import landing
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.local_models import ReadingError, readings
from latent_probes.local_models import pending as reading_pending
from latent_probes.local_models.likelihoods import Read, Reader, batches, one_by_one, read
from latent_probes.local_models.readings import Reading, Text
from latent_probes.queue import rendering
from latent_probes.sampling import rollouts as sampling
from latent_probes.sampling import tokenizing
from latent_probes.sampling.batched_model import BatchedModel
from latent_probes.sampling.language_model import LanguageModel

SCOPES = ("word", "lens", "sentence", "paragraph", "whole")
# The scopes that are scored without a judge.
DEFAULT_SCOPES = ("word", "lens")
# Context window, unless the model's is smaller.
MOST_TOKENS = 8192
# Maximum difference in a token's log-probability between batched and individual readings, in
# nats, at 32 bits. At lower precision both are off by more than that.
TOLERANCE = 1e-4
ROUGH_TOLERANCE = 0.5

SCORES = pyarrow.schema(
    {
        "reader_hash": pyarrow.string(),
        "probe_id": pyarrow.string(),
        "form": pyarrow.string(),
        "input_hash": pyarrow.string(),
        "n_shown_tokens": pyarrow.int64(),
        "was_cut": pyarrow.bool_(),
        "atom_tokens": pyarrow.list_(pyarrow.int32()),
        "atom_logprobs": pyarrow.list_(pyarrow.float64()),
        "wrong_answer_tokens": pyarrow.list_(pyarrow.int32()),
        "wrong_answer_logprobs": pyarrow.list_(pyarrow.float64()),
        "answer_tokens": pyarrow.list_(pyarrow.int32()),
        "answer": pyarrow.string(),
        "environment": pyarrow.string(),
    }
)


def score_probes(
    home: Home, model: BatchedModel, scopes: list[str], n_documents: int | None
) -> int:
    """Score all probes that are still missing, landing each batch; return the number landed.

    Raises ReadingError if batched and individual readings differ, or a result is not finite.
    """
    row = reader_row(model)
    unread = reading_pending.pending(home, row["reader_hash"], scopes, n_documents)
    terminal.say(
        f"{len(unread.keys):,} readings to do ({unread.n_characters:,} characters); "
        f"{unread.n_known:,} had already landed"
    )
    if not unread.keys:
        return 0
    compare(home, model, unread.keys)
    n_landed = 0
    wanted = (
        batch
        for texts in reading_pending.texts(home, unread.keys)
        for batch in batches(readings_of(model, texts), model.batch_size)
    )
    with terminal.progress("scoring", len(unread.keys), "readings") as advance:
        for batch, found in model.map(read, wanted):
            with landing.opened(home.landing) as connection:
                n_landed += landing.add_scores(connection, row, rows_of(row, model, found))
            advance(len(batch))
    return n_landed


def readings_of(model: BatchedModel, texts: list[Text]) -> list[Reading]:
    """Texts as the model reads them."""
    return [readings.reading_of(model.tokenizer, text, limit(model)) for text in texts]


def limit(model: BatchedModel) -> int:
    """Context window to use, in tokens."""
    return min(model.longest or MOST_TOKENS, MOST_TOKENS)


def reader_row(model: BatchedModel) -> dict:
    """The row of ``readers``: all settings that determine a score, and their hash."""
    settings = {name: model.settings[name] for name in ("model", "revision", "tokenizer", "dtype")}
    settings |= {
        "template_hash": rendering.prompt_hash("reader"),
        "method": readings.METHOD,
        "most_tokens": limit(model),
        "longest_answer": readings.LONGEST_ANSWER,
    }
    text = sampling.canonical(settings)
    return {
        "reader_hash": hashlib.sha256(text.encode()).hexdigest(),
        "model": settings["model"],
        "model_revision": settings["revision"],
        "tokenizer": settings["tokenizer"],
        "dtype": settings["dtype"],
        "template_hash": settings["template_hash"],
        "settings": text,
    }


def compare(home: Home, model: BatchedModel, keys: list[tuple[str, str, str]]) -> None:
    """Do some readings of medium length batched and individually; print the time of each.

    Raises ReadingError if both differ.
    """
    start = max(0, len(keys) // 2 - model.batch_size // 2)
    (texts,) = reading_pending.texts(home, keys[start : start + model.batch_size])
    some = readings_of(model, texts)
    ((_, found),) = model.map(compared, [some])
    terminal.say(
        f"{len(some)} readings batched: {len(some) / found.seconds_scoring:,.1f} per second "
        f"({len(some) / found.seconds:,.1f} with answers); individually: "
        f"{len(some) / found.seconds_alone:,.1f} per second; token log-probabilities differ by "
        f"{found.difference:.1e} at most"
    )
    is_exact = model.settings["dtype"] in ("float32", "float64")
    if not found.difference <= (TOLERANCE if is_exact else ROUGH_TOLERANCE):
        raise ReadingError(
            f"{model.name} gives different log-probabilities batched than individually (by "
            f"{found.difference:.1e}), so none can be trusted: try --batch-size 1 or another "
            "--dtype"
        )
    n_minutes = found.seconds / len(some) * len(keys) / model.n_copies / 60
    terminal.say(f"all {len(keys):,} readings will take about {n_minutes:,.0f} minutes")


@dataclass(frozen=True)
class Comparison:
    """Some readings batched and individually: seconds of each, and the largest difference (nats).

    ``seconds_scoring`` is the part of ``seconds`` without answers.
    """

    seconds: float
    seconds_scoring: float
    seconds_alone: float
    difference: float


def compared(model: LanguageModel, some: list[Reading]) -> Comparison:
    """Do readings batched and individually."""
    reader = Reader(model)
    # The first pass is slower than all others.
    one_by_one(model, some[0])
    started = time.monotonic()
    alone = [one_by_one(model, reading) for reading in some]
    seconds_alone = time.monotonic() - started
    started = time.monotonic()
    together = [one for batch in batches(some, model.batch_size) for one in reader.read(batch)]
    seconds = time.monotonic() - started
    by_key = {key_of(one.reading): one for one in together}
    difference = 0.0
    for reading, values in zip(some, alone, strict=True):
        one = by_key[key_of(reading)]
        difference = max(difference, largest_difference(values, (one.atom, one.wrong_answer)))
    return Comparison(seconds, reader.seconds, seconds_alone, difference)


def key_of(reading: Reading) -> tuple[str, str, str]:
    """Key that identifies a reading."""
    return reading.text.probe_id, reading.text.form, reading.text.input_hash


def largest_difference(
    values: Sequence[Sequence[float]], others: Sequence[Sequence[float]]
) -> float:
    """The largest absolute difference between two lists of lists of numbers."""
    return max(
        abs(value - other)
        for some, more in zip(values, others, strict=True)
        for value, other in zip(some, more, strict=True)
    )


def rows_of(row: dict, model: BatchedModel, found: list[Read]) -> pyarrow.Table:
    """Rows to land."""
    environment = json.dumps(model.environment)
    return pyarrow.Table.from_pylist(
        [
            {
                "reader_hash": row["reader_hash"],
                "probe_id": one.reading.text.probe_id,
                "form": one.reading.text.form,
                "input_hash": one.reading.text.input_hash,
                "n_shown_tokens": one.reading.n_tokens,
                "was_cut": one.reading.was_cut,
                "atom_tokens": one.reading.candidates[0],
                "atom_logprobs": one.atom,
                "wrong_answer_tokens": one.reading.candidates[1],
                "wrong_answer_logprobs": one.wrong_answer,
                "answer_tokens": one.answer_tokens,
                "answer": None
                if one.answer_tokens is None
                else tokenizing.decode(model.tokenizer, one.answer_tokens),
                "environment": environment,
            }
            for one in found
        ],
        schema=SCORES,
    )
