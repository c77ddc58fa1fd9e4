"""A language model in this process (transformers): continuations of prefixes, in batches.

Needs the extra ``lm``. Probes are scored in ``local_models``. The randomness of a rollout comes
from its own seed and does not depend on its batch.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latent_probes.common import files
from latent_probes.sampling import tokenizing
from latent_probes.sampling.batched_model import BatchedModel, LanguageModelError, Piece, Result
from latent_probes.sampling.rollouts import Sampled, Settings, Wanted

if TYPE_CHECKING:
    from transformers import (
        LogitsProcessor,
        LogitsProcessorList,
        PreTrainedModel,
        PreTrainedTokenizerBase,
    )

# Files in a model's folder that determine the text.
PARTS = ("*.json", "*.safetensors", "*.bin", "*.model", "*.txt", "*.gguf")

# What loading a model can raise; the last of them, torch without CUDA for a device of it.
UNLOADABLE = (OSError, ValueError, ImportError, RuntimeError, AttributeError, AssertionError)


class LanguageModel(BatchedModel):
    """A causal language model in this process.

    ``model`` is a name on the Hub, a folder, or a GGUF file; ``dtype`` a torch dtype, or ``auto``
    for that of the weights; ``device`` a torch device; ``batch_size`` the number of rollouts
    sampled, or texts read, at a time. Raises LanguageModelError.
    """

    def __init__(
        self, model: str, revision: str | None, dtype: str, device: str | None, batch_size: int
    ):
        torch, transformers = libraries()
        tokenizing.refuse_missing(model)
        self.batch_size = batch_size
        self.name = tokenizing.short_name(model)
        if not Path(model).exists():
            revision = commit(model, revision)
        self.tokenizer = tokenizing.load(model, revision)
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        transformers.utils.logging.disable_progress_bar()
        try:
            self.model = transformers.AutoModelForCausalLM.from_pretrained(
                **tokenizing.place(model),
                revision=revision,
                dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            )
            self.model.eval().to(self.device)
        except UNLOADABLE as error:
            raise LanguageModelError(
                f"{model}: cannot load the model ({tokenizing.first_line(error)}); check its name "
                "or path, --dtype and --device"
            ) from error
        self.ends = ends_of_text(self.model, self.tokenizer)
        config = self.model.config.get_text_config()
        # Of prefix and continuation together.
        self.longest = getattr(config, "max_position_embeddings", None)
        self.n_layers = config.num_hidden_layers
        self.hidden_size = config.hidden_size
        self.n_bytes = self.model.dtype.itemsize
        self.settings = {
            "sampler": "transformers",
            "model": self.name,
            "revision": hash_of_files(Path(model)) if Path(model).exists() else revision,
            "tokenizer": tokenizing.version(self.tokenizer, model, revision),
            "dtype": str(self.model.dtype).removeprefix("torch."),
        }
        self.environment = {
            "batch_size": batch_size,
            "device": torch.cuda.get_device_name(self.device)
            if self.device.startswith("cuda")
            else self.device,
            "versions": {
                library: importlib.metadata.version(library)
                for library in ("tokenizers", "torch", "transformers")
            },
        }

    def map(
        self, work: Callable[[Any, Piece], Result], pieces: Iterable[Piece]
    ) -> Iterator[tuple[Piece, Result]]:
        """Each piece with the result of ``work``, done here."""
        for piece in pieces:
            yield piece, work(self, piece)

    def sample_batch(
        self, batch: list[Wanted], prefix_ids: list[list[int]], settings: Settings
    ) -> list[Sampled]:
        """One continuation for each of ``batch``, whose prefixes have the ids ``prefix_ids``."""
        torch, _ = libraries()
        try:
            with torch.inference_mode():
                rows = self.generate(batch, prefix_ids, settings)
        except torch.OutOfMemoryError as error:
            raise LanguageModelError(
                f"a batch of {len(batch)} does not fit in the memory of {self.device}: rerun with "
                "a smaller --batch-size; landed data is kept"
            ) from error
        sampled = []
        for row, prefix, ids in zip(batch, prefix_ids, rows, strict=True):
            end = next((place for place, token in enumerate(ids) if token in self.ends), None)
            kept = ids if end is None else ids[: end + 1]
            sampled.append(
                Sampled(
                    row,
                    tokenizing.continuation(self.tokenizer, prefix, kept),
                    prefix,
                    kept,
                    "length" if end is None else "stop",
                )
            )
        return sampled

    def generate(
        self, batch: list[Wanted], prefix_ids: list[list[int]], settings: Settings
    ) -> list[list[int]]:
        """The sampled ids of each row, including any that follow the end of the text."""
        torch, transformers = libraries()
        # Siblings share the computation of their prefix.
        places: dict[tuple[int, ...], int] = {}
        rows = [places.setdefault(tuple(ids), len(places)) for ids in prefix_ids]
        longest = max(map(len, places))
        pad = next(iter(self.ends), 0)
        ids = torch.tensor(
            [[pad] * (longest - len(ids)) + list(ids) for ids in places], device=self.device
        )
        mask = torch.tensor(
            [[0] * (longest - len(ids)) + [1] * len(ids) for ids in places], device=self.device
        )
        rows = torch.tensor(rows, device=self.device)
        known = {}
        if longest > 1:
            cache = transformers.DynamicCache(config=self.model.config.get_text_config())
            # The last token is left to `generate`, which needs its logits.
            self.model(
                input_ids=ids[:, :-1],
                attention_mask=mask[:, :-1],
                position_ids=(mask[:, :-1].cumsum(-1) - 1).clamp(min=0),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            # Unlike `batch_select_indices`, this supports layers with linear attention.
            cache.reorder_cache(rows)
            known = {"past_key_values": cache}
        written = self.model.generate(
            ids[rows],
            attention_mask=mask[rows],
            # The model's own generation config is not used.
            generation_config=transformers.GenerationConfig(
                do_sample=False,
                max_new_tokens=settings.max_new_tokens,
                pad_token_id=pad,
                eos_token_id=sorted(self.ends) or None,
            ),
            logits_processor=processors(batch, settings),
            **known,
        )
        return written[:, longest:].tolist()


def processors(batch: list[Wanted], settings: Settings) -> LogitsProcessorList:
    """Logits processors: the settings in the usual order, then the draw."""
    _, transformers = libraries()
    chain = transformers.LogitsProcessorList()
    if settings.temperature != 1.0:
        chain.append(transformers.TemperatureLogitsWarper(settings.temperature))
    if settings.top_k:
        chain.append(transformers.TopKLogitsWarper(settings.top_k))
    if settings.top_p < 1.0:
        chain.append(transformers.TopPLogitsWarper(settings.top_p))
    if settings.min_p:
        chain.append(transformers.MinPLogitsWarper(settings.min_p))
    chain.append(drawer(batch))
    return chain


def drawer(batch: list[Wanted]) -> LogitsProcessor:
    """A logits processor that leaves one token per row, drawn with the row's own seed.

    Uses the Gumbel-max trick, noise per token: a logit that is off in its last bits hardly ever
    changes the sampled token, whereas inverse-CDF sampling with one number per row would be more
    sensitive. `generate` itself draws for all rows from one generator, so a row's tokens would
    depend on the other rows.
    """
    import torch
    from transformers import LogitsProcessor

    class Drawer(LogitsProcessor):
        generators: list[torch.Generator] | None = None

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            if self.generators is None:
                self.generators = [
                    torch.Generator(scores.device).manual_seed(row.sampling_seed) for row in batch
                ]
            noise = torch.stack(
                [
                    torch.empty_like(row).exponential_(generator=generator)
                    for row, generator in zip(scores, self.generators, strict=True)
                ]
            )
            tokens = (scores - noise.log()).argmax(-1, keepdim=True)
            return torch.full_like(scores, -torch.inf).scatter(1, tokens, 0.0)

    return Drawer()


def libraries() -> tuple[Any, Any]:
    """torch and transformers. Raises LanguageModelError if the extra is not installed."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import torch
        import transformers
    except ImportError as error:
        raise LanguageModelError(
            f"running a model in this process needs more packages ({error}): install them with "
            "`pip install --require-hashes --no-deps -r requirements-lm.lock` or "
            "`pip install 'latent-probes[lm]'`"
        ) from error
    return torch, transformers


def ends_of_text(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """End-of-text tokens according to the model and its tokenizer."""
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return {end for end in [*ends, tokenizer.eos_token_id] if end is not None}


def commit(model: str, revision: str | None) -> str:
    """The commit of a model on the Hub. Raises LanguageModelError if it cannot be found."""
    from transformers.utils import cached_file
    from transformers.utils.hub import extract_commit_hash

    try:
        return extract_commit_hash(cached_file(model, "config.json", revision=revision), None)
    except OSError as error:
        raise LanguageModelError(
            f"{model!r} is not a file or folder, and was not found on the Hub "
            f"({tokenizing.first_line(error)})"
        ) from error


def hash_of_files(model: Path) -> str:
    """SHA-256 of a file, or of names and contents of the files in PARTS in a folder."""
    if model.is_file():
        return files.hash_of(model)
    digest = hashlib.sha256()
    for path in sorted({path for pattern in PARTS for path in model.glob(pattern)}):
        digest.update(f"{path.name} {files.hash_of(path)}\n".encode())
    return digest.hexdigest()
