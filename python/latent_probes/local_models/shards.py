"""The folder of hidden states: safetensors shards, a Parquet index, and their settings.

::

    activations.json         model, precision, layers and method
    shards/00000.safetensors one tensor per layer (`layer_8`) with one row per token
    index/00000.parquet      one row per split, token and layer of the shard with that number

A shard is complete once its part of the index exists. Both are written atomically, the index last.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow
import pyarrow.parquet

from latent_probes.common import files
from latent_probes.local_models import ReadingError
from latent_probes.local_models.states import Document
from latent_probes.sampling.language_model import libraries

if TYPE_CHECKING:
    import torch

INDEX = pyarrow.schema(
    {
        "source_model": pyarrow.string(),
        "doc_id": pyarrow.string(),
        "document_id": pyarrow.string(),
        "text_hash": pyarrow.string(),
        "split": pyarrow.int64(),
        "is_split_inside_token": pyarrow.bool_(),
        # 1 for the last token at or before the split, 2 for the one before it.
        "distance": pyarrow.int64(),
        "token_index": pyarrow.int64(),
        "token_id": pyarrow.int64(),
        "token_start": pyarrow.int64(),
        "token_end": pyarrow.int64(),
        "token_source": pyarrow.string(),
        # Index of `hidden_states`; the same as oracles count, null where they have none.
        "layer": pyarrow.int64(),
        "oracle_layer": pyarrow.int64(),
        "dtype": pyarrow.string(),
        "shard": pyarrow.string(),
        "row": pyarrow.int64(),
    }
)


def prepare(folder: Path, settings: dict) -> None:
    """Create the folder, or check that its states have the same settings.

    Raises ReadingError if the settings differ, or if the folder contains anything else.
    """
    described = folder / "activations.json"
    if described.exists():
        known = json.loads(described.read_text())
        differing = [
            f"{name} {known.get(name)}, not {settings.get(name)}"
            for name in sorted(known | settings)
            if known.get(name) != settings.get(name)
        ]
        if differing:
            raise ReadingError(
                f"{folder} contains states with {', '.join(differing)}: choose another --out"
            )
        return
    # A killed process can leave a partial description.
    if folder.exists() and {path.name for path in folder.iterdir()} - {
        f".{described.name}.partial"
    }:
        raise ReadingError(
            f"{folder} is not empty and contains no hidden states: choose another --out"
        )
    with files.atomic_write(described) as partial:
        partial.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def known(folder: Path) -> set[tuple[str, str, int]]:
    """Saved states: document id, hash of its text, and split."""
    found: set[tuple[str, str, int]] = set()
    for part in parts(folder):
        table = pyarrow.parquet.read_table(part, columns=["document_id", "text_hash", "split"])
        columns = [column.to_pylist() for column in table.columns]
        found.update(zip(*columns, strict=True))
    return found


def parts(folder: Path) -> list[Path]:
    """Paths of the parts of the index."""
    return sorted((folder / "index").glob("[0-9]*.parquet"))


def add(
    folder: Path,
    documents: list[Document],
    tensors: list[torch.Tensor],
    layers: list[int],
    last_layer: int,
) -> None:
    """Write a shard with the states of some documents (from `states.read`), and its index.

    ``last_layer`` is the index of the last entry of `hidden_states`.
    """
    torch, _ = libraries()
    from safetensors.torch import save

    number = max((int(part.stem) for part in parts(folder)), default=-1) + 1
    name = f"shards/{number:05}.safetensors"
    together = torch.cat(tensors)
    with files.atomic_write(folder / name) as partial:
        partial.write_bytes(
            save(
                {
                    f"layer_{layer}": together[:, place].contiguous()
                    for place, layer in enumerate(layers)
                }
            )
        )
    dtype = str(together.dtype).removeprefix("torch.")
    rows = []
    before = 0
    for document, tensor in zip(documents, tensors, strict=True):
        rows += [
            row
            | {
                "layer": layer,
                "oracle_layer": oracle_layer(layer, last_layer),
                "dtype": dtype,
                "shard": name,
                "row": row["row"] + before,
            }
            for row in rows_of(document)
            for layer in layers
        ]
        before += len(tensor)
    with files.atomic_write(folder / "index" / f"{number:05}.parquet") as partial:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=INDEX), partial)


def oracle_layer(layer: int, last_layer: int) -> int | None:
    """The block whose output an entry of `hidden_states` is, 0-based, as oracles count.

    None for the embeddings, and for the last entry, which is after the final norm.
    """
    return layer - 1 if 0 < layer < last_layer else None


def rows_of(document: Document) -> list[dict]:
    """One row per split and token, with the token's row in the document's tensor."""
    tokens = document.tokens
    rows = {place: row for row, place in enumerate(document.places)}
    return [
        {
            "source_model": document.source_model,
            "doc_id": document.doc_id,
            "document_id": document.document_id,
            "text_hash": document.text_hash,
            "split": split,
            "is_split_inside_token": tokens.is_inside(split),
            "distance": distance,
            "token_index": place,
            "token_id": tokens.ids[place],
            "token_start": tokens.spans[place][0],
            "token_end": tokens.spans[place][1],
            "token_source": tokens.source,
            "row": rows[place],
        }
        for split in document.splits
        for distance, place in enumerate(
            reversed(tokens.last_before(split, document.n_kept)), start=1
        )
    ]
