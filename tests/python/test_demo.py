"""The demo: a round that a language model answered, replayed from `sample/responses.jsonl`."""

from __future__ import annotations

import json

import pytest
from conftest import ROOT, copy_of
from stand_in import StandIn

from latent_probes.common.files import hash_of
from latent_probes.providers import anthropic_api, recorded

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


def test_no_response_is_attributed_to_a_model_that_a_service_has(demo_once):
    """The version of the model that wrote them is not stated, and the card says so first."""
    with (ROOT / "sample" / "responses.jsonl").open() as file:
        lines = [json.loads(line) for line in file]
    assert {line["response_model"] for line in lines} == {recorded.BUNDLED_MODEL}
    assert not anthropic_api.serves(recorded.BUNDLED_MODEL)
    assert demo_once.query(
        "select models, recordings, n_responses, n_estimated from replayed_rounds"
    ) == [
        (
            [recorded.BUNDLED_MODEL],
            [f"responses.jsonl (SHA-256 {hash_of(ROOT / 'sample' / 'responses.jsonl')})"],
            len(lines),
            len(lines),
        )
    ]
    assert demo_once.query("select sum(n_estimated) from spend") == [(len(lines),)]
    card = (demo_once.home / "export" / "README.md").read_text()
    assert card.index("**Replayed from a recording**") < card.index("Each row is one probe")
    assert demo_once.query("select count(*) from requests where settings is not null") == [(0,)]


@pytest.mark.rounds
def test_a_round_for_claude_beside_the_demo_asks_for_itself_alone(demo_once, tmp_path):
    demo = copy_of(demo_once, tmp_path / "checkout")
    for name in ("landing.duckdb", "warehouse.duckdb"):
        (demo.home / name).unlink()
    demo.runs("latent-probes", "land", "sample/rollouts.jsonl")
    model = "claude-haiku-4-5-20251001"
    demo.add_round(f"2,3,2,gemma-3-270m,-2,5,{model},{model},{model},false")
    with StandIn() as server:
        person = demo.talking_to(server)
        person.runs(
            "latent-probes", "run", "--provider", "anthropic-batches", "--max-cost", "1", "--once"
        )
    asked = "select model, count(*) from requests group by model"
    assert demo.query(asked, "landing") == [(model, 3)]


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
