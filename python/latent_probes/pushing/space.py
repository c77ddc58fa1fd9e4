"""A static Space: the page at its root, with its own copy of the export's files.

Nothing runs there. The page reads the files beside it, as it does in an export.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from latent_probes.common import files
from latent_probes.explorer import page
from latent_probes.publication import card, manifest
from latent_probes.pushing.ready import Export, PushError

INDEX = "index.html"


@contextmanager
def of(export: Export) -> Iterator[Export]:
    """The files of a Space that shows this export.

    The card is replaced by that of a Space, and the page is also at the root. Raises PushError if
    the export has no page.
    """
    inside = f"{page.FOLDER}/{INDEX}"
    if inside not in export.hashes:
        raise PushError(
            f"the export has no page to publish: {page.NOT_BUILT}, then `latent-probes export`"
        )
    described = json.loads(export.path(manifest.NAME).read_text(encoding="utf-8"))
    html = export.path(inside).read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        own = {
            card.NAME: space_card(described["settings"]),
            # The page finds its files, and the data set's, from the address of its script.
            INDEX: html.replace('="explorer.', f'="{page.FOLDER}/explorer.'),
        }
        for name, text in own.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        hashes = export.hashes | {name: files.hash_of(Path(folder) / name) for name in own}
        yield dataclasses.replace(
            export,
            hashes=dict(sorted(hashes.items())),
            replaced={name: Path(folder) / name for name in own},
        )


def space_card(settings: dict) -> str:
    """README.md of the Space; the Hub reads from its header that the Space is static."""
    header = yaml.safe_dump(
        {
            "title": "Latent probes",
            "sdk": "static",
            "app_file": INDEX,
            "license": settings["licence"],
            "pinned": False,
        },
        sort_keys=False,
    )
    return (
        f"---\n{header}---\n\n"
        "Probes of a latent-probes data set with their documents, answers and scores. The page "
        "reads the Parquet files beside it in the browser; no server runs.\n"
    )
