"""What the benches of oracles share: saved adapters, and a project of one round."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).parents[1]
HOOK_LAYER = 1
CONDITIONS = ("real_state", "no_state", "other_document_state")
# Importing torch and transformers takes longer than many commands.
IN_ONE_PROCESS = """
import json, sys
from latent_probes.cli import main

for command in json.loads(sys.argv[1]):
    print("$ latent-probes", *command, flush=True)
    sys.argv[1:] = command
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
"""


def save_adapter(adapted: Any, folder: Path, layer: int) -> None:
    """Save an adapter (PEFT) with the contract of the public recipe, for states of one layer."""
    adapted.save_pretrained(str(folder))
    contract = {
        "act_layer_combinations": [[layer]],
        "special_token": " ?",
        "prefix_template": "Layer: {layer}\\n{special_token} * {num_positions} \\n",
        "hook_onto_layer": HOOK_LAYER,
        "steering_coefficient": 1.0,
    }
    (folder / "ao_config.json").write_text(json.dumps(contract))


def project_in(folder: Path, n_documents: int, source_model: str) -> Path:
    """A copy of the project with one round of the offline baseline and no controls."""
    for name in ("models", "macros", "seeds", "tests"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("python", "__pycache__")
        )
    for name in ("dbt_project.yml", "profiles.yml", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder / name)
    for name, line in (
        ("rounds", f"1,{n_documents},1,{source_model},-2,5,lexical,lexical,lexical,false\n"),
        ("round_controls", ""),
    ):
        path = folder / "seeds" / f"{name}.csv"
        path.write_text(path.read_text().splitlines()[0] + "\n" + line)
    return folder


def run_in(project: Path, *commands: Sequence[str]) -> None:
    """Run commands of the project in a folder made by ``project_in``, one after the other."""
    link = project / "python"
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "python")
    # On a CPU, such small matrices gain nothing from a second core.
    subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(commands)],
        cwd=project,
        env={
            "OMP_NUM_THREADS": "1",
            **os.environ,
            "LATENT_PROBES_HOME": "home",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]),
        },
        check=True,
    )


def leaderboard_of(project: Path) -> dict[str, float | None]:
    """Print the headlines; return the low end of each method's interval."""
    with duckdb.connect(str(project / "home" / "warehouse.duckdb"), read_only=True) as found:
        board = found.execute(
            "select oracle, headline, headline_low, headline_high, minus_no_state, "
            "minus_other_state, n_documents from oracle_leaderboard where is_headline "
            "order by headline desc nulls last"
        ).fetchall()
    print(
        f"{'method':<26}{'headline':>9}{'low':>7}{'high':>7}{'- none':>8}{'- other':>9}{'docs':>6}"
    )
    for name, *figures, n_documents in board:
        shown = [f"{figure:.2f}" if figure is not None else "" for figure in figures]
        widths = (9, 7, 7, 8, 9)
        line = "".join(f"{one:>{width}}" for one, width in zip(shown, widths, strict=True))
        print(f"{name:<26}{line}{n_documents or '':>6}")
    return {name: low for name, _, low, *_ in board}
