"""Whole runs of `score-local` with a tiny model: what lands, what is read again, what a kill
costs."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import tiny_models

from latent_probes.common.home import Home
from latent_probes.sampling import resamples as resampling
from latent_probes.sampling.rollouts import Sampled

pytest.importorskip("torch", reason="the extra lm is not installed")
pytestmark = pytest.mark.local_models


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    """A model that was never trained."""
    return tiny_models.save(tmp_path_factory.mktemp("models") / "tiny", longest=4096)


@pytest.fixture
def scoring(finished):
    """A finished round, and how a person would score it."""
    # Two cores are not shared well by threads of two processes.
    return replace(finished, variables={"OMP_NUM_THREADS": "1"})


class SayingSomethingElse:
    """A source model that always says the same, which is in no document."""

    def __init__(self):
        self.settings = {"model": "saying"}
        self.environment = {}

    def sample(self, wanted, settings, land):
        land([Sampled(row, " zyxwv utsrq" * 70, None, None, "stop") for row in wanted])


def command(model_folder, *options: str) -> list[str]:
    """The command line of a few documents."""
    return [
        *("latent-probes", "score-local", "--model", str(model_folder), "--device", "cpu"),
        *("--documents", "4", *options),
    ]


def landed(checkout) -> list[tuple]:
    """What has landed, but for when."""
    return checkout.query(
        """
        select probe_id, form, input_hash, atom_tokens, atom_logprobs, wrong_answer_logprobs, answer
        from local_scores
        order by all
        """,
        file="landing",
    )


def test_scores_are_made_once_and_again_when_a_probe_is_edited(scoring, model_folder):
    said = scoring.runs(*command(model_folder))
    assert "differ by" in said and "individually" in said and "minutes" in said
    first = landed(scoring)
    ((n_probes, n_suffix),) = scoring.query(
        """
        select count(*), count(*) filter (where target = 'suffix')
        from probes
        where not is_written and probe_id in (select probe_id from token_scores)
        """
    )
    assert len(first) == 2 * n_probes + n_suffix
    assert f"{len(first):,} readings" in said
    ((n_documents,),) = scoring.query(
        "select count(distinct doc_id) from token_scores join probes using (probe_id)"
    )
    assert n_documents == 4

    # What it answered is evaluated as a method that reads the text alone.
    evaluate = ("latent-probes", "evaluate", "--name", model_folder.name)
    assert "--answers is missing" in scoring.fails(*evaluate, "--condition", "real_state")
    # Without a provider nothing is asked.
    assert "Requests to send" in scoring.runs(*evaluate, "--condition", "no_state")
    assert scoring.query(
        "select oracle, n_scored, n_contrasted from oracle_scores "
        "where scope = 'lens' and target = 'all' and typicality = 'all' and fold = 'all'"
    ) == scoring.query(
        "select model, count(*), count(*) from token_scores join probes using (probe_id) "
        "where form = 'question' and scope = 'lens' group by model"
    )
    # It is contrasted once.
    assert (
        scoring.query("select distinct method from contrast where method like '%no_state%'") == []
    )

    # Resampled texts are read as continuations, beside what has landed, without further answers.
    here = Home(scoring.folder, scoring.home)
    resampling.resample_splits(
        here, SayingSomethingElse(), "gemma-3-270m", 1, 100, 1, None, is_same_model=True
    )
    again = scoring.runs(*command(model_folder))
    assert scoring.query(
        "select form, count(*) from token_scores where resampled_logprob is not null group by form"
    ) == [("continuation", n_suffix)]
    assert f"{n_suffix:,} readings to do" in again
    assert f"{len(first):,} had already landed" in again
    second = landed(scoring)
    assert set(map(str, first)) < set(map(str, second))
    assert len(second) == len(first) + n_suffix
    assert sum(row[-1] is not None for row in second) == sum(row[-1] is not None for row in first)
    assert scoring.query(
        "select sum(n_resampled) from contrast where method like '%continuation' "
        "and measure = 'total' and target = 'suffix' and typicality = 'all' "
        "and lens_length in ('none', 'pooled')"
    ) == [(n_suffix,)]
    assert "log P(resampled text)" in again

    templates = scoring.folder / "seeds" / "verbalizer_templates.csv"
    templates.write_text(templates.read_text().replace("What text comes next", "What is next"))
    scoring.runs(*command(model_folder))
    rows = scoring.query(
        """
        select
            count(*), count(*) filter (where verbalizer_prompt like 'What is next%'),
            count(*) filter (where verbalizer_prompt like 'What text comes next%'),
            count(*) filter (
                where verbalizer_prompt like 'What is next%' and resampled_logprob is not null
            )
        from token_scores join probes using (probe_id)
        """
    )
    assert rows[0][0] == len(first)
    assert rows[0][1] > 0
    assert rows[0][2] == 0
    assert 3 * rows[0][3] == rows[0][1]
    assert len(landed(scoring)) == len(second) + rows[0][1] + rows[0][3]
    # All data tests run first; nothing of it is published.
    scoring.runs("latent-probes", "export")


@pytest.mark.soak
def test_a_killed_command_loses_at_most_a_batch(scoring, model_folder):
    some = command(model_folder, "--batch-size", "4")
    process = scoring.start(*some)
    n_landed = 0
    while n_landed < 8:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
        try:
            n_landed = len(landed(scoring))
        except duckdb.Error:
            continue
    process.kill()
    process.communicate()
    killed = landed(scoring)
    said = scoring.runs(*some)
    assert f"{len(killed):,} had already landed" in said
    all_rows = landed(scoring)
    assert set(map(str, killed)) < set(map(str, all_rows))
    assert len({row[:3] for row in all_rows}) == len(all_rows)


def test_what_cannot_be_scored_is_named(scoring, model_folder):
    assert "'novel' is not one of word" in scoring.fails(*command(model_folder, "--scope", "novel"))
    missing = scoring.fails("latent-probes", "score-local", "--model", "./nowhere.gguf")
    assert missing.count("\n") <= 2
    assert "nowhere.gguf" in missing
