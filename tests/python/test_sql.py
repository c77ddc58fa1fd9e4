"""SQL expressions that Python writes as the models' macros do."""

from __future__ import annotations

import jinja2
import pytest
from conftest import ROOT

from latent_probes.common import sql


def macro(name: str):
    """A macro of the project that uses nothing of dbt."""
    environment = jinja2.Environment()
    for path in sorted((ROOT / "macros").glob("*.sql")):
        source = path.read_text()
        if f"macro {name}(" in source:
            return getattr(environment.from_string(source).module, name)
    raise LookupError(name)


@pytest.mark.parametrize(
    ("written", "name", "arguments"),
    [
        (
            sql.identity("$seed", "'calibration'", "id"),
            "identity",
            [["$seed", "'calibration'", "id"]],
        ),
        (sql.is_blank("text"), "is_blank", ["text"]),
        (sql.stated_score("text"), "stated_score", ["text"]),
        (sql.is_named("named", "asked"), "is_named", ["named", "asked"]),
        (sql.text_between("text", "a", "b"), "text_between", ["text", "a", "b"]),
    ],
)
def test_python_and_the_models_write_a_rule_alike(written, name, arguments):
    assert " ".join(written.split()) == " ".join(macro(name)(*arguments).split())
