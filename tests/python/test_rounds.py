"""Rounds: what a line of seeds/rounds.csv requests, what may change in it, what is published."""

from __future__ import annotations

import json
import re

import pyarrow.parquet
import pytest
from conftest import ROOT
from test_whole_runs import RUN

pytestmark = pytest.mark.rounds

PROVIDERS = ROOT / "docs" / "providers.md"
# Folders with a file for each round that has probes, and for each round.
WITH_TEXTS = {"data", "compact", "control_answers", "siblings"}
WITHOUT_PROBES = {
    *("other_documents", "overview", "probe_findings", "rejections", "units", "unscored"),
}


def test_a_round_that_asks_for_a_model_is_never_answered_offline(checkout):
    rounds = checkout.folder / "seeds" / "rounds.csv"
    rounds.write_text(rounds.read_text().replace("lexical,lexical,lexical", "m,m,m"))
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    said = checkout.fails(*RUN)
    assert "round 1 asks for 'm'" in said
    assert checkout.query("select count(*) from requests", "landing") == [(0,)]
    # And an unknown price is said, not taken for nothing.
    said = checkout.runs("latent-probes", "plan")
    assert "m has no known price" in said
    assert "unknown at anthropic-batches, unknown at anthropic-messages" in said


def test_a_plan_prices_a_new_line_before_anything_is_sent(finished):
    model = "claude-haiku-4-5-20251001"
    finished.add_round(f"2,3,2,gemma-3-270m,-2,5,{model},{model},{model},false")
    said = finished.runs("latent-probes", "plan")
    assert model in said
    assert finished.query(
        "select n_pending, n_downstream from planned_requests "
        "where round_number = 2 and stage = 'generator'"
    ) == [(3, 0)]
    prices = dict(finished.query("select provider, sum(usd) from planned_prices group by provider"))
    assert 0.001 < prices["anthropic-batches"] < 1
    assert prices["anthropic-messages"] == pytest.approx(2 * prices["anthropic-batches"])
    total = ", ".join(
        f"${prices[f'anthropic-{kind}']:.2f} at anthropic-{kind}"
        for kind in ("batches", "messages")
    )
    assert total in said
    assert "estimated" in said
    # What the page says of this line.
    (stated,) = re.findall(r"This line .*?, for\s(.*?):", PROVIDERS.read_text(), re.DOTALL)
    assert stated == (
        f"about ${prices['anthropic-batches']:.2f} in batches, or "
        f"${prices['anthropic-messages']:.2f} as single messages"
    )
    # Without a key nothing can be counted, and the estimate is shown all the same.
    said = finished.fails("latent-probes", "plan", "--provider", "anthropic-batches")
    assert total in said and "set ANTHROPIC_API_KEY" in said
    assert finished.query(
        "select n_pending, n_downstream from planned_requests "
        "where round_number = 2 and stage = 'judge'"
    ) == [(0, 3 * 6 * 5)]
    assert finished.query("select count(*) from started_rounds", "landing") == [(1,)]


@pytest.mark.soak
def test_more_answers_later_ask_only_the_missing_ones(finished):
    rounds = finished.folder / "seeds" / "rounds.csv"
    rounds.write_text(rounds.read_text().replace("-2,5,", "-2,6,"))
    n_probes = finished.query("select count(*) from probe_scores")[0][0]
    before = dict(finished.query("select stage, count(*) from requests group by all", "landing"))
    finished.runs(*RUN)
    after = dict(finished.query("select stage, count(*) from requests group by all", "landing"))
    assert after == {
        "generator": before["generator"],
        "answerer": before["answerer"] + n_probes,
        "judge": before["judge"] + n_probes,
    }
    assert finished.query("select distinct len(scores) from probe_scores") == [(6,)]


def files_of_round(export, number) -> dict:
    """The bytes and times of the files of a round."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(export.glob(f"*/train-round-{number:04d}.parquet"))
    }


def test_a_second_round_leaves_the_files_of_the_first_as_they_were(finished):
    export = finished.home / "export"
    before = files_of_round(export, 1)
    assert {path.parent.name for path in before} == WITH_TEXTS | WITHOUT_PROBES
    (first,) = json.loads((export / "manifest.json").read_text())["rounds"]
    finished.add_round("2,3,2,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    finished.runs(*RUN)
    finished.runs("latent-probes", "export")
    assert files_of_round(export, 1) == before
    second = pyarrow.parquet.read_table(export / "data" / "train-round-0002.parquet")
    assert len(set(second["doc_id"].to_pylist())) == 3
    rounds = json.loads((export / "manifest.json").read_text())["rounds"]
    assert rounds[0] == first
    assert [len(entry["doc_ids"]) for entry in rounds] == [20, 3]


@pytest.mark.soak
def test_an_edited_started_line_stops_a_run_before_it_sends(checkout):
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    checkout.runs(*RUN, "--once")
    rounds = checkout.folder / "seeds" / "rounds.csv"
    rounds.write_text(rounds.read_text().replace("1,20,1,", "1,21,1,"))
    assert "n_docs: round 1 started with 20" in checkout.fails(*RUN)
    assert checkout.query("select distinct stage from requests", "landing") == [("generator",)]


def test_answers_to_another_addendum_are_stale_and_kept(finished):
    levels = finished.folder / "seeds" / "calibration_levels.csv"
    levels.write_text(levels.read_text().replace("Probes have been too hard.", "Too hard."))
    n_requests = finished.query("select count(*) from requests", "landing")
    finished.runs(*RUN)
    assert finished.query("select distinct rejection_reason from slots") == [("answer_stale",)]
    assert finished.query("select count(*) from requests", "landing") == n_requests


def test_a_withdrawn_round_is_not_published_and_keeps_its_documents(finished):
    rounds = finished.folder / "seeds" / "rounds.csv"
    rounds.write_text(rounds.read_text().replace("false", "true"))
    finished.add_round("2,9,2,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    said = finished.runs("latent-probes", "export")
    export = finished.home / "export"
    assert not list((export / "data").glob("*")) and not list((export / "compact").glob("*"))
    assert "was reproduced from them" in finished.runs("latent-probes", "check")
    assert "No probe was published" in said
    assert {path.parent.name for path in files_of_round(export, 1)} == WITHOUT_PROBES
    states = pyarrow.parquet.read_table(export / "rounds" / "train-all.parquet")["state"]
    assert states.to_pylist() == ["withdrawn"]
    assert finished.query(
        "select count(*) > 0 from requests where round_number = 1", "landing"
    ) == [(True,)]
    # 20 of 23 prefixes were taken by the first round; it keeps them.
    assert finished.query("select count(*) from round_documents where round_number = 2") == [(3,)]
    assert finished.query("select distinct rejection_reason from slots where round_number = 1") == [
        ("round_withdrawn",)
    ]


def test_probes_of_the_baseline_name_it_as_their_generator(finished_once):
    assert finished_once.query("select distinct generator_model from train") == [("lexical",)]
    assert finished_once.query("select distinct source from train order by 1") == [
        ("lexical",),
        ("python_template",),
    ]


def test_the_demo_fills_three_bins_and_asks_different_questions(finished_once):
    assert finished_once.query("select count(*) >= 3 from score_histogram where n_probes > 0") == [
        (True,)
    ]
    ((n_prompts, n_probes),) = finished_once.query(
        "select count(distinct verbalizer_prompt), count(*) from probes where is_written"
    )
    assert n_prompts > n_probes * 0.8
    ((distinct_answers,),) = finished_once.query(
        "select avg(len(list_distinct(bb_answer_rollout_answers))) from train "
        "where bb_answer_rollout_answers is not null"
    )
    assert distinct_answers > 4.5


def test_an_empty_continuation_lands_and_is_passed_over(finished_once):
    assert finished_once.query(
        "select count(*) from rollout_eligibility where exclusion_reason = 'empty_continuation'"
    ) == finished_once.query(
        "select count(*) from rollouts where trim(continuation) = ''", "landing"
    )


@pytest.mark.soak
def test_another_threshold_changes_new_rounds_and_no_started_one(finished):
    texts = (
        "select document_id, text_hash from documents where doc_id in (select doc_id from train)"
    )
    before = sorted(finished.query(texts))
    assert finished.query(
        "select count(*) > 0 from documents join rollout_eligibility using (document_id) "
        "where cut_reason is not null and text_length < prefix_length + continuation_length"
    ) == [(True,)]
    project = finished.folder / "dbt_project.yml"
    changed = project.read_text().replace(
        "min_continuation_length: 200", "min_continuation_length: 1100"
    )
    assert changed != project.read_text()
    project.write_text(changed)
    finished.add_round("2,20,2,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    finished.runs("latent-probes", "status")
    assert sorted(finished.query(texts)) == before
    # Of the three prefixes that are left, one has too few continuations of that length.
    assert finished.query(
        "select count(*), min(list_min(kept_lengths)) >= 1100 from round_documents "
        "where round_number = 2"
    ) == [(2, True)]
