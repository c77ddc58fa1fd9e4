"""The residual stream at chosen tokens, in one pass per document."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latent_probes.local_models import ReadingError
from latent_probes.local_models.tokens import Tokens
from latent_probes.sampling.batched_model import LanguageModelError
from latent_probes.sampling.language_model import LanguageModel, libraries

if TYPE_CHECKING:
    import torch

# Maximum tokens in a pass: all their states are in memory until the chosen ones are taken.
MOST_TOKENS = 1 << 13


@dataclass(frozen=True)
class Document:
    """A document to read, with the splits at which its states are saved."""

    source_model: str
    doc_id: str
    document_id: str
    text_hash: str
    splits: tuple[int, ...]
    tokens: Tokens
    n_kept: int

    @functools.cached_property
    def places(self) -> list[int]:
        """Positions of the tokens whose states are saved, ascending, without duplicates."""
        return sorted(
            {
                place
                for split in self.splits
                for place in self.tokens.last_before(split, self.n_kept)
            }
        )

    @functools.cached_property
    def ids(self) -> list[int]:
        """The model's input: ids up to the last saved token (attention is causal)."""
        return self.tokens.ids[: max(self.places, default=-1) + 1]


def read(model: LanguageModel, documents: list[Document], layers: list[int]) -> list[torch.Tensor]:
    """Hidden states of each document: CPU tensors of shape (places, layers, hidden size).

    ``layers`` are indices into transformers' ``hidden_states``: 0 is the token embeddings, n the
    residual stream after block n (1-based), and the last one is taken after the final norm. Raises
    LanguageModelError if the documents do not fit in memory, ReadingError if a state is not finite.
    """
    torch, _ = libraries()
    longest = max(len(document.ids) for document in documents)
    # Padding on the right cannot affect the text before it.
    ids = [document.ids + [0] * (longest - len(document.ids)) for document in documents]
    mask = [[int(place < len(document.ids)) for place in range(longest)] for document in documents]
    try:
        with torch.inference_mode():
            states = model.model(
                input_ids=torch.tensor(ids, device=model.device),
                attention_mask=torch.tensor(mask, device=model.device),
                output_hidden_states=True,
                use_cache=False,
                logits_to_keep=1,
            ).hidden_states
            kept = [
                torch.stack([states[layer][row, document.places] for layer in layers], 1).cpu()
                for row, document in enumerate(documents)
            ]
    except torch.OutOfMemoryError as error:
        raise LanguageModelError(
            f"{len(documents)} documents do not fit in the memory of {model.device}: rerun with a "
            "smaller --batch-size; finished shards are kept"
        ) from error
    for document, tensor in zip(documents, kept, strict=True):
        if not torch.isfinite(tensor).all():
            raise ReadingError(
                f"document {document.doc_id}: a hidden state is not finite; the model overflows "
                "at this precision: try --dtype float32"
            )
    return kept


def batches(documents: list[Document], size: int) -> Iterator[list[Document]]:
    """Batches of at most ``size`` documents of similar length, longest first."""
    batch: list[Document] = []
    for document in sorted(documents, key=lambda one: (-len(one.ids), one.document_id)):
        longest = len(batch[0].ids) if batch else len(document.ids)
        if batch and (len(batch) == size or (len(batch) + 1) * longest > MOST_TOKENS):
            yield batch
            batch = []
        batch.append(document)
    if batch:
        yield batch
