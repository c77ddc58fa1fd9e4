"""Commands and queries of README and docs: each is run, and prints what the page shows."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, copy_of
from landing_house import without, write
from stand_in import StandIn
from stand_in_hub import StandInHub

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# A fenced block, and the text block that follows it, if one does before the next block.
BLOCK = re.compile(
    r"^ *```(bash|sql)\n(.*?)^ *```\n(?:(?:(?!^ *```|^#).)*?^ *```text\n(.*?)^ *```)?",
    re.DOTALL | re.MULTILINE,
)
BLOCKS = [(page.name, *found) for page in PAGES for found in BLOCK.findall(page.read_text())]
QUERIES = [(page, body, shown) for page, kind, body, shown in BLOCKS if kind == "sql"]

CLAUDE = ",".join(["claude-haiku-4-5-20251001"] * 3)
# One person's session over a finished demo, in an order in which each command has something to do
# and the warehouse is built once.
SESSION = (
    "source .venv/bin/activate",
    "latent-probes --help",
    "latent-probes land sample/rollouts.jsonl",
    "latent-probes plan",
    "latent-probes run --provider recorded",
    "latent-probes status",
    "latent-probes export",
    "latent-probes check",
    "latent-probes push owner/probes --dry-run",
    "latent-probes push owner/probes",
    "latent-probes write-sheet sheet.csv --answers 100",
    "latent-probes land-ratings sheet.csv --rater anna",
    "latent-probes cancel",
    "python -c \"import duckdb; duckdb.connect('demo/warehouse.duckdb', read_only=True) "
    ".sql('select scope, n_probes, n_scored, score_max_mean, hard_share from scope_summary')"
    '.show()"',
    'cd demo/export && python -c "import duckdb; '
    "duckdb.execute(open('queries.sql').read()); duckdb.sql('from totals').show()\"",
    'latent-probes land "hf://datasets/owner/rollouts/data/*.parquet" '
    "--constant source_model=Qwen/Qwen3.5-9B",
    f'echo "2,3,2,gemma-3-270m,-2,5,{CLAUDE},false" >> seeds/rounds.csv',
    "latent-probes plan --provider anthropic-batches",
)
# What takes long is run by the test of its subject, with other arguments.
ELSEWHERE = {
    "make demo": "conftest.py",
    "make docs": "test_site.py",
    "latent-probes explore": "test_explorer_page.py",
    "latent-probes push --space": "test_explorer_page.py",
    "latent-probes land-marks": "test_explorer_page.py",
    "latent-probes land-ratings": "test_explorer_page.py",
    "latent-probes run --provider lexical": "conftest.py",
    "latent-probes run --provider anthropic-batches": "test_anthropic_rounds.py",
    "latent-probes run --provider recorded --recording": "test_anthropic_rounds.py",
    "latent-probes calibrate": "test_calibration.py",
    "latent-probes adopt": "test_adoption.py",
    "latent-probes evaluate": "test_oracles.py",
    "latent-probes resample": "test_resampling.py",
    "latent-probes sample": "test_sampling.py",
    "latent-probes score-local": "test_score_local.py",
    "latent-probes save-activations": "test_activations.py",
    "latent-probes build": "test_cluster.py",
    "dbt build": "test_dbt.py",
    "dbt docs generate --static": "test_dbt.py",
}
# Programs of others, which are not installed here; and what runs this.
OTHERS = (
    "vllm serve",
    "inspect eval",
    ".venv/bin/pip install",
    "pre-commit install",
    "make test",
    "make explore",
    # Needs an oracle: `bench/micro_oracle.py` trains one.
    "latent-probes ask-oracle",
    "python bench/micro_oracle.py",
)


def lines(text: str) -> list[str]:
    """Lines of a text with their white space folded."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def commands() -> list[str]:
    """Every command of the pages, once, on one line and without variables before it."""
    found = []
    for _, kind, body, _ in BLOCKS:
        if kind == "bash":
            for line in re.split(r"(?<!\\)\n", body.strip()):
                one_line = " ".join(line.replace("\\\n", " ").split())
                found.append(re.sub(r"^([A-Z_]+=\S+ )+", "", one_line))
    return list(dict.fromkeys(found))


def fill_in(sheet: Path) -> None:
    """Score the first answer of a rating sheet, as a person would."""
    with sheet.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["score"] = "0.5"
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_every_command_is_run_by_a_test():
    unknown = [
        command
        for command in commands()
        if command not in SESSION and not command.startswith((*ELSEWHERE, *OTHERS))
    ]
    assert unknown == []


def test_the_session_has_only_commands_of_the_pages():
    assert [command for command in SESSION if command not in commands()] == []


@pytest.mark.parametrize(("command", "file"), ELSEWHERE.items())
def test_a_command_that_is_run_elsewhere_is_run_there(command, file):
    source = (Path(__file__).parent / file).read_text()
    words = shlex.split(command)
    # As in `runs("latent-probes", "calibrate", …)`.
    assert ", ".join(f'"{word}"' for word in words[:2]) in source
    for word in words[2:]:
        assert f'"{word}"' in source


def test_every_option_of_a_command_exists():
    from typer.main import get_command

    from latent_probes.cli import app

    known = get_command(app).commands
    for command in commands():
        words = shlex.split(command)
        if words[0] == "latent-probes" and words[1] != "--help":
            known[words[1]].make_context(words[1], words[2:])


@pytest.mark.rounds
def test_the_session_of_the_pages_runs(demo_once, tmp_path):
    demo = copy_of(demo_once, tmp_path / "checkout")
    rollouts = write(demo.folder / "a.parquet", without("source_model"))
    with StandIn() as server, StandInHub() as hub:
        hub.create("owner/rollouts").commit({"data/a.parquet": rollouts.read_bytes()})
        person = demo.talking_to(server).reading_from(hub)
        # The stand-in has the older of the Hub's two stores.
        person.variables.update(HF_TOKEN=hub.token, HF_HUB_DISABLE_XET="1")
        for command in SESSION:
            words = shlex.split(command)
            if "land-ratings" in words:
                fill_in(demo.folder / "sheet.csv")
            if words[0] == "latent-probes":
                said = person.runs(*words)
            else:
                person.runs("bash", "-ec", command)
        assert "data/train-round-0001.parquet" in hub.repositories["owner/probes"].at("main").files
        # The round that Claude is to write has a price, and nothing was sent.
        assert re.search(r"Expected cost: \$0\.\d+", said), said
        assert not server.ledger.billed_requests
    landed = person.query("select distinct kind from rollout_sources order by all", "landing")
    assert landed == [("file",), ("hub",)]


def test_the_demo_prints_what_the_readme_shows(demo_once):
    (shown,) = (shown for _, _, body, shown in BLOCKS if body.strip() == "make demo")
    printed = lines((demo_once.folder / "demo.txt").read_text())
    for line in lines(shown):
        assert line in printed


def test_the_probe_of_the_readme_is_in_the_demo(demo_once):
    (shown,) = re.findall(r"```text\n(context.*?)```", PAGES[0].read_text(), re.DOTALL)
    fields = dict(re.split(r"  +", line, maxsplit=1) for line in shown.splitlines())
    fields["context"] = fields["context"].strip("… █")
    assert demo_once.query(
        """
        select count(*) from train
        where
            ends_with(context, $context)
            and verbalizer_prompt = $verbalizer_prompt
            and atom_text = $atom_text
            and incorrect_plausible_answer = $incorrect_plausible_answer
            and target || ', ' || typicality = $target_and_typicality
            and bb_answer_rollout_scores::varchar = $bb_answer_rollout_scores
        """,
        values=fields | {"target_and_typicality": fields.pop("target, typicality")},
    ) == [(1,)]


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_a_query_runs_and_gives_what_the_page_shows(number, demo_once):
    _, query, shown = QUERIES[number]
    connection = duckdb.connect(str(demo_once.home / "warehouse.duckdb"), read_only=True)
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    rows = [" ".join(map(str, row)) for row in cursor.fetchall()]
    connection.close()
    if shown:
        assert [" ".join(names), *rows] == lines(shown)
