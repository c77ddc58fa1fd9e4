"""Each data test finds a planted violation of the fact that it states."""

from __future__ import annotations

import fnmatch
import re

import pytest
from conftest import ROOT, compiled_project, manifest, warehouse_copy

from latent_probes.common.home import Home
from latent_probes.warehouse import WarehouseError, builds

# A view is made a table first, so that it can be changed.
PUBLISHED = [
    "create table changed as from published_probes",
    "drop view published_probes cascade",
    "alter table changed rename to published_probes",
]
TRAIN = [
    "create table changed as from train",
    "drop view train",
    "alter table changed rename to train",
]
PENDING = [
    "create table changed as from pending_requests",
    "drop view pending_requests cascade",
    "alter table changed rename to pending_requests",
]
ONE_SUFFIX = (
    "where (doc_id, slot_idx) in (select (doc_id, slot_idx) from probes "
    "where target = 'suffix' and is_written order by all limit 1)"
)

VIOLATIONS = {
    "calibration_levels_share_documents": [
        "insert into landing.calibration_documents values ('gemma-3-270m', 'unasked')",
        "insert into landing.calibration_rounds "
        "values (1, 1, 'gemma-3-270m', -2, 5, 'lexical', 'lexical', 'lexical', now())",
    ],
    "adopted_rows_stay_as_published": [
        "insert into landing.adopted_folds values (1, 'gemma-3-270m', 'other', 'other', 'train')"
    ],
    "open_or_answered_requests_are_not_pending": [
        *PENDING,
        "insert into pending_requests by name select request_id, 2 as attempt, stage, "
        "round_number, model, input_hash from all_requests limit 1",
    ],
    "probes_match_their_slot": [
        *TRAIN,
        "update train set split_char_offset = split_char_offset + 1 where slot_idx = 10",
    ],
    "answers_and_scores_keep_their_order": [
        *PUBLISHED,
        "update published_probes set bb_answer_rollout_answers = "
        "list_reverse(bb_answer_rollout_answers)",
    ],
    "answers_are_complete_or_null": [
        *PUBLISHED,
        "update published_probes set bb_answer_rollout_answers = bb_answer_rollout_answers[:4]",
    ],
    "band_changes_add_up": [
        "insert into band_changes by name select 'held_out' as comparison, 'all' as scope, "
        "'all' as band, 1 as n_probes"
    ],
    "commitment_adds_up": [
        "insert into commitment by name select probe_id, 1 as n_resamples from probes limit 1"
    ],
    "contrast_adds_up": [
        "insert into contrast by name select 'm' as method, 'total' as measure, 'word' as scope, "
        "'all' as target, 'all' as typicality, 'none' as lens_length, 1 as n_probes, 0.5 as auc"
    ],
    "findings_add_up": ["delete from finding_summary where scope = 'whole'"],
    "hardness_adds_up": ["update hardness_by_answers set re_solved = re_solved + 0.01"],
    "log_probabilities_are_numbers": [
        "insert into landing.local_scores by name select 'r' as reader_hash, 'p' as probe_id, "
        "'question' as form, 'i' as input_hash, 1 as n_shown_tokens, false as was_cut, "
        "[1] as atom_tokens, ['nan'::double] as atom_logprobs, [1] as wrong_answer_tokens, "
        "[-1.0] as wrong_answer_logprobs, '{}' as environment, now() as landed_at"
    ],
    "oracles_add_up": [
        "insert into oracle_scores by name select 'text-only answerer' as oracle, "
        "'no_state' as condition, 'all' as scope, 'all' as target, 'all' as band, 1 as n_probes, "
        "0.1 as lift"
    ],
    "arm_lift_adds_up": ["update arm_lift set n_probes = n_probes + 1 where scope = 'whole'"],
    "atoms_match_their_scope": [
        "update probes set atom_end = atom_end + 1 where scope = 'paragraph'"
    ],
    "atom_text_matches_its_span": [
        *PUBLISHED,
        f"update published_probes set atom_text = atom_text || ' ' {ONE_SUFFIX}",
    ],
    "committed_spend_covers_every_attempt": [
        "create table changed as from committed_spend",
        "drop view committed_spend",
        "alter table changed rename to committed_spend",
        "update committed_spend set spent_usd = spent_usd + 1 where stage = 'judge'",
    ],
    "context_is_the_whole_complement": [
        *TRAIN,
        f"update train set context = trim(context) || '.' {ONE_SUFFIX}",
    ],
    "anchors_and_pairs_add_up": [
        "insert into judge_scores by name select probe_id, 'atom' as anchor, 1.0 as score "
        "from probes limit 1"
    ],
    "excerpts_match_their_arm": [
        "update probe_arms set excerpt_end = excerpt_end + 1 where complement_was_cut = false"
    ],
    "nothing_but_the_complement_is_published": [
        *PUBLISHED,
        # The first answer is what somebody else said, as an answer of another arm would be.
        "update published_probes set bb_answer_rollout_answers = "
        "list_prepend('of another arm', bb_answer_rollout_answers[2:]) "
        "where bb_answer_rollout_answers is not null",
    ],
    "every_response_has_a_landed_request": [
        "insert into landing.responses (request_id, attempt, outcome, body, landed_at) "
        "values ('judge-unasked', 1, 'succeeded', '{}', now())"
    ],
    "every_slot_is_accounted_for": [
        "delete from slots where (doc_id, slot_idx) in "
        "(select (doc_id, slot_idx) from slots order by all limit 1)"
    ],
    "indices_point_to_the_target_side": ["update probes set signed_index = -signed_index"],
    "lenses_are_whole_tokens_next_to_the_split": [
        "update probes set n_tokens = n_tokens + 1 where scope = 'lens'"
    ],
    "no_request_is_asked_too_often": [
        *PENDING,
        "insert into pending_requests by name select request_id, 9 as attempt, stage, "
        "round_number, model, input_hash from all_requests limit 1",
        "drop view attempts cascade",
        "create table attempts as select request_id, n as attempt, 'failed' as state, input_hash "
        "from pending_requests cross join range(1, 9) as attempts (n)",
    ],
    "no_empty_text_or_nan": [*TRAIN, f"update train set synergy_check = '' {ONE_SUFFIX}"],
    "rollout_quality_adds_up": ["update rollout_quality set n_rollouts = n_rollouts + 1"],
    "rounds_share_no_document": [
        "insert into round_documents "
        "select 2, * exclude (round_number) from round_documents limit 1"
    ],
    "score_statistics_match_the_scores": [
        *TRAIN,
        "update train set bb_answer_score_max = bb_answer_score_max + 0.01",
    ],
    "scores_are_of_current_inputs": ["update judge_requests set input_hash = 'another'"],
    "sentences_remain_beside_each_split": [
        "update chosen_documents set sentences = sentences[:len(sentences) // 2]"
    ],
    "published_names_have_meanings": ["delete from names where kind = 'scope' and name = 'lens'"],
    "spend_counts_every_attempt": ["update spend set n_attempts = n_attempts - 1"],
    "spend_per_probe_adds_up": ["update spend_per_probe set usd = usd + 1 where stage = 'judge'"],
    "splits_lie_before_white_space": [
        "update splits set split_offset = split_offset - 1 where split_group = 'word_lens'"
    ],
    "suffix_atoms_are_the_source_models_text": [
        "update documents set prefix_length = text_length - 10"
    ],
    "sentences_match_the_landed_text": [
        "update continuation_sentences set text_hash = 'another' where position = 1"
    ],
    "summaries_add_up": ["update score_histogram set n_probes = n_probes + 1 where bin = 1"],
    "templated_responses_equal_their_atoms": [
        *TRAIN,
        "update train set target_response = 'another' where scope = 'word'",
    ],
    # Two columns of one type, swapped: a contract does not see it.
    "train_has_the_published_columns": [
        "create table kept as from train",
        "create or replace view train as select doc, scope, verbalizer_prompt, atom_text, context, "
        "* exclude (doc, scope, verbalizer_prompt, atom_text, context) from kept",
    ],
    "published_columns_are_listed": [
        *PUBLISHED,
        "alter table published_probes add column atom_length bigint",
    ],
    "typicality_follows_the_siblings": [
        "update probes set siblings_matched = 1 where typicality = 'atypical' and not is_written"
    ],
    "verbalizers_leak_nothing": [
        *TRAIN,
        f"update train set verbalizer_prompt = 'Is it ' || upper(atom_text) {ONE_SUFFIX}",
    ],
    "sent_requests_belong_to_started_rounds": ["delete from landing.started_rounds"],
    "words_are_counted_outward": [
        "update probes set signed_index = signed_index + 1 where scope = 'word'"
    ],
    # As if lenses of few tokens, of which most are neither typical nor atypical, were not drawn.
    "indices_follow_the_stated_draw": [
        "update templated_atoms set n = n + 6 where scope = 'lens' and target = 'suffix' and n < 4"
    ],
    "kept_text_ends_before_the_tail": [
        "update rollout_eligibility set kept_length = kept_length + 1 where cut_reason is null"
    ],
    "wrong_answers_are_wrong": [
        # What a continuation begins with that the round does not show.
        "update probes set incorrect_plausible_answer = (select max(left(rollouts.continuation, "
        "30)) from stg_rollouts as rollouts where rollouts.doc_id = probes.doc_id) "
        "where scope = 'lens' and n_tokens >= 4"
    ],
}

# Rules about the rows of a table, by the table and the rule that is reported: each kind of rule,
# and each fact that has a sentence of its own.
BROKEN_RULES = {
    ("probes", "probe_id is not null"): [
        "update probes set probe_id = null where slot_idx = 0",
    ],
    ("probe_marks", "there is a mark or a note"): [
        "drop table probe_marks",
        "create table probe_marks as select 'a' as rater, 'p' as probe_id, null::varchar as mark, "
        "null::varchar as note",
    ],
    ("probes", "probe_id is unique"): ["insert into probes from probes limit 1"],
    ("slots", "round_number, doc_id, slot_idx is unique"): ["insert into slots from slots limit 1"],
    ("requests", "n_requests is not null"): [
        "update requests set n_requests = null where stage = 'judge'"
    ],
    (
        "arm_answers",
        "state is one of pending, open, answered, stale, refused, failed, not_recorded",
    ): ["update arm_answers set state = 'lost' where answer_number = 2"],
    # With an underscore, since the names of other tables begin in the same way.
    ("commitment_", "recurrence_mean between 0 and 1"): [
        "insert into commitment by name select 'p' as probe_id, 'often' as recurrence, "
        "true as is_scored, 2 as recurrence_mean, 1 as other_mean"
    ],
    ("judge_requests", "answer_request_id is found in arm_answers.request_id"): [
        "update judge_requests set answer_request_id = 'unasked' "
        "where answer_request_id is not null"
    ],
    ("probes", "only suffix probes have a typicality"): [
        "update probes set typicality = 'typical' where target = 'prefix'"
    ],
    ("slots", "rejection_reason is null exactly when state != 'rejected'"): [
        "update slots set rejection_reason = null where state = 'rejected'"
    ],
    ("totals", "at most 1 row"): ["insert into totals from totals"],
    ("sibling_matches", "no more tokens recur than there are"): [
        "update sibling_matches set n_recurring = n_tokens + 1"
    ],
    ("probes", "an atom lies on the target side of its split"): [
        "update probes set target = if(target = 'suffix', 'prefix', 'suffix')"
    ],
    ("probes", "a distribution check is of a suffix"): [
        "update probes set distribution_check = 'rare' where target = 'prefix'"
    ],
    ("rejection_summary", "scopes add up"): ["update rejection_summary set n_slots = n_slots + 1"],
    ("responses", "every answer is used or has a problem"): [
        "update responses set is_usable = false where stage = 'judge'"
    ],
    ("train", "probes of the offline baseline are labelled as its own, and no others are"): [
        *TRAIN,
        "update train set source = 'haiku'",
    ],
    ("train", "no sentence, paragraph or whole can be copied from its context"): [
        *TRAIN,
        f"update train set context = context || atom_text {ONE_SUFFIX}",
    ],
}


@pytest.fixture(scope="module")
def tests() -> dict[str, dict]:
    """The data tests of the project, by their names."""
    nodes = manifest()["nodes"].values()
    return {node["name"]: node for node in nodes if node["resource_type"] == "test"}


def test_every_singular_test_has_a_violation():
    written = {path.stem for path in (ROOT / "tests").glob("*.sql")}
    assert written == set(VIOLATIONS)


def test_every_kind_of_rule_and_every_sentence_has_a_violation(tests):
    kinds, sentences = set(), set()
    for node in tests.values():
        metadata = node.get("test_metadata")
        if metadata and metadata["name"] == "rules":
            kinds |= set(metadata["kwargs"]) - {"model"}
            sentences |= set(metadata["kwargs"].get("holds", {}))
    shown = {rule for _, rule in BROKEN_RULES}
    assert sentences and sentences <= shown
    marks = {
        "key": " is unique",
        "unique": ", slot_idx is unique",
        "not_null": " is not null",
        "accepted_values": " is one of ",
        "between": " between ",
        "null_exactly_when": " is null exactly when ",
        "relationships": " is found in ",
        "max_rows": "at most ",
        "holds": "an atom lies ",
    }
    assert kinds <= set(marks)
    assert all(any(mark in rule for rule in shown) for mark in marks.values())


@pytest.fixture(scope="module")
def warehouse(finished_once, tmp_path_factory):
    """A copy of the finished warehouse and of its landing file, opened for writing."""
    with warehouse_copy(finished_once, tmp_path_factory.mktemp("damaged")) as connection:
        yield connection


@pytest.fixture
def failing(warehouse):
    """A function that changes the warehouse and returns the failing rows of one data test.

    The statement is the one that dbt compiled; afterwards the changes are taken back.
    """
    tests = compiled_project().tests

    def run(selected: str, *changes: str) -> list[dict]:
        (name,) = fnmatch.filter(tests, selected)
        warehouse.begin()
        for change in changes:
            warehouse.execute(change)
        found = warehouse.execute(f"from ({tests[name].statement}\n)")
        columns = [column for column, *_ in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

    yield run
    warehouse.rollback()


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_planted_violation_is_found(name, failing):
    assert failing(name, *VIOLATIONS[name])


def test_a_request_that_failed_before_its_input_changed_may_be_asked_again(failing):
    name = "no_request_is_asked_too_often"
    attempts = next(change for change in VIOLATIONS[name] if "'failed' as state" in change)
    earlier = attempts.replace("input_hash", "'before' as input_hash")
    changes = [earlier if change == attempts else change for change in VIOLATIONS[name]]
    assert failing(name, *changes) == []


@pytest.mark.parametrize(("table", "rule"), BROKEN_RULES)
def test_a_broken_rule_is_found_and_named(table, rule, failing):
    rows = failing(f"rules_{table}_*", *BROKEN_RULES[table, rule])
    assert rule in {row["rule"] for row in rows}


def test_a_command_prints_the_rows_that_fail(finished):
    """Those of a singular test and of a rule, each below the name of its test."""
    rule = "an atom lies on the target side of its split"
    here = Home(finished.folder, finished.home)
    finished.change(*BROKEN_RULES["probes", rule])
    selected = [name for name in compiled_project().tests if name.startswith("rules_probes_")]
    with pytest.raises(WarehouseError) as failed:
        builds.test(here, selected, "testing")
    sentence = r"test rules_probes_\w+ .*\n  rule: .*, violating_row: "
    assert re.search(sentence, str(failed.value))
    finished.change(*VIOLATIONS["atoms_match_their_scope"])
    with pytest.raises(WarehouseError) as failed:
        builds.test(here, ["atoms_match_their_scope"], "testing")
    sentence = r"test atoms_match_their_scope \(.*\) fails for .* rows, .*\n  \w+: "
    assert re.search(sentence, str(failed.value))
