"""Runs in which the provider fails, refuses, or returns nonsense."""

from __future__ import annotations

import dataclasses
import json
import sys

import pytest
from conftest import HOME
from stand_in import StandIn

from latent_probes import landing, warehouse
from latent_probes.common import home
from latent_probes.providers import ProviderError, RefusedError
from latent_probes.providers.lexical import Lexical
from latent_probes.queue import pending, runner

CLAIMS = "select count(*) from claims"


class Moody(Lexical):
    """The baseline, but it refuses its first batch, and fails in ways that depend on the id."""

    def __init__(self, spool):
        super().__init__(spool)
        self.refusals = 1

    def submit(self, body):
        """Refuse once, then take everything."""
        if self.refusals:
            self.refusals -= 1
            raise RefusedError("no such model")
        return super().submit(body)

    def download(self, provider_batch_id, results):
        """Judge requests by the last digit of their id: 0 never valid, 1 once not, 2 errs once."""
        super().download(provider_batch_id, results)
        lines = [json.loads(line) for line in results.read_text().splitlines()]
        with results.open("w") as file:
            for line in lines:
                request_id, _, attempt = line["custom_id"].rpartition("-")
                mood = request_id[-1] if request_id.startswith("judge") else None
                if mood == "0" or (mood == "1" and attempt == "1"):
                    line["result"]["message"]["content"] = [{"type": "text", "text": "rather good"}]
                elif mood == "2" and attempt == "1":
                    line["result"] = {"type": "errored", "error": {"type": "overloaded_error"}}
                elif mood == "3" and attempt == "1":
                    continue
                file.write(json.dumps(line) + "\n")


@pytest.fixture
def here(checkout, monkeypatch):
    """The home of a checkout with rollouts, for use in this process."""
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    monkeypatch.chdir(checkout.folder)
    monkeypatch.setenv("LATENT_PROBES_HOME", HOME)
    return home.find()


@pytest.mark.rounds
def test_errors_are_asked_again_and_nonsense_is_given_up(checkout, here):
    checkout.set_rounds("1,6,1,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    provider = Moody(here.batches / "lexical")
    with pytest.raises(ProviderError, match="refused"):
        runner.answer_pending(here, provider, once=False, max_cost=None)
    assert checkout.query("select state from batches", "landing") == [("released",)]
    assert checkout.query(CLAIMS, "landing") == [(0,)]
    # Nothing was sent, so the round is not frozen.
    assert checkout.query("select count(*) from started_rounds", "landing") == [(0,)]

    runner.answer_pending(here, provider, once=False, max_cost=None)
    # A refused batch is no attempt that counts; its requests were asked in the next.
    assert checkout.query(
        "select distinct attempt from requests where stage = 'generator' order by 1", "landing"
    ) == [(1,), (2,)]
    attempts = dict(
        checkout.query(
            "select right(request_id, 1), list(distinct n_attempts) from ("
            "select request_id, count(*) as n_attempts from requests where stage = 'judge' "
            "group by request_id) group by 1",
            "landing",
        )
    )
    assert attempts["0"] == [3]
    assert attempts["1"] == attempts["2"] == attempts["3"] == [2]
    assert attempts["4"] == [1]
    # Given up is null with a reason, and neither 0 nor pending.
    assert checkout.query(
        "select distinct state, score from judgements where right(request_id, 1) = '0'"
    ) == [("failed", None)]
    assert checkout.query("select distinct unscored_reason from probe_scores order by 1") == [
        ("judgement_failed",),
        (None,),
    ]
    assert checkout.query(
        "select count(*) from probe_scores where unscored_reason is not null and "
        "(scores is not null or score_max is not null)"
    ) == [(0,)]


def price_the_baseline(checkout):
    """Let the baseline cost $9 for a million tokens, read or written."""
    providers = checkout.folder / "seeds" / "providers.csv"
    providers.write_text(providers.read_text().replace("lexical,free,", "lexical,list,"))
    prices = checkout.folder / "seeds" / "model_prices.csv"
    prices.write_text(prices.read_text().replace("lexical,lexical,0,0,", "lexical,lexical,9,9,"))


RUN_WITH_LIMIT = ("latent-probes", "run", "--provider", "lexical", "--max-cost")


@pytest.mark.rounds
def test_nothing_is_sent_that_could_go_over_the_limit(checkout):
    price_the_baseline(checkout)
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    # A generator request is expected to cost $0.12, and 28,000 tokens of answer cost $0.25 alone.
    said = checkout.fails(*RUN_WITH_LIMIT, "0.2")
    assert "$0.00 spent, $0.00 reserved" in said
    assert "would exceed --max-cost 0.20" in said
    assert "20 requests were not sent" in said
    assert checkout.query("select count(*) from requests", "landing") == [(0,)]


@pytest.mark.soak
def test_a_batch_is_cut_to_what_the_limit_allows(checkout):
    price_the_baseline(checkout)
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    asked = "select stage, count(*) from requests group by all order by min(attempt), stage desc"
    assert "would exceed --max-cost 4.00" in checkout.fails(*RUN_WITH_LIMIT, "4", "--once")
    # 13 answers fit at full length. They were shorter, so that the other 7 fit after them.
    assert checkout.query(asked, "landing") == [("generator", 13)]
    assert "would exceed --max-cost 4.00" in checkout.fails(*RUN_WITH_LIMIT, "4", "--once")
    asked = dict(checkout.query(asked, "landing"))
    assert asked["generator"] == 20
    assert 0 < asked["answerer"] < 13 * 6 * 5


class Slow(Lexical):
    """The baseline, but nothing that it was given ever ends."""

    def list(self):
        """Every batch is still on its way."""
        for batch in super().list():
            yield dataclasses.replace(batch, has_ended=False)


@pytest.mark.soak
def test_open_requests_count_towards_the_cost_limit(checkout, here):
    price_the_baseline(checkout)
    provider = Slow(here.batches / "lexical")
    runner.answer_pending(here, provider, once=True, max_cost=6)
    with landing.opened(here.landing) as connection:
        warehouse.attach(here, connection)
        ((stage, spent, reserved),) = connection.execute(
            "select stage, spent_usd, reserved_usd from warehouse.committed_spend"
        ).fetchall()
    assert (stage, spent) == ("generator", 0)
    # Four characters of the prompt are a token, and an answer has at most 28,000.
    ((n_requests, n_tokens),) = checkout.query(
        "select count(*), sum((prompt_characters + input_characters) / 4 + 28000) "
        "from generator_requests join request_tokens using (stage, model)"
    )
    assert n_requests == 20
    assert reserved == pytest.approx(n_tokens * 9 / 1e6)
    # What follows needs room for no request more below 6 dollars, and for none of 20 below 5.
    assert 5 < reserved < 6 < reserved * 21 / 20
    said = rf"\${reserved:.2f} reserved"
    # The baseline asks only when it is collected: under another limit it does not.
    with pytest.raises(runner.RunError, match=said):
        runner.answer_pending(here, provider, once=True, max_cost=5)
    # One more request would lead over the limit.
    checkout.add_round("2,3,2,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    with pytest.raises(pending.QueueError, match=rf"\$0.00 spent, {said}"):
        runner.answer_pending(here, provider, once=True, max_cost=6)
    assert checkout.query("select distinct round_number from requests", "landing") == [(1,)]
    # Once it has landed, it costs what it has cost.
    with pytest.raises(pending.QueueError, match=r"\$5.\d\d reserved") as refused:
        runner.answer_pending(here, Lexical(here.batches / "lexical"), once=True, max_cost=6)
    ((n_tokens,),) = checkout.query("select sum(input_tokens + output_tokens) from responses")
    assert f"${n_tokens * 9 / 1e6:.2f} spent" in str(refused.value)
    assert checkout.query(
        "select round_number, count(*) from requests where stage = 'generator' "
        "group by all order by all",
        "landing",
    ) == [(1, 20), (2, 3)]


@pytest.mark.rounds
def test_an_unknown_price_behind_a_known_one_cannot_be_limited(checkout):
    checkout.set_rounds(
        "1,3,1,gemma-3-270m,-2,5,lexical,lexical,lexical,false",
        "2,3,2,gemma-3-270m,-2,5,unpriced,unpriced,unpriced,false",
    )
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    server = StandIn()
    person = checkout.talking_to(server)
    run = ("latent-probes", "run", "--provider", "anthropic-messages", "--max-cost")
    assert "'unpriced' has no known price" in person.fails(*run, "5")
    assert "must be a non-negative amount in dollars" in person.fails(*run, "nan")
    assert server.ledger.posts == []
    server.close()


def test_help_comes_without_the_heavy_imports(checkout):
    said = checkout.runs(
        sys.executable,
        "-c",
        "import sys, latent_probes.cli; "
        "heavy = {'dbt', 'duckdb', 'pyarrow', 'tokenizers', 'torch', 'transformers'}; "
        "print(heavy & set(sys.modules))",
    )
    assert said.strip() == "set()"
    assert "land" in checkout.runs("latent-probes", "--help")


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        (("land", "nowhere.jsonl"), "no such file"),
        (("land", "sample/rollouts.jsonl", "--column", "doc_id"), "OURS=THEIRS"),
        (("run", "--provider", "other"), "is not one of lexical, recorded"),
        (("run", "--provider", "lexical"), "nothing has landed in demo"),
        (("export",), "nothing has landed in demo"),
    ],
)
def test_a_mistake_gets_one_clear_line(command, remedy, checkout):
    said = checkout.fails("latent-probes", *command)
    assert remedy in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.rounds
def test_a_model_that_is_not_served_is_named_before_a_key_is_asked_for(checkout):
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    run = ("latent-probes", "run", "--provider", "anthropic-batches")
    said = checkout.fails(*run)
    assert "round 1 asks for 'lexical' (generator)" in said and "ANTHROPIC_API_KEY" not in said
    # A key is what is missing for a model that is served.
    checkout.set_rounds("1,20,1,gemma-3-270m,-2,5,claude,claude,claude,false")
    assert "set ANTHROPIC_API_KEY" in checkout.fails(*run)
    assert checkout.query("select count(*) from batches", "landing") == [(0,)]
