"""Ask activation oracles, and baselines that read the same states, about published probes.

Needs the extra ``lm``, and ``oracle`` for adapters.
"""

METHODS = {
    "oracle": "an activation oracle: the base model with --adapter",
    "logit-lens": "the most probable token of a state, for words and lenses",
    "patchscope": "the base model continues a state in an identity prompt",
    "text": "the base model reads the complement as text, and the question",
}
# What ``oracle`` is where --adapter has the contract of a natural-language autoencoder.
AUTOENCODER = "autoencoder"
