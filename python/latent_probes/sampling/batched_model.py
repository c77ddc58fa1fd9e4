"""A language model that works on one batch after another, wherever its weights are."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from latent_probes.sampling import tokenizing
from latent_probes.sampling.prefixes import Prefix
from latent_probes.sampling.rollouts import Sampled, Settings, Wanted

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Piece = TypeVar("Piece")
Result = TypeVar("Result")
# Rollouts to sample, with the ids of the prefix of each.
Batch = tuple[list[Wanted], list[list[int]]]


class LanguageModelError(Exception):
    """A model that cannot be run; the message gives the reason and the remedy."""


class BatchedModel(ABC):
    """A causal language model: its tokenizer is here, its weights in this process or in others.

    ``settings`` determine texts and scores, ``environment`` at most the last bits of a logit.
    ``longest`` is the context window in tokens, or None if it is unlimited. Its states are
    ``n_layers`` blocks of ``hidden_size`` numbers of ``n_bytes`` each. ``batch_size`` is the number
    of rollouts sampled, or texts read, at a time by each of ``n_copies`` that share the work.
    """

    name: str
    tokenizer: PreTrainedTokenizerBase
    settings: dict[str, Any]
    environment: dict[str, Any]
    longest: int | None
    n_layers: int
    hidden_size: int
    n_bytes: int
    batch_size: int
    n_copies: int = 1

    @abstractmethod
    def map(
        self, work: Callable[[Any, Piece], Result], pieces: Iterable[Piece]
    ) -> Iterator[tuple[Piece, Result]]:
        """Each piece with the result of ``work(LANGUAGE_MODEL, piece)``, in the order of pieces.

        ``work``, pieces and results can be pickled. Raises what ``work`` raises.
        """

    def sample(
        self,
        wanted: list[Wanted],
        settings: Settings,
        land: Callable[[list[Sampled]], None],
    ) -> None:
        """Sample all of ``wanted``, and ``land`` the results batch by batch.

        The batches depend only on ``wanted`` and the batch size. Longest prefixes come first, so a
        batch that does not fit in memory fails immediately. Raises LanguageModelError.
        """
        ids: dict[Prefix, list[int]] = {row.prefix: [] for row in wanted}
        for prefix in ids:
            ids[prefix] = tokenizing.encode(self.tokenizer, prefix.text)
        longest = max(map(len, ids.values())) + settings.max_new_tokens
        if self.longest and longest > self.longest:
            raise LanguageModelError(
                f"{self.name} has a context window of {self.longest:,} tokens, but the longest "
                f"prefix with its continuation needs {longest:,}: lower --max-prefix or "
                "--max-new-tokens"
            )
        ordered = sorted(
            wanted,
            key=lambda row: (-len(ids[row.prefix]), row.prefix.doc_id, row.continuation_idx),
        )
        starts = range(0, len(ordered), self.batch_size)
        batches = (ordered[start : start + self.batch_size] for start in starts)
        pieces = ((batch, [ids[row.prefix] for row in batch]) for batch in batches)
        for _, sampled in self.map(functools.partial(sample_batch, settings=settings), pieces):
            land(sampled)


def sample_batch(model: Any, batch: Batch, settings: Settings) -> list[Sampled]:
    """One continuation for each rollout of a batch."""
    return model.sample_batch(*batch, settings)
