"""SQL expressions that Python writes."""

from __future__ import annotations

import pytest
from conftest import ROOT

from latent_probes.common import sql


def test_python_reads_the_macros_of_the_project():
    assert sql.MACROS.resolve() == ROOT / "macros"
    assert sql.macro("identity", ("a", "b")) == "md5(json_array(a, b)::varchar)"


def test_a_macro_that_does_not_exist_is_an_error():
    with pytest.raises(LookupError, match="no_such_macro"):
        sql.macro("no_such_macro")
