"""The columns of the published table are a promise: more may follow, none of these changes."""

from __future__ import annotations

import csv
import re

import pytest
import yaml
from conftest import ROOT

FIRST_RELEASE = """
doc VARCHAR
scope VARCHAR
verbalizer_prompt VARCHAR
context VARCHAR
atom_text VARCHAR
target_response VARCHAR
incorrect_plausible_answer VARCHAR
bb_answer_rollout_answers VARCHAR[]
bb_answer_rollout_scores DOUBLE[]
bb_answer_score_mean DOUBLE
bb_answer_score_max DOUBLE
bb_answer_score_min DOUBLE
row_seed BIGINT
doc_id VARCHAR
doc_source VARCHAR
doc_idx BIGINT
split_char_offset BIGINT
row_splits STRUCT(word_lens BIGINT, sentence BIGINT, paragraph BIGINT, whole BIGINT)
doc_choice_rationale VARCHAR
split_rationale VARCHAR
slot_idx DOUBLE
target VARCHAR
typicality VARCHAR
abs_index DOUBLE
signed_index DOUBLE
signed_index_hint DOUBLE
actual_word_distance_from_split DOUBLE
synergy_check VARCHAR
distribution_check VARCHAR
difficulty_check VARCHAR
source VARCHAR
n_tokens_actual DOUBLE
tokenizer VARCHAR
generator_model VARCHAR
source_model VARCHAR
"""


def test_the_columns_of_the_first_release_keep_name_order_and_type():
    models = yaml.safe_load((ROOT / "models/publication/_models.yml").read_text())["models"]
    (train,) = [model for model in models if model["name"] == "train"]
    listed = [f"{column['name']} {column['data_type']}" for column in train["columns"]]
    promised = FIRST_RELEASE.strip().splitlines()
    assert listed[: len(promised)] == promised


# Names that models write, by what they are: the model, and a pattern around the name.
WRITTEN = [
    ("unscored_reason", "scores/arm_scores", r"then '(\w+)'"),
    ("answer_format", "publication/requests", r"'(strict JSON|mended|no JSON)'"),
    ("outcome", "publication/requests", r"then '(never taken|open|unusable)'"),
    ("outcome", "rollouts/rollout_quality", r"(?:then|else) '([\w ]+)'"),
    ("reason", "rollouts/cut_rollouts", r"(?:then|else) '(\w+)'"),
    ("reason", "rollouts/tail_starts", r"'(\w+)' as reason"),
    ("reason", "rollouts/prefix_eligibility", r"then '(\w+)'"),
    ("reason", "rollouts/prefixes", r"then '(\w+)'"),
    ("reason", "rollouts/rollout_eligibility", r"then '(\w+)'"),
    ("comparison", "evaluation/controls/score_pairs", r"'(retest|second judge|human)'"),
    ("measure", "evaluation/controls/arm_lift", r"'(mean score|share not hard|share easy)'"),
]


@pytest.mark.parametrize(("kind", "model", "pattern"), WRITTEN)
def test_every_name_that_a_model_writes_is_explained(kind, model, pattern):
    with (ROOT / "seeds" / "names.csv").open() as file:
        explained = {row["name"] for row in csv.DictReader(file) if row["kind"] == kind}
    written = set(re.findall(pattern, (ROOT / "models" / f"{model}.sql").read_text()))
    assert written
    assert written <= explained
