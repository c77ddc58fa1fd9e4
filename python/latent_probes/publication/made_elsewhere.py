"""Files of the data set that a build on a cluster has written: an export copies them."""

from __future__ import annotations

import json
from pathlib import Path

from latent_probes import warehouse
from latent_probes.common import files
from latent_probes.common.home import Home
from latent_probes.common.storage import Storage


def note(home: Home, address: str, published: dict[str, dict[str, str]]) -> None:
    """Record which files are those of the current warehouse, and where they are."""
    noted = {"state": warehouse.state(home), "storage": address, "files": published}
    with files.atomic_write(home.made_elsewhere) as partial:
        partial.write_text(json.dumps(noted) + "\n")


class MadeElsewhere:
    """The files that were made of the current warehouse; none if the last build was another."""

    def __init__(self, home: Home) -> None:
        self.listed: dict[str, dict[str, str]] = {}
        if home.made_elsewhere.exists():
            noted = json.loads(home.made_elsewhere.read_text())
            if noted["state"] == warehouse.state(home):
                self.listed = noted["files"]
                self.storage = Storage(noted["storage"])

    def copy(self, name: Path, target: Path) -> bool:
        """Copy a file of the data set to ``target``; False if it is not there, or another."""
        place = self.listed.get(str(name))
        if place is None:
            return False
        try:
            self.storage.copy(place["name"], target)
        except OSError:
            return False
        return files.hash_of(target) == place["sha256"]
