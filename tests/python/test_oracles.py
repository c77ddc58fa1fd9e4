"""Evaluated methods: their answers land, are judged, and are compared fairly."""

from __future__ import annotations

import json
import shutil

import duckdb
import pytest
from conftest import Checkout
from scripted_models import READER, ScriptedModels
from stand_in import StandIn
from test_whole_runs import files_of

from latent_probes.common.home import Home
from latent_probes.evaluation import answers_file, oracles
from latent_probes.queue import rendering

pytestmark = pytest.mark.rounds

COLUMNS = ("doc_id", "slot_idx", "answer")
PAID = ("--provider", "anthropic-batches", "--max-cost", "50")
RUN = ("latent-probes", "run", *PAID)


def build_of(checkout: Checkout) -> str:
    """The state of the exported probes."""
    return json.loads((checkout.home / "export" / "manifest.json").read_text())["build"]


def evaluate(checkout: Checkout, name: str, condition: str, file, *more: str) -> tuple[str, ...]:
    """The command that evaluates the answers of a file."""
    return (
        *("latent-probes", "evaluate", "--name", name, "--condition", condition),
        *("--answers", str(file), "--build", build_of(checkout), *more),
    )


def write(checkout: Checkout, name: str, query: str):
    """A Parquet file of answers, made of the published probes."""
    file = checkout.folder / f"{name}.parquet"
    with duckdb.connect() as connection:
        data = checkout.home / "export" / "data" / "*.parquet"
        connection.execute(f"create view train as from '{data}'")
        connection.execute(f"copy ({query}) to '{file}'")
    return file


def fresh_blind_answers(checkout: Checkout, models: ScriptedModels):
    """What the reader of the text says when it is asked once more."""
    with duckdb.connect(str(checkout.home / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select probes.doc_id, probes.slot_idx, inputs.* from answerer_inputs as inputs "
            "join answerer_requests as requests using (request_id) "
            "join probes using (probe_id) where arm = 'complement' order by inputs.request_id"
        )
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    answers: dict[tuple, list[str]] = {}
    for row in rows:
        said = models.answer(
            READER, rendering.render("answerer", row), f"fresh {row['request_id']}"
        )
        answers.setdefault((row["doc_id"], row["slot_idx"]), []).append(said)
    file = checkout.folder / "fresh.jsonl"
    file.write_text(
        "".join(
            json.dumps({"doc_id": doc_id, "slot_idx": slot_idx, "answers": said}) + "\n"
            for (doc_id, slot_idx), said in answers.items()
        )
    )
    return file


@pytest.fixture(scope="module")
def evaluated(new_checkout, tmp_path_factory) -> Checkout:
    """A round of models with known rates, and methods evaluated on it. Not to be changed."""
    models = ScriptedModels()
    with StandIn(answer=models.answer) as server:
        checkout = new_checkout(tmp_path_factory.mktemp("evaluated")).talking_to(server)
        checkout.set_rounds(f"1,14,1,gemma-3-270m,-2,5,{READER},{READER},{READER},false")
        checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
        checkout.runs(*RUN)
        checkout.runs("latent-probes", "export")
        shutil.copytree(checkout.home / "export" / "data", checkout.folder / "data")
        perfect = write(
            checkout,
            "perfect",
            "select doc_id, slot_idx, atom_text as answer, -1.0 as logp_atom, -2.0 as logp_ipa "
            "from train",
        )
        wrong = write(
            checkout,
            "wrong",
            "select doc_id, slot_idx, incorrect_plausible_answer as answer, -2.0 as logp_atom, "
            "-1.0 as logp_ipa from train",
        )
        # One that says nothing of some probes, and leaves others out.
        some = write(
            checkout,
            "some",
            "select doc_id, slot_idx, if(slot_idx % 2 = 0, '', atom_text) as answer from train "
            "where scope in ('sentence', 'word') and slot_idx != 11",
        )
        here, build = Home(checkout.folder, checkout.home), build_of(checkout)
        for condition in ("no_state", "other_document_state"):
            oracles.land_answers(here, "perfect", condition, wrong, build)
        for condition in ("real_state", "no_state", "other_document_state"):
            oracles.land_answers(here, "stateless", condition, wrong, build)
        oracles.land_answers(here, "wrong", "real_state", wrong, build)
        oracles.land_answers(here, "some", "real_state", some, build)
        oracles.land_answers(
            here, "fresh", "no_state", fresh_blind_answers(checkout, models), build
        )
        said = checkout.runs(*evaluate(checkout, "perfect", "real_state", perfect, *PAID))
        assert "Requests to send" in said
    return checkout


def board(checkout: Checkout) -> dict[str, tuple]:
    """The leaderboard: place, headline and its interval, and reason for no place, by method."""
    return {
        oracle: row
        for oracle, *row in checkout.query(
            "select oracle, place, headline, headline_low, headline_high, no_place_reason "
            "from oracle_leaderboard where is_headline"
        )
    }


def lift(checkout: Checkout, oracle: str) -> tuple:
    """The lift without a state on HARD probes, and its interval."""
    (found,) = checkout.query(
        "select lift, lift_low, lift_high from oracle_scores "
        f"where oracle = '{oracle}' and condition = 'no_state' and scope = 'all' "
        "and target = 'all' and typicality = 'all' and fold = 'all' and band = 'hard'"
    )
    return found


def test_a_perfect_method_is_at_the_top_and_one_that_reads_no_state_below_it(evaluated):
    places = board(evaluated)
    place, headline, low, high, reason = places["perfect"]
    assert (place, reason) == (1, None)
    # It is 1 in each of 11 documents: 29 % of all, not seen, could have the opposite.
    assert 0.4 < low < headline == high == 1
    place, headline, low, high, reason = places["stateless"]
    assert (place, headline, reason) == (2, 0.0, None)
    assert low == -high < 0
    assert (evaluated.home / "oracle_leaderboard.png").stat().st_size > 5_000


def test_a_method_without_a_control_is_on_the_board_with_the_reason(evaluated):
    no_control = "no answers from no_state and other_document_state"
    no_state_read = "no answers from real_state"
    assert {oracle: row for oracle, row in board(evaluated).items() if row[0] is None} == {
        "wrong": [None, None, None, None, no_control],
        "some": [None, None, None, None, no_control],
        "fresh": [None, None, None, None, no_state_read],
        "text-only answerer": [None, None, None, None, "the baseline of all methods"],
    }


def test_new_answers_of_a_blind_reader_have_no_lift(evaluated):
    mean, low, high = lift(evaluated, "fresh")
    assert low <= 0 <= high
    # Held against the answers that chose the bands, they would have one.
    ((flattered,),) = evaluated.query(
        "select avg(oracle_probes.score_mean - probe_scores.score_mean) from oracle_probes "
        "join probe_scores using (probe_id) where oracle = 'fresh' and band = 'hard'"
    )
    assert flattered > max(mean, 0.05)


def test_the_blind_answerer_has_no_lift(evaluated):
    assert lift(evaluated, "text-only answerer") == (0.0, None, None)


@pytest.mark.soak
def test_the_baseline_answers_by_itself(finished):
    command = ("latent-probes", "evaluate", "--name", "lexical", "--condition", "no_state")
    said = finished.runs(*command, "--provider", "lexical")
    assert "Methods" in said
    assert finished.query(
        "select oracle, n_missing, n_unscored, no_place_reason from oracle_leaderboard "
        "where is_headline order by oracle"
    ) == [
        ("lexical", 0, 0, "no answers from real_state"),
        ("text-only answerer", 0, 0, "the baseline of all methods"),
    ]
    assert "--answers is missing" in finished.fails(
        *("latent-probes", "evaluate", "--name", "m", "--condition", "no_state")
    )


def test_the_effect_of_the_state_is_separate_from_what_was_learned(evaluated):
    assert evaluated.query(
        "select oracle, condition, difference > 0.5, difference_low > 0 "
        "from oracle_state_effects where band = 'hard' and scope = 'all' and target = 'all' "
        "and fold = 'all' order by oracle, condition"
    ) == [
        (oracle, condition, is_read, is_read)
        for oracle, is_read in (("perfect", True), ("stateless", False))
        for condition in ("no_state", "other_document_state")
    ]


def test_missing_and_empty_answers_count_and_score_nothing(evaluated):
    ((n_probes, n_missing, n_empty, n_scored),) = evaluated.query(
        "select n_probes, n_missing, n_empty, n_scored from oracle_scores "
        "where oracle = 'some' and scope = 'all' and target = 'all' and fold = 'all' "
        "and band = 'all'"
    )
    ((n_sentences, n_left_out, n_silent),) = evaluated.query(
        "select count(*), count(*) filter (where slot_idx = 11), "
        "count(*) filter (where slot_idx % 2 = 0) from train where scope = 'sentence'"
    )
    assert (n_probes, n_missing) == (n_sentences, n_left_out)
    assert n_scored == n_sentences
    assert n_empty == n_silent
    assert n_missing > 0


def test_words_and_lenses_are_compared_by_their_letters(evaluated):
    assert evaluated.query(
        "select oracle, score_mean, contrast_accuracy, common_share > 0.99, common_share < 0.2 "
        "from oracle_scores where scope = 'lens' and target = 'all' and typicality = 'all' "
        "and fold = 'all' and condition = 'real_state' and oracle in ('perfect', 'wrong') "
        "order by oracle"
    ) == [("perfect", 1.0, 1.0, True, False), ("wrong", 0.0, 0.0, False, True)]


def test_a_text_is_judged_once_whoever_said_it(evaluated):
    ((n_judged, n_texts),) = evaluated.query(
        "select count(score), count(distinct (probe_id, oracle_answer_hash)) "
        "from judge_scores where oracle_answer_hash is not null"
    )
    ((n_said,),) = evaluated.query(
        "select count(distinct (probe_id, answer_hash)) from oracle_answers where answer != ''",
        "landing",
    )
    assert n_judged == n_texts
    assert 200 < n_judged < n_said


def test_an_evaluation_changes_no_published_probe_and_passes_every_test(evaluated):
    evaluated.runs("latent-probes", "export")
    assert files_of(evaluated.home / "export" / "data") == files_of(evaluated.folder / "data")


def test_the_card_shows_the_methods_once_there_are_any(evaluated):
    evaluated.runs("latent-probes", "export")
    export = evaluated.home / "export"
    shown = (export / "README.md").read_text()
    assert "\n| 1 | `perfect` |" in shown
    assert "(oracle_leaderboard.png)" in shown
    paths = [file["path"] for file in json.loads((export / "manifest.json").read_text())["files"]]
    assert "oracle_leaderboard.png" in paths
    evaluated.runs("latent-probes", "check")


def test_a_probe_is_answered_once_whether_or_not_a_row_names_its_model(tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("source_model,doc_id,slot_idx,answer\nm,d,1,x\n,d,1,y\n")
    with duckdb.connect() as connection:
        connection.execute(
            "create table probes as select 'p' as probe_id, 'm' as source_model, 'd' as doc_id, "
            "1.0 as slot_idx, 1 as round_number"
        )
        connection.execute(
            "create table round_settings as select 1 as round_number, 'started' as state, "
            "false as is_calibration"
        )
        with pytest.raises(oracles.OracleError, match="row 1: the probe is answered twice"):
            answers_file.read(connection, file)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (
            ["no-such,1,x"],
            "row 1: no such probe has been published as doc_id 'no-such', slot_idx 1;",
        ),
        (["{doc},1,x", "{doc},1,y"], "row 1: the probe is answered twice"),
        (["{doc},,x"], "row 1: slot_idx is null"),
        (["{doc},one,x"], "row 1: slot_idx is one, not the number of a slot"),
        ([",1,x"], "row 1: doc_id is null"),
    ],
)
def test_a_file_with_a_fault_lands_nothing(finished, rows, fault):
    ((doc_id,),) = finished.query("select min(doc_id) from train")
    file = finished.folder / "answers.csv"
    lines = [",".join(COLUMNS), *(row.format(doc=doc_id) for row in rows)]
    file.write_text("\n".join(lines) + "\n")
    assert fault in finished.fails(*evaluate(finished, "m", "real_state", file))
    assert finished.query("select count(*) from oracle_answers", "landing") == [(0,)]


def test_answers_of_another_set_are_refused_and_what_landed_stays(finished):
    home = Home(finished.folder, finished.home)
    build = build_of(finished)
    file = write(finished, "m", "select doc_id, slot_idx, 'x' as answer from train")
    with pytest.raises(oracles.OracleError, match="the data set is"):
        oracles.land_answers(home, "m", "real_state", file, "another")
    with pytest.raises(oracles.OracleError, match="not one of real_state"):
        oracles.land_answers(home, "m", "imagined", file, build)
    n_landed, n_rows = oracles.land_answers(home, "m", "real_state", file, build)
    assert n_landed == n_rows > 100
    assert oracles.land_answers(home, "m", "real_state", file, build) == (0, n_rows)
    other = write(finished, "other", "select doc_id, slot_idx, 'y' as answer from train")
    with pytest.raises(oracles.OracleError, match="use another --name"):
        oracles.land_answers(home, "m", "real_state", other, build)
    assert finished.query("select distinct answer from oracle_answers", "landing") == [("x",)]


@pytest.mark.parametrize(
    "name", ["text-only answerer", " Text-Only Answerer", "lexical", "Lexical"]
)
def test_a_file_has_no_name_of_a_baseline(finished_once, tmp_path, name):
    file = tmp_path / "answers.parquet"
    data = finished_once.home / "export" / "data" / "*.parquet"
    duckdb.sql(f"copy (select doc_id, slot_idx, 'x' as answer from '{data}') to '{file}'")
    home = Home(finished_once.folder, finished_once.home)
    with pytest.raises(oracles.OracleError, match="a baseline that answers by itself"):
        oracles.land_answers(home, name, "no_state", file, build_of(finished_once))
    assert finished_once.query("select count(*) from oracle_answers", "landing") == [(0,)]


def test_two_methods_differ_in_more_than_case(finished):
    home = Home(finished.folder, finished.home)
    file = write(finished, "m", "select doc_id, slot_idx, 'x' as answer from train limit 1")
    build = build_of(finished)
    for name in ("My method", " My method "):
        oracles.land_answers(home, name, "real_state", file, build)
    with pytest.raises(oracles.OracleError, match="differs from 'My method'"):
        oracles.land_answers(home, "my Method", "no_state", file, build)
    assert finished.query("select count(*) from oracle_answers", "landing") == [(1,)]


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (
            "'x' as answer, 'nan'::double as logp_atom, -1.0 as logp_ipa",
            "nan, not a log-prob",
        ),
        ("'x' as answer, 0.5 as logp_atom, -1.0 as logp_ipa", "0.5, not a log-probability"),
        ("'x' as answer, -1.0 as logp_atom", "one of logp_atom and logp_ipa is missing"),
        ("[]::varchar[] as answers", "answers is an empty list"),
        ("['x', null] as answers", "a text in the list answers is null"),
        ("['x'] as answers, 'x' as answer", "both answer and answers"),
        ("1 as other", "neither answer nor answers"),
    ],
)
def test_a_row_with_a_fault_is_named(finished_once, tmp_path, columns, fault):
    file = tmp_path / "answers.parquet"
    data = finished_once.home / "export" / "data" / "*.parquet"
    duckdb.sql(f"copy (select doc_id, slot_idx, {columns} from '{data}' limit 1) to '{file}'")
    home = Home(finished_once.folder, finished_once.home)
    with pytest.raises(oracles.OracleError, match=f"row 1: .*{fault}"):
        oracles.land_answers(home, "m", "real_state", file, build_of(finished_once))
