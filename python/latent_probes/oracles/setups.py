"""What is asked and how, before any model is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_probes.oracles import adapters, autoencoders, contract
from latent_probes.oracles.adapters import Adapter
from latent_probes.oracles.methods import Method
from latent_probes.oracles.saved import SavedStates
from latent_probes.sampling.language_model import LanguageModel


@dataclass(frozen=True)
class Setup:
    """A method; ``given`` has the settings of its contract that are given as options.

    ``method`` is one of METHODS, or AUTOENCODER; ``adapter`` has the files of an oracle or of a
    verbalizer; ``states`` is a folder of ``save-activations``.
    """

    name: str
    method: str
    condition: str
    model: str
    revision: str | None
    dtype: str
    batch_size: int
    scopes: tuple[str, ...]
    given: dict[str, Any]
    adapter: Adapter | None
    is_same_model: bool
    states: Path | None

    def agreed(self, n_layers: int, model: str) -> contract.Contract | autoencoders.Contract:
        """The contract with a base model of so many layers. Raises OracleError."""
        if self.adapter is not None and self.adapter.is_verbalizer:
            return autoencoders.read(self.adapter.folder, self.given["layers"], n_layers, model)
        folder = self.adapter.folder if self.adapter else None
        return contract.read(folder, self.given, n_layers, model)

    def on(self, device: str | None) -> Method:
        """The method with its models on a device (default: CUDA if available, or the CPU).

        Raises OracleError, LanguageModelError or TokenizerError.
        """
        source = LanguageModel(self.model, self.revision, self.dtype, device, self.batch_size)
        agreed = self.agreed(source.n_layers, source.name)
        found = Method(
            *(self.name, self.method, self.condition, source, agreed, self.adapter),
            scopes=self.scopes,
        )
        if self.adapter is not None and isinstance(agreed, autoencoders.Contract):
            # Before a second model is loaded.
            autoencoders.refuse_other_width(agreed, source)
            place = self.adapter.name if self.adapter.revision else str(self.adapter.folder)
            verbalizer = LanguageModel(
                *(place, self.adapter.revision, self.dtype, device, self.batch_size)
            )
            found.verbalizer = autoencoders.Verbalizer(verbalizer, agreed)
        elif self.adapter is not None:
            adapted = adapters.load(source, self.adapter.folder, is_same_model=self.is_same_model)
            found.without_adapter = adapted.disable_adapter
        if self.states is not None:
            found.saved = SavedStates(self.states, source, agreed.layers)
        return found
