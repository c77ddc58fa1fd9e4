"""The Inspect task, run with Inspect's mock model over published files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import duckdb
import pytest
import yaml
from conftest import ROOT

inspect_ai = pytest.importorskip("inspect_ai", reason="the extra inspect is not installed")
pytestmark = pytest.mark.inspect

from inspect_ai.model import ModelOutput, ModelUsage, get_model  # noqa: E402

from latent_probes.evaluation import inspect_task  # noqa: E402
from latent_probes.providers import lexical  # noqa: E402


def mock(answer, stop_reason="stop"):
    """Inspect's mock model, answering a prompt by a function."""

    def reply(messages, tools, tool_choice, config) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", answer(messages[-1].text), stop_reason)
        # Else Inspect fetches a tokenizer to count tokens with.
        output.usage = ModelUsage()
        return output

    return get_model("mockllm/model", custom_outputs=reply, memoize=False)


@pytest.fixture(scope="module")
def export(finished_once):
    """The published files of the demo."""
    return finished_once.home / "export"


def evaluated(export, tmp_path, judge=lexical.judge_answer, stop_reason="stop", **options):
    """The log of an evaluation of the offline baseline."""
    (log,) = inspect_ai.eval(
        inspect_task.written_probes(str(export), **options),
        model=mock(lambda prompt: lexical.answer_question(prompt, "inspect")),
        model_roles={"grader": mock(lambda prompt: judge(prompt, "inspect"), stop_reason)},
        display="none",
        log_dir=str(tmp_path / "logs"),
    )
    return log


def test_every_written_probe_is_asked_and_judged_by_the_prompts_of_the_queue(
    export, tmp_path, finished_once
):
    log = evaluated(export, tmp_path)
    assert log.status == "success", log.error
    written = finished_once.query("select count(*) from train where scope not in ('word', 'lens')")
    assert len(log.samples) == written[0][0]
    metrics = {score.name: score.metrics for score in log.results.scores}
    (of_judge,) = metrics.values()
    assert {"sentence", "paragraph", "whole", "all"} <= set(of_judge)
    scores = [sample.scores["judged"].value for sample in log.samples]
    assert of_judge["all"].value == pytest.approx(sum(scores) / len(scores))
    # The answerer is shown what it is shown in the queue.
    sample = log.samples[0]
    assert lexical.fenced(sample.input, "text") in sample.metadata["context"]
    assert lexical.fenced(sample.input, "question") == sample.metadata["verbalizer_prompt"]


@pytest.mark.parametrize(
    ("stop_reason", "n_asked"), [("max_tokens", inspect_task.MAX_ATTEMPTS), ("content_filter", 1)]
)
def test_a_judges_reply_that_is_incomplete_is_no_score(export, tmp_path, stop_reason, n_asked):
    asked = []

    def judge(prompt, key):
        asked.append(prompt)
        return "0.7"

    log = evaluated(export, tmp_path, judge, stop_reason, fold="test", max_score_below=0.2)
    assert log.status == "success", log.error
    values = [sample.scores["judged"].value for sample in log.samples if sample.scores]
    assert 0.7 not in values
    assert len(asked) == n_asked * len(set(asked))


def test_thinking_and_code_fences_are_read_as_in_the_queue(export, tmp_path):
    judged = []

    def judge(prompt, key):
        judged.append(prompt)
        return "<think>Is it 1?</think>0.7"

    (log,) = inspect_ai.eval(
        inspect_task.written_probes(str(export), fold="test"),
        model=mock(lambda prompt: "<think>He stays.</think>```\nHe goes.\n```"),
        model_roles={"grader": mock(lambda prompt: judge(prompt, "inspect"))},
        display="none",
        log_dir=str(tmp_path / "logs"),
    )
    assert log.status == "success", log.error
    assert {lexical.fenced(prompt, "answer") for prompt in judged} == {"He goes."}
    assert {sample.scores["judged"].value for sample in log.samples} == {0.7}


def test_a_fold_and_a_band_can_be_chosen(export, tmp_path, finished_once):
    log = evaluated(export, tmp_path, fold="test", max_score_below=0.4)
    chosen = finished_once.query(
        "select source_model || ' ' || doc_id || ' ' || slot_idx::bigint "
        "from train join folds using (source_model, doc_id) "
        "where fold = 'test' and bb_answer_score_max < 0.4 order by source_model, doc_id, slot_idx"
    )
    assert [sample.id for sample in log.samples] == [name for (name,) in chosen]
    assert len(chosen) > 0


def test_a_probe_is_shown_as_much_as_its_own_round_showed(export, tmp_path):
    for folder in ("data", "folds", "rounds"):
        shutil.copytree(export / folder, tmp_path / folder)
    for table, change in {
        "folds": "replace (if(fold = 'test', 2, 1) as round_number)",
        "rounds": "replace (unnest([1, 2]) as round_number, unnest([100, 50]) as "
        "complement_characters)",
    }.items():
        path = tmp_path / table / "train-all.parquet"
        duckdb.sql(f"create or replace temp table changed as select * {change} from '{path}'")
        duckdb.sql(f"copy changed to '{path}'")
    samples = inspect_task.samples(str(tmp_path), None, None)
    longest = {
        fold: max(
            len(sample.metadata["excerpt"]) for sample in samples if sample.metadata["fold"] == fold
        )
        for fold in ("train", "test")
    }
    assert longest == {"train": 100, "test": 50}


def test_an_invalid_score_of_the_judge_is_a_failure(export, tmp_path):
    log = evaluated(export, tmp_path, judge=lambda prompt, name: "1.5", fold="test")
    assert log.status == "success", log.error
    assert all(sample.scores["judged"].reason == "scoring_failed" for sample in log.samples)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", 0.5), (" 1 \n", 1), ("0", 0), ("1.01", None), ("nan", None), ("5e-1", None)],
)
def test_a_score_is_one_decimal_from_0_to_1(text, value):
    assert inspect_task.evaluated("stated_score", text) == value


@pytest.mark.parametrize(("text", "is_blank"), [("", True), ("\u200b\u00a0\n", True), (".", False)])
def test_an_answer_without_a_visible_character_is_blank(text, is_blank):
    assert inspect_task.evaluated("is_blank", text) is is_blank


def test_the_judge_is_asked_as_often_as_in_the_queue():
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text())
    assert project["vars"]["latent_probes"]["max_attempts"] == inspect_task.MAX_ATTEMPTS


def test_the_answers_of_a_log_can_be_evaluated_here(export, tmp_path):
    evaluated(export, tmp_path)
    (log,) = (tmp_path / "logs").glob("*.eval")
    (recipe,) = re.findall(
        r"```python\n(from inspect_ai.*?)```", (ROOT / "docs/oracles.md").read_text(), re.DOTALL
    )
    code = recipe.replace("logs/LOG.eval", str(log))
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert rows
    assert set(rows[0]) == {"source_model", "doc_id", "slot_idx", "answer"}
