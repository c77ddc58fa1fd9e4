"""Natural-language autoencoders (NLA): how a verbalizer is asked, by its file `nla_meta.yaml`.

A verbalizer is a model of its own. It describes one state, which takes the place of a token's
embedding in a fixed prompt, and takes no question: the base model answers the question of a probe
from the description. The fields are those of the public repository
`kitft/natural_language_autoencoders`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from latent_probes.evaluation.oracles import OracleError
from latent_probes.local_models import ReadingError
from latent_probes.oracles import prompts
from latent_probes.oracles.prompts import Prompt
from latent_probes.oracles.reader import OracleReader
from latent_probes.sampling import tokenizing
from latent_probes.sampling.language_model import LanguageModel

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

FILE = "nla_meta.yaml"
VERBALIZERS = ("av", "actor")
MARK = "{injection_char}"
# Tokens of a description; that of the public client.
LONGEST_DESCRIPTION = 200
# One that is cut off has no end.
DESCRIPTION = re.compile(r"<explanation>\s*(.*?)\s*(?:</explanation>|\Z)", re.DOTALL)
# What precedes a description where the base model reads it.
INTRODUCTION = "A description of a language model's hidden state in the middle of a text:\n\n"
# What the file of a stranger can raise, however it is nested and whatever its numbers are.
UNREADABLE = (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)
# A verbalizer describes the state at one token.
POSITIONS = 1
ASSUMED = {
    "layer_is": "the output of model.layers[L]",
    "positions": POSITIONS,
    "inject": "embedding",
    "described": "greedily",
    "longest_description": LONGEST_DESCRIPTION,
    "answered_by": "the base model, from the description",
    "introduction": INTRODUCTION,
}


@dataclass(frozen=True)
class Contract:
    """What `nla_meta.yaml` states, as far as it determines an answer.

    ``layers`` has the block whose output is described; ``scale`` is the norm that a state is given;
    ``token`` stands where it is injected, between ``neighbours``; ``layer_origin`` says whether the
    layer is from the file or ``given``.
    """

    layers: tuple[int, ...]
    width: int
    scale: float
    mark: str
    token: int
    neighbours: tuple[int, int]
    template: str
    layer_origin: str

    positions = POSITIONS

    @property
    def settings(self) -> dict[str, Any]:
        """What determines an answer, beside the models."""
        return {
            "contract": FILE,
            "layers": list(self.layers),
            "injection_scale": self.scale,
            "injection_char": self.mark,
            "template": self.template,
            **ASSUMED,
            "assumed": sorted(ASSUMED),
        }

    def described(self) -> str:
        """One line for a person, with the origin of each setting."""
        stated = {name: f"from {FILE}" for name in self.settings if name not in ASSUMED}
        origins = stated | dict.fromkeys(ASSUMED, "assumed") | {"layers": self.layer_origin}
        return "; ".join(
            f"{name} {self.settings[name]!r} ({origins[name]})"
            for name in origins
            if name not in ("contract", "assumed")
        )


def read(folder: Path, layers: tuple[int, ...] | None, n_layers: int, model: str) -> Contract:
    """The contract of a verbalizer's folder. Raises OracleError.

    ``layers`` are those given as an option, if any; ``n_layers`` is the number of blocks of the
    base ``model``.
    """
    path = folder / FILE
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        role = found.get("role", "av")
        if found["kind"] != "nla_model" or role not in VERBALIZERS:
            raise OracleError(
                f"{path} is of a {found['kind']} with role {role!r}: only a verbalizer (nla_model, "
                "role av) describes states; give its folder or repository"
            )
        stated, tokens = found.get("extraction_layer_index"), found["tokens"]
        templates, width = found["prompt_templates"], int(found["d_model"])
        name = next((name for name in VERBALIZERS if name in templates), "av")
        contract = Contract(
            layers=() if stated is None else (layer_of(stated),),
            width=width,
            scale=scale_of(found["extraction"]["injection_scale"], width),
            mark=str(tokens["injection_char"]),
            token=int(tokens["injection_token_id"]),
            neighbours=(
                int(tokens["injection_left_neighbor_id"]),
                int(tokens["injection_right_neighbor_id"]),
            ),
            template=str(templates[name]),
            layer_origin=f"from {FILE}",
        )
    except (*UNREADABLE, yaml.YAMLError) as error:
        raise OracleError(
            f"{path} cannot be read ({tokenizing.first_line(error)}): get it again from the "
            "verbalizer's repository"
        ) from error
    except KeyError as error:
        raise OracleError(
            f"{path} has no {error.args[0]}, and a verbalizer cannot be asked without it: get the "
            "file again from its repository"
        ) from error
    if contract.template.count(MARK) != 1:
        raise OracleError(f"the prompt in {path} must contain {MARK} once, for the state's place")
    return with_layer(contract, layers, n_layers, model)


def layer_of(stated: Any) -> int:
    """A layer that the file states. Raises ValueError if it is no whole number."""
    if type(stated) is not int:
        raise ValueError(f"extraction_layer_index is {stated!r}")
    return stated


def scale_of(stated: Any, width: int) -> float:
    """The norm of an injected state. Raises ValueError if it is no positive number."""
    if stated is None:
        raise ValueError("injection_scale is null: states that are not scaled are not supported")
    scale = math.sqrt(width) if stated == "sqrt_d_model" else float(stated)
    if not 0 < scale < math.inf:
        raise ValueError(f"injection_scale is {stated!r}")
    return scale


def with_layer(
    contract: Contract, given: tuple[int, ...] | None, n_layers: int, model: str
) -> Contract:
    """The contract with the layer to read. Raises OracleError if it cannot be that one."""
    if given is not None and contract.layers and given != contract.layers:
        raise OracleError(
            f"--layers {','.join(map(str, given))} is not what the verbalizer was trained on: its "
            f"{FILE} has extraction_layer_index {contract.layers[0]}"
        )
    layers = contract.layers or given or ()
    if len(layers) != 1:
        raise OracleError(
            f"a verbalizer describes the states of one layer, and its {FILE} has no "
            "extraction_layer_index: give one with --layers"
        )
    if not 0 <= layers[0] < n_layers:
        raise OracleError(
            f"{model} has no layer {layers[0]}: its layers are 0 to {n_layers - 1}, the outputs of "
            "model.layers"
        )
    origin = contract.layer_origin if contract.layers else "given"
    return Contract(**(vars(contract) | {"layers": layers, "layer_origin": origin}))


class Verbalizer(OracleReader):
    """A model that describes states; ``n_untagged`` counts descriptions without tags so far.

    Raises OracleError if the model is of another width than the contract's, or its tokenizer is not
    that of the contract.
    """

    def __init__(self, model: LanguageModel, contract: Contract):
        super().__init__(model, 0, "exact", 1.0)
        self.contract = contract
        width = model.model.config.get_text_config().hidden_size
        if width != contract.width:
            raise OracleError(
                f"{model.name} has a width of {width}, and its {FILE} says {contract.width}: get "
                "both from one revision of its repository"
            )
        self.ids, self.place = prompt_of(model.tokenizer, contract)
        self.forget_counts()

    def forget_counts(self) -> None:
        """Count descriptions from here on."""
        self.n_described = self.n_untagged = 0

    @property
    def settings(self) -> dict[str, Any]:
        """Which model it is; the contract has how it is asked."""
        known = self.model.settings
        return {name: known[name] for name in ("model", "revision", "tokenizer", "dtype")} | {
            "chat_template": prompts.hash_of_template(self.model.tokenizer)
        }

    @property
    def injected_after(self) -> Any:
        """The embeddings, after any scaling of the model's own."""
        return self.model.model.get_input_embeddings()

    def prompt(self, state: torch.Tensor | None) -> Prompt:
        """The prompt with a state of shape (hidden size), or with nothing injected."""
        if state is not None:
            # As in the public client: a state without a direction stays as it is.
            norm = state.float().norm().clamp_min(1e-12)
            state = (state.float() / (norm / self.contract.scale))[None]
        places = [] if state is None else [self.place]
        return Prompt("", self.ids, places, state, ([], []), False, LONGEST_DESCRIPTION)

    def describe(self, states: Sequence[torch.Tensor | None]) -> list[str]:
        """Descriptions of states, or of nothing, in one batch. Raises ReadingError."""
        wanted = [self.prompt(state) for state in states]
        with self.torch.inference_mode():
            asked = self.prefilled(wanted)
            if asked.logits is None or not self.torch.isfinite(asked.logits).all():
                raise ReadingError(
                    "the verbalizer overflows at this precision: try --dtype float32. Landed data "
                    "is kept"
                )
            written = self.answers(asked, wanted)
        return [self.description(ids or []) for ids in written]

    def description(self, ids: list[int]) -> str:
        """The description in what was written; all of it if it has no tags, which is counted."""
        kept = [token for token in ids if token not in self.model.ends]
        text = tokenizing.mended(tokenizing.decode(self.model.tokenizer, kept))
        found = DESCRIPTION.search(text)
        self.n_described += 1
        self.n_untagged += found is None
        return found[1] if found else text.strip()


def refuse_other_width(contract: Contract, model: LanguageModel) -> None:
    """Raise OracleError for a base model whose states the verbalizer does not describe."""
    width = model.model.config.get_text_config().hidden_size
    if width != contract.width:
        raise OracleError(
            f"the verbalizer describes states of {contract.width} numbers, and {model.name} has "
            f"{width}: use the base model that it was trained for as --model"
        )


def prompt_of(tokenizer: PreTrainedTokenizerBase, contract: Contract) -> tuple[list[int], int]:
    """Ids of the verbalizer's prompt, and the position of the state. Raises OracleError."""
    shown = contract.template.replace(MARK, contract.mark)
    ids = prompts.chat(tokenizer, shown, {})
    places = [place for place, token in enumerate(ids) if token == contract.token]
    alone = prompts.ids_of(tokenizer, contract.mark, special=True)
    around = [(ids[place - 1], ids[place + 1]) for place in places if 0 < place < len(ids) - 1]
    if alone != [contract.token] or around != [contract.neighbours]:
        raise OracleError(
            f"the verbalizer's tokenizer is not the one of its {FILE}: {contract.mark!r} must be "
            f"token {contract.token}, once in the prompt and between tokens "
            f"{contract.neighbours[0]} and {contract.neighbours[1]}; get both from one revision of "
            "its repository"
        )
    return ids, places[0]
