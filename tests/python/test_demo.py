"""The demo: a round that a language model answered, replayed from `sample/responses.jsonl`."""

from __future__ import annotations

import json

from conftest import ROOT

EXPECTED = ROOT / "tests" / "python" / "demo_slots.csv"
RECORD_AGAIN = (
    "too many requests of the demo have no recorded response: ask them again as "
    "sample/README.md says, under `--record sample/responses.jsonl`"
)


def test_at_most_a_twentieth_of_the_requests_has_no_recorded_response(demo_once):
    ((share,),) = demo_once.query(
        "select avg((outcome = 'not_recorded')::integer) from responses", "landing"
    )
    assert share <= 0.05, RECORD_AGAIN


def test_every_recorded_response_is_used(demo_once):
    recorded = [
        json.loads(line)["request_id"]
        for line in (ROOT / "sample" / "responses.jsonl").read_text().splitlines()
    ]
    landed = demo_once.query(
        "select request_id from responses where outcome = 'succeeded'", "landing"
    )
    assert sorted(recorded) == sorted(request_id for (request_id,) in landed)


def test_no_response_is_attributed_to_a_model_of_an_api(demo_once):
    assert demo_once.query(
        """
        select distinct stage, asked_model from requests order by all
        """
    ) == [(stage, "claude-unversioned") for stage in ("answerer", "generator", "judge")]
    assert demo_once.query("select distinct usd from spend") == [(0.0,)]


def test_the_demo_has_no_fault_that_a_finding_calls_an_error_in_one_probe_in_ten(demo_once):
    assert (
        demo_once.query(
            """
        select finding from finding_summary
        where scope = 'all' and severity = 'error' and share > 0.1
        """
        )
        == []
    )


def test_controls_of_the_demo_say_what_each_arm_is_for(demo_once):
    scores = dict(
        demo_once.query(
            "select arm, score_mean.value from arm_summary where n_scored > 0 order by arm"
        )
    )
    assert scores["question_only"] < scores["complement"] < scores["full_information"]
    assert scores["other_document"] < scores["complement"]
    assert scores["full_information"] > 0.8


def test_the_slots_of_the_demo_are_those_that_were_expected(demo_once, tmp_path):
    """A change of rules shows here which probes, bands and reasons it changes."""
    demo_once.query(
        f"""
        copy (
            select
                train.doc_id,
                train.slot_idx::integer as slot_idx,
                train.scope,
                train.target,
                train.typicality,
                train.bb_answer_score_max as score_max,
                scored.band,
                null as rejection_reason,
                md5(concat_ws(chr(10), verbalizer_prompt, atom_text, incorrect_plausible_answer))
                    [:8] as texts,
            from train
            left join scored_probes as scored using (source_model, doc_id, slot_idx)
            union all by name
            select doc_id, slot_idx::integer as slot_idx, scope, rejection_reason
            from rejections
            order by doc_id, slot_idx
        ) to '{tmp_path / "slots.csv"}'
        """
    )
    found, expected = (tmp_path / "slots.csv").read_text(), EXPECTED.read_text()
    changed = set(found.splitlines()) ^ set(expected.splitlines())
    assert found == expected, (
        f"{len(changed)} lines differ; if that is meant, copy {tmp_path / 'slots.csv'} to "
        f"{EXPECTED}"
    )
