"""How an oracle is asked: the file `ao_config.json` beside its adapter, options, and assumptions.

The fields are those of the public trainers: `act_layer_combinations`, `special_token`,
`prefix_template`, `hook_onto_layer`, `steering_coefficient` and `model_name`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_probes.evaluation.oracles import OracleError
from latent_probes.oracles import ASSUMED

FILE = "ao_config.json"
FIELDS = {
    "hook_onto_layer": "hook_layer",
    "special_token": "placeholder",
    "prefix_template": "template",
    "steering_coefficient": "coefficient",
}


@dataclass(frozen=True)
class Contract:
    """How the states are given.

    ``layers`` are blocks of the base model, 0-based, whose outputs are read; ``positions`` is the
    number of tokens at or before the split; ``hook_layer`` is the block after which states are
    injected. ``origins`` has, for each, whether it was ``given``, ``assumed``, or is from the file.
    """

    layers: tuple[int, ...]
    positions: int
    inject: str
    hook_layer: int
    placeholder: str
    template: str
    coefficient: float
    origins: dict[str, str]

    @property
    def settings(self) -> dict[str, Any]:
        """What determines an answer."""
        return {
            "layers": list(self.layers),
            "positions": self.positions,
            "inject": self.inject,
            "hook_layer": self.hook_layer,
            "placeholder": self.placeholder,
            "template": self.template,
            "coefficient": self.coefficient,
            "assumed": sorted(name for name, origin in self.origins.items() if origin == "assumed"),
        }

    def described(self) -> str:
        """One line for a person, with the origin of each setting."""
        return "; ".join(
            f"{name} {self.settings[name]!r} ({self.origins[name]})" for name in self.origins
        )

    def block(self, layer: int, n_positions: int) -> str:
        """The part of the prompt that holds the states of a layer."""
        return self.template.replace("{layer}", str(layer)).replace(
            "{placeholders}", self.placeholder * n_positions
        )


def read(folder: Path | None, given: dict[str, Any], n_layers: int, model: str) -> Contract:
    """The contract of an adapter's folder, if it has one; what is ``given`` comes first.

    ``given`` has the names of ``ASSUMED`` and ``layers``; None is not given. ``n_layers`` is the
    number of blocks of ``model``. Raises OracleError.
    """
    stated = stated_in(folder)
    values, origins = {}, {}
    for name, assumed in ASSUMED.items():
        if given.get(name) is not None:
            values[name], origins[name] = given[name], "given"
        elif name in stated:
            values[name], origins[name] = stated[name], f"from {FILE}"
        else:
            values[name], origins[name] = assumed, "assumed"
    values["template"] = normal(str(values["template"]))
    layers, origin = chosen_layers(given.get("layers"), stated.get("layers", []), n_layers)
    for layer in [*layers, values["hook_layer"]]:
        if not 0 <= layer < n_layers:
            raise OracleError(
                f"{model} has no layer {layer}: its layers are 0 to {n_layers - 1}, the outputs of "
                "model.layers"
            )
    return Contract(layers=layers, origins={"layers": origin, **origins}, **values)


def stated_in(folder: Path | None) -> dict[str, Any]:
    """What the file states, by the names of this module. Raises OracleError if it is invalid."""
    path = folder / FILE if folder else None
    if path is None or not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        stated = {ours: found[theirs] for theirs, ours in FIELDS.items() if theirs in found}
        stated["layers"] = [
            tuple(map(int, layers)) for layers in found.get("act_layer_combinations", [])
        ]
        stated |= {
            name: kind(stated[name])
            for name, kind in (("hook_layer", int), ("coefficient", float))
            if name in stated
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise OracleError(
            f"{FILE} of the adapter cannot be read ({error}): repair it, or move it away and give "
            "its settings as options"
        ) from error
    return stated


def normal(template: str) -> str:
    """A template with ``{layer}`` and ``{placeholders}``, in whichever way it was written.

    Public files spell line ends as ``\\n`` and the placeholders as ``{special_token} *
    {num_positions}``.
    """
    found = template.replace("\\n", "\n")
    for spelling in ("{special_token} * {num_positions}", "{special_tokens}"):
        found = found.replace(spelling, "{placeholders}")
    if found.count("{placeholders}") != 1:
        raise OracleError(
            f"the template {template!r} must contain {{placeholders}} once: it is replaced by the "
            "placeholders, and {layer} by the layer"
        )
    return found


def chosen_layers(
    given: tuple[int, ...] | None, stated: list[tuple[int, ...]], n_layers: int
) -> tuple[tuple[int, ...], str]:
    """The layers to read, and their origin."""
    listed = "; ".join(",".join(map(str, layers)) for layers in stated)
    if given is not None:
        if stated and given not in stated:
            raise OracleError(
                f"--layers {','.join(map(str, given))} is not what the oracle was trained on: "
                f"its {FILE} lists {listed}"
            )
        return given, "given"
    if len(stated) > 1:
        raise OracleError(
            f"the oracle was trained on several combinations of layers: choose one with --layers, "
            f"of {listed}"
        )
    return (stated[0], f"from {FILE}") if stated else ((n_layers // 2,), "assumed")
