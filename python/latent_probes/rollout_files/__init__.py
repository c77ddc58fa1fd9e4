"""Land files of rollouts: Parquet, JSONL or CSV, one row per continuation or per prefix.

Every file is read and checked completely before any of it lands. Local files land all together or
not at all. Files from the Hub land one by one, each completely or not at all, so an interrupted
large data set can be resumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latent_probes.rollout_files.mapping import COLUMNS, CONSTANTS, Mapping
from latent_probes.rollout_files.together import Landed, land_together
from latent_probes.table_files import FileError, local_file

__all__ = ["COLUMNS", "CONSTANTS", "Landed", "Mapping", "land_rollouts"]

HUB = "hf://"


def land_rollouts(
    landing_path: Path, names: Sequence[str | Path], mapping: Mapping, downloads: Path
) -> Landed:
    """Land local files, and files of data sets on the Hub (``hf://datasets/…``).

    ``downloads`` is the folder for downloads. Raises FileError for the first error found; a file
    that is missing on the Hub is found before anything lands.
    """
    sources = [
        local_file(Path(name), mapping.delimiter) for name in names if not str(name).startswith(HUB)
    ]
    addresses = [str(name) for name in names if str(name).startswith(HUB)]
    found = []
    if addresses:
        from latent_probes.rollout_files import hub_files

        found = hub_files.find(addresses)
    landed = land_together(landing_path, sources, mapping) if sources else Landed()
    for n_landed, file in enumerate(found):
        try:
            landed += hub_files.land_hub_file(landing_path, file, mapping, downloads)
        except FileError as error:
            if len(found) == 1:
                raise
            raise FileError(
                f"{error} ({n_landed} of {len(found)} Hub files have landed; rerun the same "
                "command to continue with the rest)"
            ) from error
    return landed
