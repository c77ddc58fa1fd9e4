"""What a run does when the provider errs, refuses, or answers nonsense."""

from __future__ import annotations

import json
import sys

import pytest

from latent_probes import home, landing, runner
from latent_probes.providers import Batch, ProviderError, RefusedError, Result
from latent_probes.providers.lexical import Lexical

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
            raise RefusedError("too many requests")
        return super().submit(body)

    def parse(self, results):
        """Judge requests by the last digit of their id: 0 never valid, 1 once not, 2 errs once."""
        for result in super().parse(results):
            request_id, _, attempt = result.custom_id.rpartition("-")
            mood = request_id[-1] if request_id.startswith("judge") else None
            if mood == "0" or (mood == "1" and attempt == "1"):
                message = json.loads(result.body)
                message["content"] = [{"type": "text", "text": "0.7/1"}]
                yield Result(result.custom_id, "succeeded", json.dumps(message))
            elif mood == "2" and attempt == "1":
                yield Result(result.custom_id, "errored", '{"type": "overloaded_error"}')
            elif mood == "3" and attempt == "1":
                pass  # an attempt without a result has expired
            else:
                yield result


@pytest.fixture
def here(checkout, monkeypatch):
    """The home of a checkout with rollouts, for use in this process."""
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    monkeypatch.chdir(checkout.folder)
    monkeypatch.setenv("LATENT_PROBES_HOME", "home")
    return home.find()


def test_errors_are_asked_again_and_nonsense_is_given_up(checkout, here):
    provider = Moody(here.batches / "lexical")
    with pytest.raises(ProviderError, match="refused"):
        runner.run(here, provider, once=False, max_cost=None)
    assert checkout.query("select state from batches", "landing") == [("released",)]
    assert checkout.query(CLAIMS, "landing") == [(0,)]

    runner.run(here, provider, once=False, max_cost=None)
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
    prices = checkout.folder / "seeds" / "model_prices.csv"
    prices.write_text(prices.read_text().replace("lexical,lexical,0,0,", "lexical,lexical,9,9,"))


def test_a_limit_of_cost_is_kept_before_anything_is_sent(checkout):
    price_the_baseline(checkout)
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    run = ("latent-probes", "run", "--provider", "lexical", "--max-cost")
    # The generator is expected to cost $2.38, and 20 answers of 28,000 tokens alone cost $5.04.
    assert "may cost up to $5.80: over --max-cost 4.00" in checkout.fails(*run, "4")
    assert checkout.query("select count(*) from requests", "landing") == [(0,)]
    # The generator's batch fits, what was spent for it counts, the answers do not fit.
    assert "$0.56 are spent, $0.00 may follow" in checkout.fails(*run, "7")
    assert checkout.query("select distinct stage from requests", "landing") == [("generator",)]


class Slow(Lexical):
    """The baseline, but nothing that it was given ever ends."""

    def list(self):
        """Every batch is still on its way."""
        for batch in super().list():
            yield Batch(batch.provider_batch_id, batch.n_requests, has_ended=False)


def test_what_is_on_its_way_is_covered_by_the_limit(checkout, here):
    price_the_baseline(checkout)
    provider = Slow(here.batches / "lexical")
    runner.run(here, provider, once=True, max_cost=6)
    with landing.opened(here.landing) as connection:
        runner.attach_warehouse(here, connection)
        ((stage, spent, reserved),) = connection.execute(
            "select stage, spent_usd, reserved_usd from warehouse.commitments"
        ).fetchall()
    assert (stage, spent) == ("generator", 0)
    assert reserved == pytest.approx(5.80, abs=0.01)
    # Three more requests cost less than $1, and would lead over the limit all the same.
    checkout.add_round("2,3,2,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    with pytest.raises(runner.RunError, match=r"\$0.00 are spent, \$5.80 may follow"):
        runner.run(here, provider, once=True, max_cost=6)
    # Once it has landed, it costs what it has cost: there is room for three, not for the answers.
    with pytest.raises(runner.RunError, match=r"\$0.56 are spent, \$0.\d\d may follow"):
        runner.run(here, Lexical(here.batches / "lexical"), once=True, max_cost=6)
    assert checkout.query(
        "select round_number, count(*) from requests group by all order by all", "landing"
    ) == [(1, 20), (2, 3)]


def test_an_unknown_price_cannot_be_limited(checkout):
    prices = checkout.folder / "seeds" / "model_prices.csv"
    prices.write_text(prices.read_text().splitlines()[0] + "\n")
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    said = checkout.fails("latent-probes", "run", "--provider", "lexical", "--max-cost", "1")
    assert "no price is known for 'lexical'" in said


def test_help_comes_without_the_heavy_imports(checkout):
    said = checkout.runs(
        sys.executable,
        "-c",
        "import sys, latent_probes.cli; "
        "heavy = {'dbt', 'duckdb', 'pyarrow', 'tokenizers'}; print(heavy & set(sys.modules))",
    )
    assert said.strip() == "set()"
    assert "land" in checkout.runs("latent-probes", "--help")


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        (("land", "nowhere.jsonl"), "no such file"),
        (("land", "sample/rollouts.jsonl", "--column", "doc_id"), "OURS=THEIRS"),
        (("run", "--provider", "other"), "choose one of: lexical"),
        (("export",), "no probes yet"),
    ],
)
def test_a_mistake_gets_one_clear_line(command, remedy, checkout):
    said = checkout.fails("latent-probes", *command)
    assert remedy in " ".join(said.split())
    assert "Traceback" not in said
