"""Valid and invalid YAML that no setting can be is refused in one sentence with its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from latent_probes.warehouse import ProjectError, project_vars

TEXT = (ROOT / "dbt_project.yml").read_text()
LINE = "        language: en\n"
NUMBER = TEXT[: TEXT.index(LINE)].count("\n") + 1
CHECK = """
import sys
from pathlib import Path
from latent_probes.warehouse import ProjectError, project_vars
try:
    project_vars.refuse_invalid_vars(Path(sys.argv[1]))
except ProjectError as error:
    print(error, end="")
"""


def written(folder: Path, text: str) -> Path:
    """A project whose first var is written so."""
    assert LINE in TEXT
    (folder / "dbt_project.yml").write_text(TEXT.replace(LINE, text, 1))
    return folder


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a, b]: 1", "a name must be a text, not a list or a map"),
        ("{a: b}: 1", "a name must be a text, not a list or a map"),
        ("? - a\n        : 1", "a name must be a text, not a list or a map"),
        ("language: {[a]: 1}", "a name must be a text, not a list or a map"),
        ("language: !!set {[a]}", "a name must be a text, not a list or a map"),
        ("language: 2026-13-45", "'2026-13-45' cannot be read: if it is a text, put it in quotes"),
        ("language: 0b_", "'0b_' cannot be read: if it is a text"),
        ("language: !!int x", "'x' cannot be read: if it is a text"),
        ("language: !!float ''", "'' cannot be read: if it is a text"),
        ("language: !!bool x", "'x' cannot be read: if it is a text"),
        ("language: !!timestamp x", "'x' cannot be read: if it is a text"),
        ("language: " + "9" * 5000, "'99999"),
        ("language: !!map x", "expected a mapping node, but found scalar"),
        ("language: !!set x", "expected a mapping node, but found scalar"),
    ],
)
def test_a_var_that_yaml_cannot_give_is_refused_with_its_line(text, said, tmp_path):
    with pytest.raises(ProjectError) as refused:
        project_vars.refuse_invalid_vars(written(tmp_path, f"        {text}\n"))
    found = str(refused.value)
    assert found.startswith(f"dbt_project.yml, line {NUMBER}: {said}")
    assert "\n" not in found


@pytest.mark.parametrize(
    "deep",
    ["[" * 60_000, "[" * 60_000 + "]" * 60_000, "{a: " * 60_000, "\n         " + "- " * 60_000],
)
def test_deep_nesting_is_refused_and_ends_no_process(deep, tmp_path):
    command = [sys.executable, "-c", CHECK, written(tmp_path, f"        language: {deep}\n")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.startswith("dbt_project.yml, line ")
    assert ended.stdout.endswith(": nested deeper than 50 levels")


def test_nesting_by_indentation_is_refused(tmp_path):
    deep = "".join(f"{' ' * (8 + level)}a:\n" for level in range(200))
    with pytest.raises(ProjectError, match=r", line \d+: nested deeper than 50 levels$"):
        project_vars.refuse_invalid_vars(written(tmp_path, deep))


def test_a_value_of_references_is_shown_shortened(tmp_path):
    lines = ["        a0: &a0 [x, x]\n"]
    lines += [f"        a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 2000)]
    folder = written(tmp_path, "".join(lines) + "        language: *a1999\n")
    *_, fault = project_vars.faults(project_vars.settings(folder))
    assert fault.startswith("dbt_project.yml, vars, language: [[[[[...], [...]], [[...")
    assert len(fault) < 250
