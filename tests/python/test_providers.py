"""A provider is a file of providers/ and a line of seeds/providers.csv."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from latent_probes import landing, providers
from latent_probes.common.home import Home
from latent_probes.providers import ProviderError
from latent_probes.queue import pending

FILES = Path(providers.__file__).parent
PRINT_HELP = "from latent_probes.cli import options; print(options.provider_help())"
LISTED = [provider.name for provider in providers.listed(ROOT)]


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_provider_is_created_under_its_name(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    assert providers.create(name, Home(ROOT, tmp_path)).name == name


def test_a_file_that_creates_a_provider_is_listed():
    creating = {
        path.stem for path in FILES.glob("[a-z]*.py") if "\ndef create(" in path.read_text()
    }
    assert creating == {name.replace("-", "_") for name in LISTED}


def test_a_name_that_is_not_listed_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(ProviderError, match=f"'other'; choose one of: {', '.join(LISTED)}"):
        providers.create("other", Home(ROOT, tmp_path))


def test_no_other_file_of_the_package_names_a_paid_provider():
    with (ROOT / "seeds" / "providers.csv").open() as file:
        paid = [row["provider"] for row in csv.DictReader(file) if row["price_group"] != "free"]
    found = [
        path.name
        for path in FILES.parent.rglob("*.py")
        if any(name in path.read_text() for name in paid)
    ]
    assert sorted(found) == ["anthropic_batches.py", "anthropic_messages.py"]


@pytest.mark.parametrize("place", ["project", "other project", "nowhere"])
def test_help_lists_the_providers_of_the_project_and_works_outside_of_it(place, tmp_path):
    is_project = place == "project"
    if place == "other project":
        (tmp_path / "dbt_project.yml").touch()
    said = subprocess.run(
        [sys.executable, "-c", PRINT_HELP],
        cwd=ROOT if is_project else tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert all((name in said) == is_project for name in LISTED)


@pytest.mark.parametrize(
    ("model", "is_adopted", "remedy"),
    [
        ("claude-unversioned", False, "no service has it; --provider recorded replays"),
        ("lexical", True, "use --provider lexical"),
        ("another", False, "change the model in the round's line of seeds/rounds.csv"),
        ("another", True, "the models are those of the adopted data set"),
    ],
)
def test_a_model_that_nobody_serves_is_named_with_what_can_be_done(
    tmp_path, model, is_adopted, remedy
):
    with landing.opened(tmp_path / "landing.duckdb") as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            "create table warehouse.pending_requests as "
            "select ? as model, 'judge' as stage, 1 as round_number",
            [model],
        )
        if is_adopted:
            connection.execute("insert into adopted_sets values ('m', '{}', 'set', 'b', now())")
        with pytest.raises(pending.QueueError) as error:
            pending.refuse_unserved(connection, "anthropic-batches", lambda asked: False)
        pending.refuse_unserved(connection, "anthropic-batches", lambda asked: True)
    assert remedy in str(error.value) and repr(model) in str(error.value)


def test_an_evaluation_is_refused_by_the_models_of_its_rounds(tmp_path):
    with landing.opened(tmp_path / "landing.duckdb") as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            "create table warehouse.round_settings as select 'claude-unversioned' "
            "as answerer_model, 'claude' as judge_model, 1 as round_number"
        )
        claude = providers.known_to_serve("anthropic-batches")
        pending.refuse_unserved(connection, "anthropic-batches", claude, evaluating=True)
        connection.execute("update warehouse.round_settings set judge_model = answerer_model")
        with pytest.raises(pending.QueueError, match=r"docs/oracles\.md .* at no cost"):
            pending.refuse_unserved(connection, "anthropic-batches", claude, evaluating=True)


def test_which_models_claude_serves_is_known_without_a_key():
    serves = providers.known_to_serve("anthropic-batches")
    assert serves is not None and serves("claude") and not serves("claude-unversioned")
    assert providers.known_to_serve("recorded") is None
