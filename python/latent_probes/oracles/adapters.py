"""Find an oracle; load its adapter (LoRA, PEFT) onto its base model, and refuse one of another."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latent_probes.common import hub_errors
from latent_probes.evaluation.oracles import OracleError
from latent_probes.oracles import autoencoders
from latent_probes.sampling import tokenizing
from latent_probes.sampling.language_model import LanguageModel, hash_of_files

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
# Ways to start a LoRA that subtract it from the base model.
CHANGE_THE_BASE = ("pissa", "olora", "corda", "loftq")
# Files of a repository that are read; nothing that could contain code.
PARTS = ["*.json", WEIGHTS, autoencoders.FILE, "*.txt", "*.jinja"]


@dataclass(frozen=True)
class Adapter:
    """An adapter's files, or a verbalizer's; ``revision`` is the commit of one on the Hub."""

    name: str
    revision: str | None
    folder: Path

    @property
    def is_verbalizer(self) -> bool:
        """Whether it is the verbalizer of a natural-language autoencoder."""
        return (self.folder / autoencoders.FILE).is_file()

    @cached_property
    def settings(self) -> dict[str, str]:
        """What determines an answer: another commit of equal files gives the same answers."""
        return {"name": self.name, "hash": hash_of_files(self.folder)}


def found_at(place: str) -> Adapter:
    """The adapter in a folder, or at OWNER/NAME[@REVISION] on the Hub, which is downloaded.

    Of a verbalizer on the Hub, the weights are not downloaded. Raises OracleError or
    TokenizerError.
    """
    folder, commit, name = Path(place), None, tokenizing.short_name(place)
    if not folder.exists():
        name, _, revision = place.partition("@")
        tokenizing.refuse_missing(name)
        from huggingface_hub import snapshot_download

        with hub_errors.explained(place, OracleError, noun="model"):
            folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=PARTS))
        commit = folder.name
    found = Adapter(name, commit, folder)
    if found.is_verbalizer:
        if (folder / CONFIG).is_file():
            raise OracleError(
                f"{place} has {autoencoders.FILE} and {CONFIG}: a verbalizer is asked as a model "
                "of its own; merge the adapter into its base model, and keep the file beside it"
            )
        return found
    for part in (CONFIG, WEIGHTS):
        if not (folder / part).is_file():
            raise OracleError(
                f"{place} has no {part}: it is not the adapter of an oracle (PEFT), nor, without "
                f"{autoencoders.FILE}, the verbalizer of an autoencoder"
            )
    return found


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

    refuse_other_base(folder, model.name, is_same_model=is_same_model)
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


def refuse_other_base(folder: Path, model: str, *, is_same_model: bool) -> None:
    """Raise OracleError if the adapter states another base, by the name of the Hub or a folder."""
    named = read_config(folder).get("base_model_name_or_path") or ""
    if named and not is_same_model and tokenizing.bare_name(named) != tokenizing.bare_name(model):
        raise OracleError(
            f"the adapter was trained on {named}, not on {model}: use that as --model, or "
            "add --same-model if it is the same model under another name"
        )


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
