"""The same round with and without a planted defect of the models, and the figures it moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from conftest import Checkout
from scripted_models import READER, SECOND_JUDGE, STRONG_READER, ScriptedModels
from stand_in import StandIn

CONTROLS = (
    *(f"1,{arm},1,," for arm in ("question_only", "other_document", "full_information")),
    "1,full_complement,1,,",
    "1,held_out,1,,",
    f"1,second_reader,1,{STRONG_READER},",
    "1,judge_anchors,1,,",
    "1,judge_retest,0.5,,",
    f"1,second_judge,0.5,{SECOND_JUDGE},",
)
# Figures over all scopes, each with its name and interval.
FIGURES = """
select
    concat_ws(', ', 'arm_lift', arm, measure) as figure,
    estimate, estimate_low, estimate_high,
from arm_lift
where scope = 'all' and target = 'all' and typicality = 'all'
union all
select
    concat_ws(', ', 'arm_lift', arm, measure, 'difference'), difference, difference_low,
    difference_high,
from arm_lift
where scope = 'all' and target = 'all' and typicality = 'all' and arm != 'complement'
union all
select concat_ws(', ', 'judge_anchors', anchor, 'mean'), score_mean, score_mean_low, score_mean_high
from judge_anchors
where scope = 'all'
union all
select concat_ws(', ', 'judge_agreement', comparison, 'alpha'), alpha, alpha_low, alpha_high
from judge_agreement
where scope = 'all'
union all
select concat_ws(', ', 'band_changes', comparison, band), changed, changed_low, changed_high
from band_changes
where scope = 'all'
union all
select
    concat_ws(', ', 'hardness_by_answers', scope, new_answers), re_solved, re_solved_low,
    re_solved_high,
from hardness_by_answers
where solve_threshold = 0.4 and is_headline
union all
select concat_ws(', ', 'finding_summary', finding), share, share_low, share_high
from finding_summary
where scope = 'all'
union all
select concat_ws(', ', 'length_effects', text), correlation, correlation_low, correlation_high
from length_effects
where scope = 'all'
"""


class Figure(NamedTuple):
    """A figure of a table, null where nothing was there to measure, and its interval."""

    estimate: float | None
    low: float | None
    high: float | None


def run(checkout: Checkout, defect: str | None) -> dict[str, Figure]:
    """The figures of a round of the bundled sample that models with this defect made."""
    with StandIn(answer=ScriptedModels(defect).answer) as server:
        checkout = checkout.talking_to(server)
        checkout.set_rounds(f"1,20,1,gemma-3-270m,-2,5,{READER},{READER},{READER},false")
        controls = checkout.folder / "seeds" / "round_controls.csv"
        controls.write_text("\n".join([controls.read_text().splitlines()[0], *CONTROLS, ""]))
        checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
        run = ("latent-probes", "run", "--provider", "anthropic-batches", "--max-cost", "50")
        checkout.runs(*run)
    return {name: Figure(*row) for name, *row in checkout.query(FIGURES)}


def moved(sound: dict[str, Figure], broken: dict[str, Figure]) -> Iterator[tuple[str, Figure]]:
    """Figures of a broken round that lie outside of their interval in the sound one."""
    for name, figure in sorted(broken.items()):
        before = sound.get(name, Figure(None, None, None))
        was_there, is_there = before.estimate is not None, figure.estimate is not None
        has_interval = was_there and is_there and before.low is not None
        is_outside = has_interval and not before.low <= figure.estimate <= before.high
        if is_outside or was_there != is_there:
            yield name, figure
