"""An Inspect task: the written probes of a published data set, scored with this project's judge.

Needs the extra ``inspect``. By default, the evaluated model sees the complement, as the answerer
does. A method that reads hidden states is a custom solver; document, split and question are in each
sample's metadata. See docs/oracles.md.
"""

from __future__ import annotations

from typing import Any

import duckdb
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, get_model
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate

from latent_probes.common import sql
from latent_probes.queue import rendering

# The same number of attempts as in the queue.
MAX_ATTEMPTS = 3


@task
def written_probes(
    data: str = "export", fold: str | None = None, max_score_below: float | None = None
) -> Task:
    """Sentence, paragraph and whole probes of a published data set.

    ``data`` is its folder or hf://datasets/OWNER/NAME. ``fold`` is train or test.
    ``max_score_below`` (0.4 for HARD) keeps only probes whose best published score is lower. The
    judge is the model with the role ``grader``.
    """
    return Task(
        dataset=MemoryDataset(samples(data, fold, max_score_below), name="latent-probes"),
        solver=generate(),
        scorer=judged(),
    )


def samples(data: str, fold: str | None, max_score_below: float | None) -> list[Sample]:
    """Probes as samples: the answerer's prompt, the atom, and all published columns."""
    with duckdb.connect() as connection:
        found = connection.execute(
            f"""
            select
                probes.*,
                folds.fold,
                length(context) > rounds.complement_characters as complement_was_cut,
                {sql.excerpt("context", "target", "rounds.complement_characters")} as excerpt,
            from read_parquet({sql.literal(f"{data}/data/*.parquet")}) as probes
            join read_parquet({sql.literal(f"{data}/folds/*.parquet")}) as folds
                using (source_model, doc_id)
            join read_parquet({sql.literal(f"{data}/rounds/*.parquet")}) as rounds
                using (round_number)
            where
                scope in ('sentence', 'paragraph', 'whole')
                and coalesce(folds.fold = $fold, true)
                and coalesce(bb_answer_score_max < $max_score_below, $max_score_below is null)
            order by source_model, doc_id, slot_idx
            """,
            {"fold": fold, "max_score_below": max_score_below},
        )
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return [
        Sample(
            id=f"{row['source_model']} {row['doc_id']} {row['slot_idx']:.0f}",
            input=rendering.render("answerer", row | {"shown": "complement"}),
            target=row["atom_text"],
            metadata=row,
        )
        for row in rows
    ]


@scorer(
    metrics=[
        grouped(mean(), "scope", all="samples"),
        stderr(cluster="doc_id"),
    ]
)
def judged() -> Scorer:
    """Scorer: the judge's score from 0 to 1, with this project's judge prompt."""

    async def score(state: TaskState, target: Target) -> Score:
        answer = evaluated("without_fence", said(state.output))
        if evaluated("is_blank", answer):
            return Score(value=0.0, answer=answer)
        judge = get_model(role="grader", required=True)
        prompt = rendering.render(
            "judge",
            {
                "arm": "complement",
                "verbalizer_prompt": state.metadata["verbalizer_prompt"],
                "atom_text": target.text,
                "answer": answer,
            },
        )
        for _ in range(MAX_ATTEMPTS):
            output = await judge.generate(prompt)
            reply = said(output)
            value = evaluated("stated_score", reply)
            # As in the queue, an incomplete reply is no score, and a refusal is not asked again.
            if value is not None and output.stop_reason == "stop":
                return Score(value=value, answer=answer)
            if output.stop_reason == "content_filter":
                break
        return Score.unscored(answer=answer, explanation=reply, reason="scoring_failed")

    return score


def said(output: ModelOutput) -> str:
    """The text of an answer without the thinking that a server left in it."""
    return str(evaluated("without_thinking", output.completion))


def evaluated(macro: str, text: str) -> Any:
    """The value of a macro for a text, so that answers are read as the models read them."""
    with duckdb.connect() as connection:
        query = f"select {sql.macro(macro, '$text')}"
        return connection.execute(query, {"text": text}).fetchall()[0][0]
