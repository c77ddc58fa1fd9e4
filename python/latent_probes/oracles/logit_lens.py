"""The logit lens (nostalgebraist, 2020): a state through the final norm and the output layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from latent_probes.sampling import tokenizing
from latent_probes.sampling.language_model import LanguageModel, libraries

if TYPE_CHECKING:
    import torch

SCOPES = ("word", "lens")
# Tokens that are tried until one has text.
MOST_TRIED = 64


class Ranked(NamedTuple):
    """A token's rank among all, 1-based, and its log-probability in nats."""

    rank: int
    logprob: float


def logits_of(model: LanguageModel, states: torch.Tensor) -> torch.Tensor:
    """Logits of states, of shape (…, hidden size), on the CPU in 32 bits."""
    torch, _ = libraries()
    with torch.inference_mode():
        given = states.to(model.device, model.model.dtype)
        logits = model.model.get_output_embeddings()(model.model.get_decoder().norm(given)).float()
        cap = getattr(model.model.config.get_text_config(), "final_logit_softcapping", None)
        return (cap * torch.tanh(logits / cap) if cap else logits).cpu()


def ranked(logits: torch.Tensor, token: int) -> Ranked:
    """Rank and log-probability of a token."""
    return Ranked(
        int((logits > logits[token]).sum()) + 1, min(0.0, float(logits.log_softmax(-1)[token]))
    )


def answer(model: LanguageModel, logits: torch.Tensor) -> str:
    """The most probable token that has text."""
    for token in logits.topk(min(MOST_TRIED, len(logits))).indices.tolist():
        text = tokenizing.mended(tokenizing.decode(model.tokenizer, [token])).strip()
        if text:
            return text
    return ""
