"""Ask activation oracles, and baselines that read the same states, about published probes.

Needs the extra ``lm``, and ``oracle`` for adapters.
"""

from __future__ import annotations

from typing import Any

METHODS = {
    "oracle": "an activation oracle: the base model with --adapter",
    "logit-lens": "the most probable token of a state, for words and lenses",
    "patchscope": "the base model continues a state in an identity prompt",
    "text": "the base model reads the complement as text, and the question",
}
# How an oracle is asked where neither an option nor its ao_config.json says so: Karvonen et al.,
# arXiv 2512.15674.
ASSUMED: dict[str, Any] = {
    "positions": 1,
    "inject": "add",
    "hook_layer": 1,
    "placeholder": " ?",
    "template": "Layer: {layer}\n{placeholders} \n",
    "coefficient": 1.0,
}
# What ``oracle`` is where --adapter has the contract of a natural-language autoencoder.
AUTOENCODER = "autoencoder"
