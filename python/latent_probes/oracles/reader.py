"""Answers to prompts with injected states, in batches; the injection is in the prefill only."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from latent_probes.common import terminal
from latent_probes.local_models import ReadingError
from latent_probes.local_models.likelihoods import Known, Reader
from latent_probes.oracles import hidden
from latent_probes.oracles.prompts import Prompt
from latent_probes.sampling.batched_model import LanguageModelError
from latent_probes.sampling.language_model import LanguageModel, libraries

T = TypeVar("T")
R = TypeVar("R")


class Answered:
    """The answer to a prompt, and the log-probability (nats) of each token of both candidates."""

    def __init__(self, prompt: Prompt, atom: list[float], wrong: list[float], answer: list[int]):
        self.prompt, self.atom, self.wrong_answer, self.answer = prompt, atom, wrong, answer


class OracleReader(Reader):
    """A model that answers prompts; states are injected after the block ``layer``."""

    def __init__(self, model: LanguageModel, layer: int, how: str, coefficient: float):
        super().__init__(model)
        self.layer, self.how, self.coefficient = layer, how, coefficient

    @property
    def injected_after(self) -> Any:
        """The module whose output is changed."""
        return hidden.blocks(self.model)[self.layer]

    def ask(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer all prompts in one batch, in their order.

        Raises ReadingError if a log-probability is not finite.
        """
        with self.torch.inference_mode():
            asked = self.prefilled(prompts)
            scores = self.candidates(asked, prompts)
            answers = self.answers(asked, prompts)
        found = []
        for prompt, (atom, wrong), answer in zip(prompts, scores, answers, strict=True):
            if not all(-float("inf") < value <= 0 for value in [*atom, *wrong]):
                raise ReadingError(
                    f"probe {prompt.probe_id}: a log-probability is not finite; the model "
                    "overflows at this precision: try --dtype float32. Landed data is kept"
                )
            assert answer is not None
            kept = [token for token in answer if token not in self.model.ends]
            found.append(Answered(prompt, atom, wrong, kept))
        return found

    def prefilled(self, prompts: Sequence[Prompt]) -> Known:
        """Read the prompts, padded on the left, with their states injected."""
        longest = max(len(prompt.ids) for prompt in prompts)
        padding = [longest - len(prompt.ids) for prompt in prompts]
        mask = self.tensor(
            [[0] * n + [1] * len(one.ids) for n, one in zip(padding, prompts, strict=True)]
        )
        rows = [row for row, one in enumerate(prompts) for _ in one.places]
        places = [
            n + place for n, one in zip(padding, prompts, strict=True) for place in one.places
        ]
        given = [one.states for one in prompts if one.states is not None]
        cache = self.transformers.DynamicCache(config=self.model.model.config.get_text_config())
        with hidden.injected(
            self.injected_after,
            rows,
            places,
            self.torch.cat(given) if given else self.torch.empty(0),
            self.how,
            self.coefficient,
        ):
            logits = self.model.model(
                input_ids=self.tensor(
                    [[0] * n + one.ids for n, one in zip(padding, prompts, strict=True)]
                ),
                attention_mask=mask,
                position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits
        return Known(cache, mask, logits[:, -1].float())

    def has_ended(self, answer: list[int], prompt: Any) -> bool:
        """Whether an answer has reached its maximum length, the end of its text or of its line."""
        if len(answer) >= prompt.longest_answer or (answer and answer[-1] in self.model.ends):
            return True
        if not prompt.ends_with_line:
            return False
        return "\n" in self.model.tokenizer.decode(answer).lstrip()


class Halving:
    """Runs a function over a list in batches, of half the size after the memory was too small."""

    def __init__(self, size: int):
        self.size = size

    def __call__(self, run: Callable[[list[T]], list[R]], rows: list[T]) -> list[R]:
        """Results of all rows, in their order. Raises LanguageModelError if one does not fit."""
        torch, _ = libraries()
        found: list[R] = []
        while len(found) < len(rows):
            try:
                found += run(rows[len(found) : len(found) + self.size])
                continue
            except torch.OutOfMemoryError as error:
                if self.size == 1:
                    raise LanguageModelError(
                        "a single prompt does not fit in memory: use a larger device or a lower "
                        "--dtype; landed data is kept"
                    ) from error
            # Outside of the handler, which keeps the tensors of the failed batch.
            self.size = max(1, self.size // 2)
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            terminal.say(f"out of memory: continuing with batches of {self.size}")
        return found
