"""A run that is killed at each step in turn and restarted each time."""

from __future__ import annotations

import pytest
from test_whole_runs import assert_same_export

pytestmark = pytest.mark.rounds

# In the order in which a run comes to them; each dies before or after the real step, once.
STEPS = (
    "files.write_by_hash after",
    "landing.intend before",
    "landing.intend after",
    "landing.sending after",
    "Lexical.submit before",
    "Lexical.submit after",
    "landing.submitted before",
    "landing.submitted after",
    "Lexical.download before",
    "Lexical.download after",
    "landing.stage_results after",
    "landing.add_responses before",
    "landing.add_responses after",
    "Lexical.forget after",
    "warehouse.build_queue before",
)

# Where something was written and is not yet known, or known and not yet written.
NARROWEST = ("Lexical.submit after", "landing.add_responses after")


@pytest.mark.parametrize(
    "steps", [NARROWEST, pytest.param(STEPS, marks=pytest.mark.soak)], ids=["narrowest", "each"]
)
def test_a_run_that_dies_at_steps_ends_like_an_undisturbed_one(steps, checkout, finished_once):
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    for step in steps:
        died, said = checkout.ends("dying", step, "run", "--provider", "lexical")
        assert died == 9, (step, said)
    checkout.runs("latent-probes", "run", "--provider", "lexical")
    checkout.runs("latent-probes", "export")
    assert_same_export(checkout, finished_once)
    assert checkout.query("select max(attempt) from requests", "landing") == [(1,)]
    assert [path.name for path in (checkout.home / "batches").glob("*.jsonl")] == []
