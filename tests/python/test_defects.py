"""Every table recovers the known rates of scripted models; a planted defect moves its figure."""

from __future__ import annotations

import pytest
from planted_defects import Figure, moved, run
from scripted_models import DEFECTS, LEVEL_RATES, RATES, READER, ScriptedModels, expected
from stand_in import StandIn
from test_calibration import at_home

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def sound(new_checkout, tmp_path_factory) -> dict[str, Figure]:
    """The figures of a round without a defect."""
    return run(new_checkout(tmp_path_factory.mktemp("sound")), None)


def test_every_arm_shows_the_rate_at_which_it_is_solved(sound):
    missed = []
    for arm, rate in (RATES | {"held_out": RATES["complement"]}).items():
        for measure, truth in (
            ("mean score", rate),
            ("share not hard", expected(rate, 5)),
            ("share easy", expected(rate, 5)),
        ):
            figure = sound[f"arm_lift, {arm}, {measure}"]
            assert figure.estimate == pytest.approx(truth, abs=0.12)
            missed += [] if figure.low <= truth <= figure.high else [(arm, measure)]
    # Five in a hundred may miss; the complement's three are one draw.
    assert len(missed) <= 3
    assert sound["arm_lift, held_out, mean score, difference"].low <= 0
    assert sound["arm_lift, held_out, mean score, difference"].high >= 0


@pytest.mark.parametrize(
    ("defect", "figure"),
    [
        ("question holds its answer", "arm_lift, question_only, mean score"),
        ("judge always says 0.8", "judge_anchors, empty, mean"),
        ("question holds its answer", "finding_summary, question_quotes_answer"),
        ("judge reads the length", "length_effects, answer"),
        ("judge reads the length", "judge_anchors, target_of_another, mean"),
        ("generator lies about typicality", "finding_summary, typicality_understated"),
    ],
)
def test_a_defect_moves_its_figure_beyond_its_interval(
    sound, new_checkout, tmp_path, defect, figure
):
    assert defect in DEFECTS
    broken = run(new_checkout(tmp_path), defect)
    assert figure in dict(moved(sound, broken))


def test_a_sweep_shows_the_rate_of_every_level(new_checkout, tmp_path):
    with StandIn(answer=ScriptedModels(by_level=True).answer) as server:
        checkout = new_checkout(tmp_path).talking_to(server)
        checkout.set_rounds(f"1,3,1,gemma-3-270m,-2,5,{READER},{READER},{READER},false")
        checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
        checkout.runs(
            *("latent-probes", "calibrate", "--documents", "20", "--levels", "-3..3"),
            *("--provider", "anthropic-batches", "--max-cost", "50"),
        )
        rows = at_home(checkout).query(
            "select calibration_level, estimate, estimate_low, estimate_high "
            "from calibration_sweep where measure = 'mean best score' and scope = 'all'"
        )
        ((recommended,),) = at_home(checkout).query(
            "select calibration_level from recommended_level"
        )
    truths = {level: expected(rate, 5) for level, rate in LEVEL_RATES.items()}
    found = {level: Figure(*figure) for level, *figure in rows}
    assert found.keys() == truths.keys()
    held = [found[level].low <= truth <= found[level].high for level, truth in truths.items()]
    assert sum(held) >= 6
    assert recommended == min(truths, key=lambda level: abs(truths[level] - 0.5))
