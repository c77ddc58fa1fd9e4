"""Log-probabilities of candidates and greedy answers, many readings per batch.

A context is computed once for all readings that share it, and a question once for its two
candidates and its answer: each starts from a copy of the key-value cache. Contexts are padded on
the left. After the contexts, nothing is padded in the middle, because layers with linear attention
ignore the mask there.
"""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from latent_probes.local_models import ReadingError
from latent_probes.local_models.readings import Reading
from latent_probes.sampling.batched_model import LanguageModelError
from latent_probes.sampling.language_model import LanguageModel, libraries

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache

# Maximum tokens in the key-value cache of a batch: 2.4 GB for an 8B model.
MOST_TOKENS = 1 << 14
# Maximum logits at a time: 512 MB.
MOST_LOGITS = 1 << 27


@dataclass(frozen=True)
class Read:
    """Result of a reading.

    Log-probabilities (nats) of each token of the atom and of the wrong answer, and the tokens of
    the greedy answer, ``None`` if no answer is generated.
    """

    reading: Reading
    atom: list[float]
    wrong_answer: list[float]
    answer_tokens: list[int] | None


class Scored(Protocol):
    """What is read after a prompt: two candidates, and an answer of a maximum length."""

    @property
    def candidates(self) -> tuple[list[int], list[int]]: ...
    @property
    def longest_answer(self) -> int: ...


class Reader:
    """The local model; ``seconds`` is the time spent on log-probabilities so far."""

    def __init__(self, model: LanguageModel):
        self.model = model
        self.torch, self.transformers = libraries()
        self.seconds = 0.0

    def read(self, readings: list[Reading]) -> list[Read]:
        """Score all readings in one batch; results are in the same order.

        Raises LanguageModelError if they do not fit in memory, ReadingError if a log-probability
        is not finite.
        """
        try:
            with self.torch.inference_mode():
                found = self.read_batch(readings)
        except self.torch.OutOfMemoryError as error:
            raise LanguageModelError(
                f"a batch of {len(readings)} does not fit in the memory of {self.model.device}: "
                "rerun with a smaller --batch-size; landed data is kept"
            ) from error
        return [checked(found[place]) for place in range(len(readings))]

    def read_batch(self, readings: list[Reading]) -> dict[int, Read]:
        """Results by the reading's index in the batch."""
        started = time.monotonic()
        contexts: dict[tuple[int, ...], int] = {}
        rows = [contexts.setdefault(reading.context, len(contexts)) for reading in readings]
        shared = self.shared(list(contexts))
        groups = defaultdict(list)
        for place, reading in enumerate(readings):
            groups[len(reading.question), bool(reading.longest_answer)].append(place)
        found = {}
        for places in groups.values():
            asked = self.extended(
                shared.chosen([rows[place] for place in places]),
                [readings[place].question for place in places],
            )
            scores = self.candidates(asked, [readings[place] for place in places])
            self.seconds += time.monotonic() - started
            answers = self.answers(asked, [readings[place] for place in places])
            started = time.monotonic()
            for place, (atom, wrong), answer in zip(places, scores, answers, strict=True):
                found[place] = Read(readings[place], atom, wrong, answer)
        self.seconds += time.monotonic() - started
        return found

    def shared(self, contexts: list[tuple[int, ...]]) -> Known:
        """Compute the contexts, one row each."""
        longest = max(map(len, contexts))
        n_padded = [longest - len(context) for context in contexts]
        mask = self.tensor(
            [[0] * n + [1] * len(context) for n, context in zip(n_padded, contexts, strict=True)]
        )
        cache = self.transformers.DynamicCache(config=self.model.model.config.get_text_config())
        self.model.model(
            input_ids=self.tensor(
                [[0] * n + list(context) for n, context in zip(n_padded, contexts, strict=True)]
            ),
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return Known(cache, mask, None)

    def extended(self, known: Known, questions: list[list[int]]) -> Known:
        """Append a question to each row (all of one length); keeps the logits after it."""
        logits = self.step(known, self.tensor(questions))
        return Known(known.cache, known.mask, logits[:, -1].float())

    def step(
        self,
        known: Known,
        ids: torch.Tensor,
        mask: torch.Tensor | None = None,
        first: int = -1,
    ) -> torch.Tensor:
        """Append ids to ``known``; returns their logits, starting at position ``first``.

        ``mask`` is 0 at the padding of shorter rows.
        """
        start = known.mask.sum(-1, keepdim=True)
        added = self.torch.ones_like(ids) if mask is None else mask
        known.mask = self.torch.cat([known.mask, added], dim=-1)
        n_kept = ids.shape[1] - (first % ids.shape[1])
        return self.model.model(
            input_ids=ids,
            attention_mask=known.mask,
            position_ids=start + self.torch.arange(ids.shape[1], device=ids.device),
            past_key_values=known.cache,
            use_cache=True,
            logits_to_keep=n_kept,
        ).logits

    def candidates(self, asked: Known, readings: Sequence[Scored]) -> list[list[list[float]]]:
        """Log-probabilities of both candidates of each reading."""
        assert asked.logits is not None
        first = asked.logits.log_softmax(-1)
        scores = [
            [[first[row, ids[0]].item()] for ids in reading.candidates]
            for row, reading in enumerate(readings)
        ]
        # The last token is only predicted, so candidates of one token are finished.
        rest = [
            (row, kind, ids)
            for row, reading in enumerate(readings)
            for kind, ids in enumerate(reading.candidates)
            if len(ids) > 1
        ]
        rest.sort(key=lambda one: -len(one[2]))
        for start in range(0, len(rest), len(readings)):
            some = rest[start : start + len(readings)]
            known = asked.chosen([row for row, _, _ in some])
            for (row, kind, _), values in zip(
                some, self.followed(known, [ids for _, _, ids in some]), strict=True
            ):
                scores[row][kind] += values
        return scores

    def followed(self, known: Known, rows: list[list[int]]) -> list[list[float]]:
        """Log-probabilities of all ids of each row except the first; longest rows come first.

        Rows are read in pieces so that their logits fit in memory.
        """
        n_words = self.model.model.config.get_text_config().vocab_size
        width = max(1, MOST_LOGITS // (n_words * len(rows)))
        found: list[list[float]] = [[] for _ in rows]
        for start in range(0, len(rows[0]) - 1, width):
            pieces = [ids[start : min(start + width, len(ids) - 1)] for ids in rows]
            longest = len(pieces[0])
            logits = self.step(
                known,
                self.tensor([piece + [0] * (longest - len(piece)) for piece in pieces]),
                self.tensor([[1] * len(piece) + [0] * (longest - len(piece)) for piece in pieces]),
                first=0,
            )
            for ids, piece, after, values in zip(rows, pieces, logits, found, strict=True):
                if piece:
                    following = self.tensor(ids[start + 1 : start + 1 + len(piece)])
                    each = after[: len(piece)].float().log_softmax(-1)
                    values += each.gather(1, following[:, None])[:, 0].tolist()
        return found

    def answers(self, asked: Known, readings: Sequence[Scored]) -> Sequence[list[int] | None]:
        """Greedy answers, up to the end of the line or of the lens. Modifies ``asked``."""
        if not readings[0].longest_answer:
            return [None] * len(readings)
        written: list[list[int]] = [[] for _ in readings]
        assert asked.logits is not None
        logits = asked.logits
        while True:
            tokens = logits.argmax(-1)
            going_on = False
            for reading, answer, token in zip(readings, written, tokens.tolist(), strict=True):
                if not self.has_ended(answer, reading):
                    answer.append(token)
                    going_on |= not self.has_ended(answer, reading)
            if not going_on:
                return written
            logits = self.step(asked, tokens[:, None])[:, -1]

    def has_ended(self, answer: list[int], reading: Any) -> bool:
        """Whether an answer has reached its maximum length, the end of its line or of the text.

        The answer to a lens can have several lines until it is as long as the atom.
        """
        if len(answer) >= reading.longest_answer or (answer and answer[-1] in self.model.ends):
            return True
        if reading.text.scope == "lens":
            n_atom = len(reading.candidates[0])
            return "\n" in self.model.tokenizer.decode(answer[n_atom:])
        return "\n" in self.model.tokenizer.decode(answer).lstrip()

    def tensor(self, values: Sequence[int] | Sequence[Sequence[int]]) -> torch.Tensor:
        """Integers on the model's device."""
        return self.torch.tensor(values, device=self.model.device)


def read(model: LanguageModel, readings: list[Reading]) -> list[Read]:
    """Score all readings in one batch; results are in the same order. Raises as Reader.read."""
    return Reader(model).read(readings)


class Known:
    """Computed rows: key-value cache, attention mask, and the logits after the last token."""

    def __init__(self, cache: DynamicCache, mask: torch.Tensor, logits: torch.Tensor | None):
        self.cache, self.mask, self.logits = cache, mask, logits

    def chosen(self, rows: list[int]) -> Known:
        """A copy of some rows, which can repeat."""
        places = self.mask.new_tensor(rows)
        cache = copy.deepcopy(self.cache)
        # Unlike `batch_select_indices`, this supports layers with linear attention.
        cache.reorder_cache(places)
        logits = None if self.logits is None else self.logits[places]
        return Known(cache, self.mask[places], logits)


def checked(read: Read) -> Read:
    """Return ``read``; raises ReadingError unless all its log-probabilities are finite."""
    for values in (read.atom, read.wrong_answer):
        if not all(-float("inf") < value <= 0 for value in values):
            raise ReadingError(
                f"probe {read.reading.text.probe_id}, form {read.reading.text.form}: a "
                "log-probability is not finite; the model overflows at this precision: try "
                "--dtype float32. Landed data is kept"
            )
    return read


def one_by_one(model: LanguageModel, reading: Reading) -> tuple[list[float], list[float]]:
    """The same log-probabilities from one unbatched pass over the full text per candidate."""
    torch, _ = libraries()
    found = []
    for ids in reading.candidates:
        whole = [*reading.context, *reading.question, *ids]
        with torch.inference_mode():
            logits = model.model(
                torch.tensor([whole], device=model.device),
                use_cache=False,
                logits_to_keep=len(ids) + 1,
            ).logits[0, :-1]
        values = logits.float().log_softmax(-1)
        following = torch.tensor(ids, device=model.device)
        found.append(values.gather(1, following[:, None])[:, 0].tolist())
    return found[0], found[1]


def batches(readings: list[Reading], size: int) -> Iterator[list[Reading]]:
    """Batches of at most ``size`` readings with contexts of similar length, longest first.

    Readings that share a context stay together if they fit.
    """
    by_context = defaultdict(list)
    for reading in readings:
        by_context[reading.context].append(reading)
    batch: list[Reading] = []
    for context in sorted(by_context, key=lambda ids: (-len(ids), ids)):
        for reading in by_context[context]:
            longest = len(batch[0].context) if batch else len(context)
            if batch and (len(batch) == size or (len(batch) + 1) * longest > MOST_TOKENS):
                yield batch
                batch = []
            batch.append(reading)
    if batch:
        yield batch
