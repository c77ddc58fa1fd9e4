"""Load an oracle's adapter (LoRA, PEFT) onto its base model, and refuse one of another model."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from latent_probes.common import hub_errors
from latent_probes.evaluation.oracles import OracleError
from latent_probes.sampling import tokenizing
from latent_probes.sampling.language_model import LanguageModel

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
# Ways to start a LoRA that subtract it from the base model.
CHANGE_THE_BASE = ("pissa", "olora", "corda", "loftq")
# Files of a repository that are read; nothing that could contain code.
PARTS = ["*.json", WEIGHTS, "*.txt", "*.jinja"]


def folder_of(adapter: str, revision: str | None) -> Path:
    """The adapter's folder; one of the Hub is downloaded. Raises OracleError or HubError."""
    folder = Path(adapter)
    if not folder.exists():
        tokenizing.refuse_missing(adapter)
        from huggingface_hub import snapshot_download

        with hub_errors.explained(adapter, OracleError):
            folder = Path(snapshot_download(adapter, revision=revision, allow_patterns=PARTS))
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise OracleError(f"{adapter} has no {name}: it is not the adapter of an oracle (PEFT)")
    return folder


def libraries() -> Any:
    """PEFT. Raises OracleError if the extra is not installed."""
    try:
        import peft
    except ImportError as error:
        raise OracleError(
            f"an adapter needs one more package ({error}): install it with `pip install "
            "--require-hashes --no-deps -r requirements-oracle.lock` or "
            "`pip install 'latent-probes[oracle]'`"
        ) from error
    return peft


def load(model: LanguageModel, folder: Path, *, is_same_model: bool) -> Any:
    """Put the adapter onto the model, active; return the PEFT model, which can disable it.

    Raises OracleError if it was made for another base model.
    """
    peft = libraries()
    from safetensors import SafetensorError, safe_open

    described = read_config(folder)
    named = described.get("base_model_name_or_path") or ""
    if named and not is_same_model and not is_named_like(named, model.name):
        raise OracleError(
            f"the adapter was trained on {named}, not on {model.name}: use that as --model, or "
            "add --same-model if it is the same model under another name"
        )
    refuse_other_tokenizer(model, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adapted = peft.PeftModel.from_pretrained(model.model, str(folder))
    except SafetensorError as error:
        raise OracleError(
            f"{folder / WEIGHTS} cannot be read ({tokenizing.first_line(error)}): get it again, in "
            "a clone with `git lfs pull`"
        ) from error
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise OracleError(
            f"the adapter does not fit {model.name} ({tokenizing.first_line(error)}): it was made "
            "for a model of another width or structure"
        ) from error
    with safe_open(str(folder / WEIGHTS), framework="pt") as file:
        found = set(file.keys())
    ours = set(peft.get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if wrong := sorted(name for name in found ^ ours if ".lora_" in name):
        raise OracleError(
            f"the adapter does not fit {model.name} ({len(wrong)} weights without a counterpart, "
            f"such as {wrong[0]}): it was made for a model of another structure"
        )
    adapted.eval()
    return adapted


def read_config(folder: Path) -> dict[str, Any]:
    """The adapter's settings.

    Raises OracleError if they cannot be read, or if the base model's own states could not be had by
    disabling the adapter: it must be a LoRA that changes neither biases nor weights of the base.
    """
    try:
        described = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind, bias = described.get("peft_type"), described.get("bias") or "none"
        start = described.get("init_lora_weights", True)
    except (OSError, ValueError, AttributeError) as error:
        raise OracleError(f"{folder / CONFIG} cannot be read: get the adapter again") from error
    if kind != "LORA" or bias != "none":
        raise OracleError(
            f"{folder / CONFIG} has peft_type {kind} and bias {bias!r}: only adapters of type LORA "
            "with bias 'none' leave the base model's states as they are when disabled"
        )
    if isinstance(start, str) and start.lower().startswith(CHANGE_THE_BASE):
        raise OracleError(
            f"{folder / CONFIG} has init_lora_weights {start!r}, which changes the weights of the "
            "base model: convert the adapter to an ordinary LoRA"
        )
    return dict(described)


def is_named_like(named: str, model: str) -> bool:
    """Whether two names, of the Hub or of folders, are of the same model."""
    return tokenizing.bare_name(named) == tokenizing.bare_name(model)


def refuse_other_tokenizer(model: LanguageModel, folder: Path) -> None:
    """Raise OracleError if the adapter comes with a tokenizer that is not the base model's."""
    path = folder / "tokenizer.json"
    if not path.exists():
        return
    from tokenizers import Tokenizer

    theirs = Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True)
    ours = model.tokenizer.get_vocab()
    if theirs != ours:
        raise OracleError(
            f"the adapter comes with another tokenizer than {model.name}: {len(theirs):,} tokens, "
            f"not {len(ours):,}, or tokens with other numbers; use the base model it was trained on"
        )
