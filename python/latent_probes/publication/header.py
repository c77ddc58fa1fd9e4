"""The YAML header of the card: configs, features, and sizes as `datasets` computes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import yaml

# Number of single rows that `datasets` buffers before writing them.
SINGLES_AT_ONCE = 1_000


def render(
    patterns: dict[str, str], listed: dict[str, dict], languages: list[str], settings: dict
) -> str:
    """Render the header: the files of each listed config by pattern, and its description."""
    return yaml.safe_dump(
        {
            "license": settings["licence"],
            "language": languages,
            "tags": ["activation-oracles", "interpretability", "latent-probes"],
            "configs": [
                {
                    "config_name": config,
                    "data_files": [{"split": "train", "path": patterns[config]}],
                }
                for config in listed
            ],
            "dataset_info": list(listed.values()),
        },
        sort_keys=False,
        allow_unicode=True,
    ).strip()


def described(folder: Path, config: str, pattern: str) -> dict:
    """Features and sizes of one config, read from its files in ``folder``."""
    paths = sorted(folder.glob(pattern))
    n_bytes, n_rows = sizes_of(paths)
    features = pyarrow.parquet.read_schema(paths[0]) if paths else ()
    return {
        "config_name": config,
        "features": [feature(field) for field in features],
        "splits": [{"name": "train", "num_bytes": n_bytes, "num_examples": n_rows}],
        "download_size": sum(path.stat().st_size for path in paths),
        "dataset_size": n_bytes,
    }


def has_rows(info: dict) -> bool:
    """Whether a described config has rows."""
    return info["splits"][0]["num_examples"] > 0


def sizes_of(paths: list[Path]) -> tuple[int, int]:
    """Bytes in memory and rows of files, read as `datasets` does: single rows are combined."""
    n_bytes = n_rows = 0
    singles: list[pyarrow.RecordBatch] = []

    def together() -> int:
        table = pyarrow.Table.from_batches(singles).combine_chunks() if singles else None
        singles.clear()
        return table.nbytes if table else 0

    for batch in (batch for path in paths for batch in batches(path)):
        n_rows += batch.num_rows
        if batch.num_rows == 1:
            singles.append(batch)
            if len(singles) == SINGLES_AT_ONCE:
                n_bytes += together()
        else:
            n_bytes += together() + batch.nbytes
    return n_bytes + together(), n_rows


def batches(path: Path) -> Iterator[pyarrow.RecordBatch]:
    """Rows in batches of the size of the first row group."""
    # Imports pandas where that is installed, which takes longer than most commands.
    import pyarrow.dataset

    with path.open("rb") as file:
        fragment = pyarrow.dataset.ParquetFileFormat().make_fragment(file)
        if fragment.row_groups:
            yield from fragment.to_batches(
                batch_size=fragment.row_groups[0].num_rows, batch_readahead=0, fragment_readahead=0
            )


def feature(field: pyarrow.Field) -> dict:
    """Description of a column, in the format of `datasets`."""
    return {"name": field.name, **described_type(field.type)}


def described_type(kind: pyarrow.DataType) -> dict:
    """Description of a type, in the format of `datasets`."""
    if pyarrow.types.is_list(kind):
        inner = described_type(kind.value_type)
        return {"list": inner.get("struct") or inner.get("dtype") or inner}
    if pyarrow.types.is_struct(kind):
        return {"struct": [feature(field) for field in kind]}
    return {"dtype": {"double": "float64", "date32[day]": "date32"}.get(str(kind), str(kind))}
