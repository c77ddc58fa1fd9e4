"""States from a folder of `save-activations`, as far as it has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow

from latent_probes.evaluation.oracles import OracleError
from latent_probes.local_models import activations, shards
from latent_probes.local_models.states import Document
from latent_probes.sampling.language_model import LanguageModel, libraries

if TYPE_CHECKING:
    import torch

SAME = ("model", "revision", "tokenizer", "dtype", "hidden_size")


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings of saved states. Raises OracleError if there are none of this version."""
    described = folder / "activations.json"
    if not described.exists():
        raise OracleError(f"{folder} contains no hidden states: make it with save-activations")
    try:
        known = json.loads(described.read_text(encoding="utf-8"))
        method = known.get("method")
    except (OSError, ValueError, AttributeError) as error:
        raise OracleError(f"{described} is damaged: save the states again") from error
    if method != activations.METHOD:
        raise OracleError(
            f"{folder} was made by another version of save-activations ({method}, not "
            f"{activations.METHOD}): save the states again"
        )
    return dict(known)


class SavedStates:
    """The folder; ``layers`` are those of oracles. Raises OracleError if it cannot serve them."""

    def __init__(self, folder: Path, model: LanguageModel, layers: Sequence[int]):
        self.folder, self.layers = folder, layers
        known = settings_of(folder)
        ours = model.settings | {"hidden_size": model.hidden_size}
        for name in SAME:
            if known.get(name) != ours[name]:
                raise OracleError(
                    f"{folder} contains states of another model or precision ({name} "
                    f"{known.get(name)}, not {ours[name]}): ask without --states, or save them "
                    "again"
                )
        last = model.n_layers
        saved = [shards.oracle_layer(layer, last) for layer in known["layers"]]
        for layer in layers:
            if layer not in saved:
                raise OracleError(
                    f"{folder} has no states of layer {layer}, which save-activations calls "
                    f"{layer + 1}"
                    + (", and saves only after the final norm" if layer == last - 1 else "")
                    + ": ask without --states"
                )

    def read(self, documents: list[Document]) -> dict[str, torch.Tensor]:
        """Tensors (places, layers, hidden size) by document id, of the documents it has."""
        torch, _ = libraries()
        from safetensors import safe_open

        parts = [str(path) for path in shards.parts(self.folder)]
        wanted = [row for document in documents for row in shards.rows_of(document)]
        if not parts or not wanted:
            return {}
        with duckdb.connect() as connection:
            connection.register("wanted", pyarrow.Table.from_pylist(wanted))
            # A token is the one at this distance from its split. Its number in the input is not the
            # same where another version of the document was tokenized.
            rows = connection.execute(
                """
                select
                    document_id, wanted.token_index, saved.oracle_layer,
                    any_value(saved.shard order by saved.shard),
                    any_value(saved.row order by saved.shard),
                from read_parquet($parts) as saved
                join wanted using (
                    document_id, text_hash, split, distance, token_end, token_source
                )
                where list_contains($layers, saved.oracle_layer)
                group by document_id, wanted.token_index, saved.oracle_layer
                """,
                {"parts": parts, "layers": list(self.layers)},
            ).fetchall()
        found: dict[tuple[str, int, int], Any] = {}
        for shard in sorted({row[3] for row in rows}):
            with safe_open(str(self.folder / shard), framework="pt") as file:
                tensors = {layer: file.get_slice(f"layer_{layer + 1}") for layer in self.layers}
                for document_id, place, layer, name, row in rows:
                    if name == shard:
                        found[document_id, place, layer] = tensors[layer][row : row + 1][0]
        complete = {}
        for document in documents:
            keys = [
                [(document.document_id, place, layer) for layer in self.layers]
                for place in document.places
            ]
            if keys and all(key in found for row in keys for key in row):
                complete[document.document_id] = torch.stack(
                    [torch.stack([found[key] for key in row]) for row in keys]
                )
        return complete
