"""Controls: other arms of the same probes, none of which is published as an answer."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from conftest import HOME, Checkout, copy_of
from stand_in import StandIn
from test_whole_runs import RUN, files_of

from latent_probes.common import sql
from latent_probes.common.home import Home
from latent_probes.evaluation import ratings
from latent_probes.table_files import FileError

pytestmark = pytest.mark.rounds

ARMS = ("question_only", "other_document", "full_complement", "full_information")
CHECKS = ("judge_anchors", "judge_retest")


def set_controls(checkout: Checkout, *lines: str) -> None:
    """Write seeds/round_controls.csv anew."""
    controls = checkout.folder / "seeds" / "round_controls.csv"
    header = controls.read_text().splitlines()[0]
    controls.write_text("\n".join([header, *lines]) + "\n")


def requests_of(checkout: Checkout) -> dict[str, int]:
    """The attempts at each request that was ever intended."""
    return dict(checkout.query("select request_id, count(*) from requests group by all", "landing"))


@pytest.fixture(scope="module")
def controlled(finished_once, tmp_path_factory) -> Checkout:
    """The finished round, to which controls were added. Not to be changed."""
    folder = tmp_path_factory.mktemp("controlled") / "checkout"
    checkout = copy_of(finished_once, folder)
    set_controls(checkout, *(f"1,{name},0.5,," for name in (*ARMS, *CHECKS)))
    checkout.runs(*RUN)
    return checkout


def test_controls_of_a_started_round_are_only_more_requests(controlled, finished_once):
    before, after = requests_of(finished_once), requests_of(controlled)
    assert before.items() <= after.items()
    n_asked = controlled.query("select sum(n_answers_asked) from arm_coverage")[0][0]
    ((n_checks,),) = controlled.query(
        "select count(*) from judge_scores where anchor is not null or replicate = 2"
    )
    assert len(after) == 20 + 2 * n_asked + n_checks
    assert controlled.query(
        "select arm from arm_coverage where n_scored = n_asked and n_asked > 40 order by arm"
    ) == [("complement",), ("full_information",), ("other_document",), ("question_only",)]


def test_controls_change_nothing_that_is_published(controlled, finished_once):
    controlled.runs("latent-probes", "export")
    data = (HOME, "export", "data")
    assert files_of(controlled.folder.joinpath(*data)) == files_of(
        finished_once.folder.joinpath(*data)
    )


def test_the_baseline_says_the_passage_that_it_is_shown(controlled):
    means = dict(controlled.query("select arm, avg(score_mean) from arm_scores group by arm"))
    assert means["full_information"] > 0.8
    assert means["question_only"] < means["full_information"] / 2
    assert means["other_document"] < means["full_information"] / 2


def test_a_control_is_asked_of_the_same_probes_in_every_arm(controlled):
    assert controlled.query(
        "select count(distinct arms) from (select list(distinct arm order by arm) as arms "
        "from probe_arms where arm not in ('complement', 'full_complement') group by probe_id)"
    ) == [(1,)]


def test_the_judge_is_held_against_anchors_and_against_itself(controlled):
    errors = dict(
        controlled.query("select anchor, error_rate_easy from judge_anchors where scope = 'all'")
    )
    assert len(errors) == 6
    # The baseline counts words, and the atom has all of them.
    assert errors["atom"] == errors["empty"] == errors["target_of_another"] == 0
    assert controlled.query(
        "select comparison, flip_rate_middle, alpha, alpha_low, alpha_high from judge_agreement "
        "where scope = 'all'"
    ) == [("retest", 0.0, 1.0, None, None)]


def test_people_score_what_the_judge_was_shown(controlled, tmp_path):
    folder = tmp_path / "checkout"
    checkout = copy_of(controlled, folder)
    sheet = folder / "sheet.csv"
    assert "wrote 40 answers" in checkout.runs(
        "latent-probes", "write-sheet", str(sheet), "--answers=40"
    )
    assert "already exists" in checkout.fails("latent-probes", "write-sheet", str(sheet))
    with sheet.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    judged = dict(
        checkout.query("select answer_request_id, score from judge_scores where replicate = 1")
    )
    for row in rows[:30]:
        row["score"] = f"{1 - judged[row['answer_id']]:.2f}"
    rows[30]["score"] = "1.5"
    write_sheet(sheet, rows)
    land = ("latent-probes", "land-ratings", str(sheet), "--rater", "anna")
    assert "row 31: score is 1.5, not a score from 0 to 1" in checkout.fails(*land)
    assert checkout.query("select count(*) from human_ratings", "landing") == [(0,)]
    rows[30]["score"] = ""
    write_sheet(sheet, [rows[0] | {"answer_hash": "another"}, *rows[1:]])
    assert "row 1: " in (refused := checkout.fails(*land)) and "write the sheet again" in refused
    assert checkout.query("select count(*) from human_ratings", "landing") == [(0,)]
    write_sheet(sheet, rows)
    assert "landed 30 of 30 scores" in checkout.runs(*land)
    assert "landed 0 of 30 scores" in checkout.runs(*land)
    checkout.runs("latent-probes", "status")
    ((n_answers, alpha),) = checkout.query(
        "select n_answers, alpha from judge_agreement "
        "where comparison = 'human' and other_rater = 'anna' and scope = 'all'"
    )
    assert n_answers == 30
    assert alpha < 0


def write_sheet(path, rows: list[dict]) -> None:
    """Write a sheet as a spreadsheet would, with the mark of its encoding."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        sheet = csv.DictWriter(file, rows[0])
        sheet.writeheader()
        sheet.writerows(rows)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("answer_id,score\na,1\n", "no column 'answer_hash' among answer_id, score"),
        ("answer_id,answer_hash,score\na,h,nan\n", "row 1: score is nan, not a score"),
        ("answer_id,answer_hash,score\na,h,0.5\na,h,0.6\n", "row 2: a is scored twice"),
        ("answer_id,answer_hash,score\n,h,0.5\n", "row 1: answer_id or answer_hash is missing"),
        ("answer_id,answer_hash,score\na,h,\n", "contains no scores"),
        (
            'answer_id,answer_hash,score\n"a,h,1\n',
            "row 1 .line 2.: unexpected end of data; close the quote",
        ),
    ],
)
def test_a_sheet_with_a_fault_lands_nothing(text, fault, tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(text)
    here = Home(tmp_path, tmp_path / "home")
    with pytest.raises((ratings.RatingError, FileError), match=fault):
        ratings.land_ratings(here, sheet, "anna")
    assert not here.landing.exists()


def test_no_cell_of_a_sheet_is_a_formula():
    assert ratings.plain("=1+1") == "'=1+1"
    assert ratings.plain("A - b") == "A - b"


def test_a_control_that_asks_too_much_or_the_wrong_model_is_refused_before_a_run_asks(checkout):
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    set_controls(checkout, "1,question_only,10,,", "1,second_reader,0.1,,")
    said = checkout.fails(*RUN)
    assert "line 2, share: 10.0 is not a number from 0 to 1" in said
    assert "line 3, model: second_reader needs another model" in said
    assert requests_of(checkout) == {}


@pytest.mark.soak
def test_a_larger_share_asks_only_what_is_missing(controlled, tmp_path):
    folder = tmp_path / "checkout"
    checkout = copy_of(controlled, folder)
    before = requests_of(checkout)
    set_controls(checkout, "1,question_only,0.9,,", "1,full_information,0.5,,")
    checkout.runs(*RUN)
    after = requests_of(checkout)
    assert before.items() <= after.items()
    ((n_more,),) = checkout.query(
        "select 5 * (count(*) - (select count(*) from probe_arms where arm = 'full_information')) "
        "from probe_arms where arm = 'question_only'"
    )
    assert n_more > 0
    assert len(after) == len(before) + 2 * n_more


def longer_documents(checkout: Checkout) -> Path:
    """Five documents of the sample with three other prefixes before each, so that they are cut."""
    rows = [
        json.loads(line)
        for line in (checkout.folder / "sample/rollouts.jsonl").read_text().splitlines()
    ]
    prefixes = {row["doc_id"]: row["prefix"] for row in rows}
    doc_ids = list(prefixes)
    path = checkout.folder / "longer.jsonl"
    with path.open("w") as file:
        for row in rows:
            if (place := doc_ids.index(row["doc_id"])) < 5:
                before = [prefixes[doc_ids[place + 5 * number]] for number in (1, 2, 3)]
                file.write(
                    json.dumps(row | {"prefix": "\n\n".join([*before, row["prefix"]])}) + "\n"
                )
    return path


def test_a_second_reader_is_planned_asked_and_paid_by_its_own_name(new_checkout, tmp_path):
    model, strong = "claude-haiku-4-5-20251001", "claude-haiku-5-5"
    with StandIn() as server:
        checkout = new_checkout(tmp_path).talking_to(server)
        checkout.set_rounds(f"1,3,2,gemma-3-270m,-2,3,{model},{model},{model},false")
        set_controls(
            checkout,
            f"1,second_reader,0.5,{strong},2",
            "1,full_complement,1,,1",
            f"1,second_judge,0.5,{strong},",
        )
        checkout.runs("latent-probes", "land", str(longer_documents(checkout)))
        said = checkout.runs("latent-probes", "plan")
        assert strong in said and "controls" in said.partition("Expected cost")[0]
        assert checkout.query(
            "select model, n_downstream, n_controls from planned_requests "
            "where stage = 'answerer' order by model"
        ) == [(model, 3 * 6 * (3 + 1), 3 * 6), (strong, 9 * 2, 9 * 2)]
        # What the plan says suffices, also while requests of it are in an open batch.
        run = ("latent-probes", "run", "--provider", "anthropic-batches", "--max-cost")
        limit = re.compile(r"would suffice \(about\): \$([\d.]+) at anthropic-batches")
        (enough,) = limit.findall(said)
        server.service.seconds = 600
        checkout.runs(*run, enough, "--once")
        assert checkout.query("select count(*) from responses", "landing") == [(0,)]
        (still_enough,) = limit.findall(checkout.runs("latent-probes", "plan"))
        assert float(still_enough) == pytest.approx(float(enough), rel=0.1)
        server.service.seconds, server.service.seconds_ahead = 0, 700
        checkout.runs(*run, enough)
    ((n_readers, n_answers),) = checkout.query(
        "select n_scored, n_answered from arm_coverage where arm = 'second_reader'"
    )
    assert n_readers > 0
    assert n_answers == 2 * n_readers
    assert checkout.query(
        f"select n_succeeded, usd > 0 from spend where stage = 'answerer' and model = '{strong}'"
    ) == [(n_answers, True)]
    assert checkout.query(
        "select n_asked, n_scored from arm_coverage where arm = 'full_complement'"
    ) == checkout.query(
        "select count(*), count(*) from probe_scores where complement_was_cut having count(*) > 0"
    )
    assert checkout.query(
        "select comparison, other_rater, n_answers = 3 * n_probes, alpha from judge_agreement "
        "where scope = 'all'"
    ) == [("second judge", strong, True, 1.0)]
    # What is cut from the published complement, for Inspect, is what was shown in the queue.
    excerpt = sql.excerpt("context", "published_probes.target", "4000")
    assert checkout.query(
        f"select distinct excerpt = {excerpt} from answerer_inputs "
        "join answerer_requests using (request_id) join published_probes using (probe_id) "
        "where arm = 'complement'"
    ) == [(True,)]
