"""A run looks at the answers that land, and stops before it pays for more that cannot be used."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landing_house import empty_landing

from latent_probes import landing, warehouse
from latent_probes.common.home import Home
from latent_probes.providers import names
from latent_probes.queue import pending, trials

NO_SCORE = "The judge's reply is not a score from 0 to 1."


class Round:
    """A home whose warehouse has only what is looked at, made of the answers that landed."""

    def __init__(self, folder, monkeypatch):
        self.home = Home(folder, folder / "home")
        empty_landing(self.home.landing)
        self.rows = []
        self.refusals = []
        monkeypatch.setattr(warehouse, "attach", self.attach)

    def land(self, batch_id, n_usable=0, unusable=(), model="m", stage="judge"):
        """Let a batch land with usable answers, and others with a problem and a text."""
        with landing.opened(self.home.landing) as connection:
            connection.execute(
                "insert into batches values "
                "(?, 'p', 1, null, null, 1, false, ?, 'landed', now(), now(), now())",
                [batch_id, batch_id],
            )
        problems = [*((None, None, "fine") for _ in range(n_usable)), *unusable]
        self.rows += [
            (f"{batch_id}-{number:04}", 1, stage, model, batch_id, name, problem, meaning, text)
            for number, (problem, meaning, text, *named) in enumerate(problems)
            for name in (named or [model])
        ]

    def refuse_schema(self, batch_id, message="thinking and output_config do not go together"):
        """Let the provider refuse the schema of a batch's request."""
        self.refusals = [("generator", "m", message, batch_id)]

    def attach(self, home, connection):
        """What dbt would make of the answers."""
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            "create table warehouse.answers (request_id varchar, attempt bigint, stage varchar, "
            "asked_model varchar, batch_id varchar, named_model varchar, problem varchar, "
            "meaning varchar, text varchar)"
        )
        if self.rows:
            connection.executemany(
                f"insert into warehouse.answers values ({', '.join('?' * 9)})", self.rows
            )
        connection.execute(
            "create table warehouse.schema_trials (stage varchar, model varchar, refusal varchar, "
            "batch_id varchar, is_refused boolean default true)"
        )
        for refusal in self.refusals:
            connection.execute(
                "insert into warehouse.schema_trials values (?, ?, ?, ?, true)", refusal
            )
        connection.execute(
            "create view warehouse.unusable_responses as "
            "from warehouse.answers where problem is not null"
        )
        connection.execute(
            "create view warehouse.model_trials as select stage, asked_model as model, "
            "max(batch_id) as latest_batch_id, arg_max(n, batch_id) as n_latest, "
            "arg_max(n_usable, batch_id) as n_latest_usable, sum(n_usable)::bigint as n_usable "
            "from (select stage, asked_model, batch_id, count(*) as n, "
            "count(*) filter (where problem is null) as n_usable from warehouse.answers "
            "group by all) group by all"
        )


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Round(tmp_path, monkeypatch)


def said(n, text="I would call it good."):
    return [("no_score", NO_SCORE, text)] * n


def test_most_first_answers_that_cannot_be_used_stop_the_run_and_two_are_shown(here):
    watch = trials.Watch(here.home)
    here.land("b1", 9, said(11, "It is\nquite good. " * 100))
    with pytest.raises(trials.UnusableError) as stop:
        watch.look()
    message = str(stop.value)
    assert "11 of the first 20 judge answers of 'm' cannot be used" in message
    assert message.count("not a score from 0 to 1: 'It is quite good. It is") == 2
    assert len(message) < 1_000


@pytest.mark.parametrize(
    ("n_usable", "n_unusable"),
    [(10, 10), (0, 9), (20, 0)],
)
def test_half_or_a_few_of_the_first_answers_stop_nothing(here, n_usable, n_unusable):
    watch = trials.Watch(here.home)
    here.land("b1", n_usable, said(n_unusable))
    watch.look()


def test_a_model_that_was_usable_before_is_not_stopped(here):
    here.land("b1", 1)
    watch = trials.Watch(here.home)
    here.land("b2", 0, said(20))
    watch.look()


def test_what_landed_before_the_run_does_not_stop_it(here):
    here.land("b1", 0, [*said(20), ("other_model", "Another.", "x", "gemma")])
    watch = trials.Watch(here.home)
    watch.look()
    here.land("b2", 1, said(1))
    watch.look()


def test_each_kind_of_unusable_answer_is_shown_once(here, capsys):
    watch = trials.Watch(here.home)
    here.land("b1", 20, [*said(2, "good"), ("refused", "The model refused.", None)])
    watch.look()
    here.land("b2", 20, said(3, "bad"))
    watch.look()
    shown = capsys.readouterr().out
    assert "2 unusable judge answers of m: The judge's reply is not a score" in shown
    assert "1 unusable judge answers of m: The model refused." in shown
    assert "bad" not in shown


def test_a_refused_schema_is_said_once(here, capsys):
    watch = trials.Watch(here.home)
    here.land("b1")
    here.refuse_schema("b1")
    watch.look()
    here.land("b2", 20)
    watch.look()
    said = capsys.readouterr().out
    assert said.count("m takes no JSON schema while it thinks (thinking and output_config") == 1
    assert "generator requests go on without the schema" in said


def test_what_awaits_the_trial_of_its_model_is_not_sent():
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            "create table warehouse.pending_requests as select 'r' || n as request_id, 'm' as "
            "model, 'judge' as stage, 3 as stage_order, 1 as round_number, n > 2 as awaits_trial "
            "from range(1, 6) as numbers (n)"
        )
        connection.execute(
            "create table responses (request_id varchar, attempt int, outcome varchar, body json)"
        )
        connection.execute(
            "create table warehouse.pending_prices as select request_id, 'lexical' as provider, "
            "1.0 as max_usd from warehouse.pending_requests"
        )
        provider = SimpleNamespace(name="lexical", recording_hash=None, serves=lambda model: True)
        sent = pending.requests(connection, provider, None)
    assert sent["request_id"].to_pylist() == ["r1", "r2"]
    assert sent["max_usd_so_far"].to_pylist() == [1, 2]


@pytest.mark.parametrize("named", ["gemma", None])
def test_one_answer_of_another_model_stops_the_run(here, named):
    watch = trials.Watch(here.home)
    here.land("b1", 20, [("other_model", "Another.", "x", named)])
    with pytest.raises(trials.UnusableError, match=r"seeds/model_aliases\.csv") as stop:
        watch.look()
    assert f"`m,{named or ''}`" in str(stop.value)
    assert ("rounds.csv" in str(stop.value)) == (named is not None)


def test_the_line_for_a_name_is_valid_csv(tmp_path):
    odd = '/models/a, "b".gguf'
    line = names.remedy("judge", "m", odd).split("`")[1]
    (tmp_path / "seeds").mkdir()
    rules = Path("seeds/_seeds.yml")
    (tmp_path / rules).write_bytes((Path(__file__).parents[2] / rules).read_bytes())
    (tmp_path / names.ALIASES).write_text(f"model,alias\n{line}\n")
    assert names.aliases(tmp_path) == {("m", odd)}


@pytest.mark.parametrize("named", ["m" * 1_000_000, "a\nb", "a\x1b[2Jb"])
def test_what_is_no_name_is_shortened_and_not_to_be_declared(named):
    said = names.remedy("judge", "m", named)
    assert len(said) < 500
    assert said.isprintable()
    assert "model_aliases" not in said


@pytest.mark.parametrize(
    ("named", "is_same"),
    [
        ("qwen3", True),
        ("qwen3-20261001", True),
        ("qwen3-2026-10-01", True),
        ("qwen3@20261001", True),
        ("qwen3-235b", False),
        ("qwen3.gguf", False),
        ("qwen", False),
        ("Qwen3", False),
        ("", False),
    ],
)
def test_a_dated_version_is_the_same_model_and_a_longer_name_is_not(named, is_same):
    assert names.is_named(named, "qwen3") == is_same


SCORE = st.decimals(0, 1, places=2).map(str)
MARKS = st.text(st.sampled_from("*_`\"' \n"), max_size=3)
LABEL = st.sampled_from(["", "score", "Score:", "**Score:**", "Final score =", "The score is"])


@given(SCORE, LABEL, MARKS, MARKS, st.sampled_from(["", "."]))
def test_a_score_between_marks_is_read_as_the_score(score, label, before, after, stop):
    assert read(f"{before}{label} {before}{score}{stop}{after}") == float(score)


@given(st.text(st.sampled_from("0.17*/-%,e Ss:core"), max_size=8))
def test_what_is_read_is_the_only_number_in_the_text(text):
    score = read(text)
    if score is not None:
        bare = text.lower().replace("score", "").replace(",", ".")
        number, _, whole = (part.strip("*: ") for part in bare.partition("/"))
        assert float(number) == score
        assert float(whole or 1) == 1
        assert 0 <= score <= 1


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 0.7}', 0.7),
        ('```json\n{"score": 0.7}\n```', 0.7),
        ('{\n  "final_score": "0.7"\n}', 0.7),
        ("```text\n0.7\n```", 0.7),
        ("Rating: 0.7", 0.7),
        ("Answer: 0.7", 0.7),
        ("**Final answer:** 0.7", 0.7),
        ("The final answer is $\\boxed{0.7}$.", 0.7),
        ("<score>0.7</score>", 0.7),
        ("<final_answer>\n0.7\n</final_answer>", 0.7),
        ("0.7/1", 0.7),
        ("Score: **0.7** / 1.0", 0.7),
        ("0.7 out of 1", 0.7),
        ("1/1", 1),
        ("(0.7)", 0.7),
        ("[0.7]", 0.7),
        ("$0.7$", 0.7),
        ("“0.7”", 0.7),
        ("\\boxed{0.7}", 0.7),
        ("+0.7", 0.7),
        ("0,7", 0.7),
        ("1,0", 1),
        ("\u00a00.7\u202f", 0.7),
        ("\u200b0.7", 0.7),
        ("\ufeff0.7", 0.7),
        *[
            (text, None)
            for text in [
                *("-0.7", "-1", "1,000", "2", "0.7, 0.8", "0,7,8", "0 .7", "0\u200b.7", ",7"),
                *("1%", "70%", "1/10", "1/100", "1/1,000", "0.7/2", "1)", "(0.7", "$0.7"),
                *("Answer 1", "The answer is 1", '{"score": 7}', '{"reason": 0.7}'),
                *('{"score": 0.7, "score": 0.8}', "<b>0.7</b>", "not 0.7", "```not 0.7```"),
                *("0.7 or 0.8", "between 0 and 1", "Score:", "", "{}", "<score></score>"),
            ]
        ],
    ],
)
def test_a_score_in_a_plain_notation_is_read_and_nothing_else_is(text, score):
    assert read(text) == score


def read(text):
    from latent_probes.common import sql

    (row,) = duckdb.execute(
        f"select {sql.macro('stated_score', '$text')}", {"text": text}
    ).fetchall()
    return row[0]
