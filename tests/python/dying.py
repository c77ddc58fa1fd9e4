"""`latent-probes` for tests: dies before or after a step, as its first argument says."""

import os
import sys

from latent_probes import cli, landing, warehouse
from latent_probes.common import files
from latent_probes.providers.lexical import Lexical
from latent_probes.publication import manifest

OWNERS = {
    **{"files": files, "landing": landing, "warehouse": warehouse},
    **{"Lexical": Lexical, "manifest": manifest},
}


def main() -> None:
    """Be the command; the argument is such as "landing.intend before"."""
    name, moment = sys.argv.pop(1).split()
    owner, step = name.split(".")
    real = getattr(OWNERS[owner], step)

    def dying(*arguments, **named):
        if moment == "after":
            real(*arguments, **named)
        os._exit(9)

    setattr(OWNERS[owner], step, dying)
    cli.main()
