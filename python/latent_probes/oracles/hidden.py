"""Hidden states by hooks, as oracles count layers: layer L is the output of `model.layers[L]`.

That is ``hidden_states[L + 1]`` of transformers, except that the last entry there is after the
final norm and the hook's is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from latent_probes.local_models import ReadingError
from latent_probes.local_models.states import Document
from latent_probes.sampling.language_model import LanguageModel, libraries

if TYPE_CHECKING:
    import torch


def blocks(model: LanguageModel) -> Any:
    """The blocks of the model, in order."""
    return model.model.get_decoder().layers


def read(
    model: LanguageModel, documents: Sequence[Document], layers: Sequence[int]
) -> list[torch.Tensor]:
    """The outputs of blocks at the places of each document: CPU tensors (places, layers, hidden).

    An adapter must be disabled. Raises ReadingError if a state is not finite.
    """
    torch, _ = libraries()
    longest = max(len(document.ids) for document in documents)
    # Padding on the right cannot affect the text before it.
    ids = [document.ids + [0] * (longest - len(document.ids)) for document in documents]
    mask = [[int(place < len(document.ids)) for place in range(longest)] for document in documents]
    kept: dict[int, list[Any]] = {}

    def keep(layer: int, output: Any) -> None:
        hidden = hidden_of(output)
        kept[layer] = [hidden[row, document.places].cpu() for row, document in enumerate(documents)]

    with torch.inference_mode(), ExitStack() as hooks:
        for layer in layers:
            hook = blocks(model)[layer].register_forward_hook(
                lambda module, given, output, layer=layer: keep(layer, output)
            )
            hooks.callback(hook.remove)
        model.model(
            input_ids=torch.tensor(ids, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            use_cache=False,
            logits_to_keep=1,
        )
    found = [
        torch.stack([kept[layer][row] for layer in layers], 1) for row in range(len(documents))
    ]
    for document, tensor in zip(documents, found, strict=True):
        if not torch.isfinite(tensor).all():
            raise ReadingError(
                f"document {document.doc_id}: a hidden state is not finite; the model overflows "
                "at this precision: try --dtype float32"
            )
    return found


@contextmanager
def injected(
    block: Any, rows: list[int], places: list[int], states: torch.Tensor, how: str, size: float
) -> Iterator[None]:
    """Change a block's output at some places, as long as it is given whole prompts.

    ``rows`` and ``places`` are positions in the batch, ``states`` has one row for each. With h the
    output there and v the state, ``how`` is

    - ``add``: h + size·‖h‖·v/‖v‖
    - ``replace``: size·‖h‖·v/‖v‖
    - ``exact``: v
    """
    torch, _ = libraries()

    def change(module: Any, given: Any, output: Any) -> Any:
        hidden = hidden_of(output)
        old = hidden[rows, places].float()
        new = states.to(hidden.device).float()
        if how != "exact":
            new = size * old.norm(dim=-1, keepdim=True) * torch.nn.functional.normalize(new, dim=-1)
        if how == "add":
            new = old + new
        changed = hidden.clone()
        changed[rows, places] = new.to(hidden.dtype)
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    if not rows:
        yield
        return
    hook = block.register_forward_hook(change)
    try:
        yield
    finally:
        hook.remove()


def hidden_of(output: Any) -> torch.Tensor:
    """The hidden states in a block's output; some models return more."""
    return output[0] if isinstance(output, tuple) else output
