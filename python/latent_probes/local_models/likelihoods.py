"""Log-probabilities of candidates and greedy answers, many readings at a time.

A context is computed once for the readings that share it, and a question once for its two
candidates and its answer: each begins with a copy of the keys and values before it. Contexts are
padded on their left. Behind them nothing is padded that something follows, as layers of linear
attention know of no mask there.
"""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from latent_probes.local_models import ReadingError
from latent_probes.local_models.readings import Reading
from latent_probes.sampling.language_model import LanguageModel, LanguageModelError, libraries

# Most tokens whose keys and values are held for the rows of a batch: 2.4 GB for a model of 8B.
MOST_TOKENS = 1 << 14
# Most logits at a time: 512 MB.
MOST_LOGITS = 1 << 27


@dataclass(frozen=True)
class Read:
    """What came of a reading: the log-probability of each token of the atom and of the wrong
    answer, in nats, and the greedy answer, ``None`` where none was asked for."""

    reading: Reading
    atom: list[float]
    wrong_answer: list[float]
    answer_tokens: list[int] | None


class Reader:
    """A language model that reads; ``seconds`` is what its log-probabilities have taken."""

    def __init__(self, model: LanguageModel):
        self.model = model
        self.torch, self.transformers = libraries()
        self.seconds = 0.0

    def read(self, readings: list[Reading]) -> list[Read]:
        """Read all of them in one batch, in their order.

        Raises LanguageModelError if they do not fit the memory, ReadingError if a log-probability
        is no finite number.
        """
        try:
            with self.torch.inference_mode():
                found = self.read_batch(readings)
        except self.torch.OutOfMemoryError as error:
            raise LanguageModelError(
                f"a batch of {len(readings)} does not fit the memory of {self.model.device}: run "
                "again with a smaller --batch-size; what has landed stays"
            ) from error
        return [checked(found[place]) for place in range(len(readings))]

    def read_batch(self, readings: list[Reading]) -> dict[int, Read]:
        """What came of each reading, by its place."""
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
        """The contexts computed, a row each."""
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
        return Known(self.torch, cache, mask, None)

    def extended(self, known: Known, questions: list[list[int]]) -> Known:
        """What is known with a question of one length behind each row, and the logits after it."""
        logits = self.step(known, self.tensor(questions))
        return Known(self.torch, known.cache, known.mask, logits[:, -1].float())

    def step(self, known: Known, ids, mask=None, first: int = -1):
        """Put ids behind what is known; the logits from place ``first`` of them on.

        ``mask`` is 0 where a row has fewer.
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

    def candidates(self, asked: Known, readings: list[Reading]) -> list[list[list[float]]]:
        """The log-probabilities of both candidates of each reading."""
        first = asked.logits.log_softmax(-1)
        scores = [
            [[first[row, ids[0]].item()] for ids in reading.candidates]
            for row, reading in enumerate(readings)
        ]
        # The last token is predicted and not read, so that those of one token are done.
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
        """The log-probabilities of all ids of each row but the first, which are longest first.

        They are read in pieces, so that their logits fit the memory.
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

    def answers(self, asked: Known, readings: list[Reading]) -> list[list[int] | None]:
        """The most likely token after the question, and so on, up to the end of the line.

        Uses up what is known.
        """
        if not readings[0].longest_answer:
            return [None] * len(readings)
        written: list[list[int]] = [[] for _ in readings]
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

    def has_ended(self, answer: list[int], reading: Reading) -> bool:
        """Whether an answer is as long as it may be, or ends its line or the text."""
        if len(answer) >= reading.longest_answer or (answer and answer[-1] in self.model.ends):
            return True
        return "\n" in self.model.tokenizer.decode(answer).lstrip()

    def tensor(self, values):
        """Integers on the model's device."""
        return self.torch.tensor(values, device=self.model.device)


class Known:
    """What was computed: keys and values, where they are no padding, and the logits at the end."""

    def __init__(self, torch, cache, mask, logits):
        self.torch, self.cache, self.mask, self.logits = torch, cache, mask, logits

    def chosen(self, rows: list[int]) -> Known:
        """A copy of some rows, each as often as it is named."""
        rows = self.torch.tensor(rows, device=self.mask.device)
        cache = copy.deepcopy(self.cache)
        # Unlike `batch_select_indices`, it knows layers of linear attention.
        cache.reorder_cache(rows)
        logits = None if self.logits is None else self.logits[rows]
        return Known(self.torch, cache, self.mask[rows], logits)


def checked(read: Read) -> Read:
    """The same, if all its log-probabilities are finite. Raises ReadingError."""
    for values in (read.atom, read.wrong_answer):
        if not all(-float("inf") < value <= 0 for value in values):
            raise ReadingError(
                f"probe {read.reading.text.probe_id}, form {read.reading.text.form}: a "
                "log-probability is no finite number; the model overflows in this precision: try "
                "--dtype float32. What has landed before stays"
            )
    return read


def one_by_one(model: LanguageModel, reading: Reading) -> tuple[list[float], list[float]]:
    """The same log-probabilities by a pass of the whole text for each candidate."""
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
    """Readings of contexts of like length, longest first, at most ``size`` at a time.

    Those of one context stay together where they fit.
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
