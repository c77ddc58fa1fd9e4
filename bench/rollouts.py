"""Time the rollout filters: a full first build, then a thousand more prefixes.

    python bench/rollouts.py [PREFIXES …]

For each number of PREFIXES (default 1,000 and 4,000; a full data set has 37,000), five
continuations each are made of sentences of the bundled sample, landed and filtered, and then 1,000
more.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rebuild import measure, prepare, write_rollouts

N_MORE = 1_000
FILTER = "dbt run --quiet --select +rollout_quality"


def main() -> None:
    """Print the times."""
    for n_prefixes in [int(argument) for argument in sys.argv[1:]] or [1_000, 4_000]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare(folder, n_documents=10)
            print(f"{n_prefixes:,} prefixes, 5 continuations each, then {N_MORE:,} more")
            write_rollouts(folder / "first.jsonl", range(n_prefixes), n_siblings=5)
            more = range(n_prefixes, n_prefixes + N_MORE)
            write_rollouts(folder / "more.jsonl", more, n_siblings=5)
            measure(folder, "dbt seed --quiet")
            for file in ("first", "more"):
                measure(folder, f"latent-probes land {file}.jsonl")
                measure(folder, FILTER)


if __name__ == "__main__":
    main()
