"""Outcomes of damaged generator answers, by kind of damage.

    python bench/repair.py [ANSWERS]

Damages ANSWERS (default 300) valid answers in each way of tests/python/damaged_answers.py and reads
them with the model generator_outputs. An answer counts as wrong if it is accepted and a field of it
differs from the undamaged answer's.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "python"))

from damaged_answers import DAMAGES, Reader, damaged, is_part_of, valid_answers

from latent_probes.common.home import Home
from latent_probes.warehouse.compilation import compiled

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Run the benchmark and print its table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    answers = valid_answers(n, seed=1)
    print("| damage | answers | strict | with repair | text differs | wrong |")
    print("|---|---:|---:|---:|---:|---:|")
    here = Home(ROOT, ROOT)
    reader = Reader(compiled(here, ["generator_outputs"])["generator_outputs"])
    for kind in DAMAGES:
        outcomes = reader.read(damaged(kind, answers))
        accepted = [
            (outcome, is_part_of(outcome["output"], answer))
            for outcome, answer in zip(outcomes, answers, strict=True)
            if outcome["rejection_reason"] is None
        ]
        counts = (
            sum(not outcome["was_repaired"] for outcome, _ in accepted),
            len(accepted),
            sum(row["rejection_reason"] == "repaired_text_differs" for row in outcomes),
            sum(not is_right for _, is_right in accepted),
        )
        shares = " | ".join(f"{count / n:.1%}" for count in counts)
        print(f"| {kind.replace('_', ' ')} | {n} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
