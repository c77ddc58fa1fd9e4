"""Tables with intervals recover what was put in, 95 times in 100."""

from __future__ import annotations

import numpy
import pytest
import simulated_tables
from conftest import ROOT

from latent_probes.common.home import Home

N_SIMULATIONS = 1000
N_DOCUMENTS = 40
# Often less than five documents have a flip. Exact bounds hold more often than they must.
OF_FEW_DOCUMENTS = {"judge_agreement, difference", "judge_agreement, flip_rate_middle"}

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    """A home in which nothing but models are compiled."""
    return Home(ROOT, tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("of_table", simulated_tables.TABLES)
def test_ninety_five_in_a_hundred_intervals_of_a_table_hold_the_truth(home, of_table):
    made = simulated_tables.Simulations(home, N_SIMULATIONS, N_DOCUMENTS)
    shares = dict(of_table(made))
    assert len(shares) >= 2
    assert {
        figure: share
        for figure, share in shares.items()
        if not 0.92 <= share <= (1 if figure in OF_FEW_DOCUMENTS else 0.98)
    } == {}


def test_intervals_of_rare_findings_hold_their_share_also_where_few_were_found(home):
    made = simulated_tables.Simulations(home, N_SIMULATIONS, N_DOCUMENTS)
    shares = dict(simulated_tables.of_findings(made))
    assert len(shares) >= 6
    assert {figure: share for figure, share in shares.items() if share < 0.92} == {}


def test_intervals_that_take_probes_for_documents_are_found_out(home):
    made = simulated_tables.Simulations(home, N_SIMULATIONS, N_DOCUMENTS)
    made.documents = numpy.arange(len(made.documents))
    shares = dict(simulated_tables.of_arms(made))
    assert shares["arm_lift, mean score"] < 0.85
