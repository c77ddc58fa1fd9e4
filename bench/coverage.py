"""Coverage of the 95 % intervals in 1,000 simulated tables: bench/coverage.py [DOCUMENTS]

DOCUMENTS is the number of documents per simulation (default: 40).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python"))

# Can only be imported with the test folder on the path.
from simulated_tables import coverage  # noqa: E402

from latent_probes.common.home import Home  # noqa: E402

N_SIMULATIONS = 1000


def main() -> None:
    """Print one line per figure."""
    n_documents = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as folder:
        home = Home(ROOT, Path(folder))
        for figure, share in coverage(home, N_SIMULATIONS, n_documents):
            print(f"{figure:48} {share:.1%}", flush=True)


if __name__ == "__main__":
    main()
