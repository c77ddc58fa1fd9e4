"""The README: its commands run, and print what it says they print."""

from __future__ import annotations

import re
import shlex

import duckdb
import pytest
from conftest import ROOT
from landing_house import without, write
from stand_in import StandIn
from stand_in_hub import StandInHub

README = (ROOT / "README.md").read_text()
# A fenced block, and the text block that follows it, if one does before the next block.
BLOCKS = re.findall(
    r"^ *```(bash|sql)\n(.*?)^ *```\n(?:(?:(?!^ *```).)*?^```text\n(.*?)^```)?",
    README,
    re.DOTALL | re.MULTILINE,
)
NOT_RUN_HERE = {"make test"}  # it is what runs this


def lines(text: str) -> list[str]:
    """Lines of a text with their white space folded."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_the_readme_shows_commands_and_queries():
    kinds = [kind for kind, _, _ in BLOCKS]
    assert kinds.count("sql") == 3
    assert kinds.count("bash") >= 6


def test_the_demo_prints_what_the_readme_shows(finished_once):
    (shown,) = (shown for kind, body, shown in BLOCKS if body.strip() == "make demo")
    printed = lines((finished_once.folder / "demo.txt").read_text())
    for line in lines(shown):
        assert line in printed


def test_the_probe_of_the_readme_is_in_the_demo(finished_once):
    rows = finished_once.query(
        "select verbalizer_prompt, atom_text, incorrect_plausible_answer, right(context, 9), "
        "typicality, distribution_check from train"
    )
    (shown,) = re.findall(r"```text\n(context.*?)```", README, re.DOTALL)
    (row,) = (row for row in rows if row[1] == re.search(r'atom_text +"(.*)"', shown)[1])
    assert row[0] in shown
    assert f'"{row[2]}"' in shown
    assert f"{row[3]}█" in shown
    assert row[4] == "typical"
    assert row[5].removesuffix(".").removeprefix("Stands in ") in " ".join(shown.split())


@pytest.mark.parametrize("number", range(3))
def test_a_query_gives_what_the_readme_shows(number, finished_once):
    query, shown = [(body, shown) for kind, body, shown in BLOCKS if kind == "sql"][number]
    connection = duckdb.connect(str(finished_once.home / "warehouse.duckdb"), read_only=True)
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    rows = [" ".join(map(str, row)) for row in cursor.fetchall()]
    connection.close()
    assert [" ".join(names), *rows] == lines(shown)


def test_the_other_commands_of_the_readme_run(finished, tmp_path):
    rollouts = write(tmp_path / "a.parquet", without("source_model"))
    with StandIn() as server, StandInHub() as hub:
        hub.create("owner/rollouts").commit({"data/a.parquet": rollouts.read_bytes()})
        person = finished.talking_to(server).reading_from(hub)
        # The stand-in has the older of the Hub's two stores.
        person.variables.update(HF_TOKEN=hub.token, HF_HUB_DISABLE_XET="1")
        for kind, body, _ in BLOCKS:
            if kind != "bash" or body.strip() in NOT_RUN_HERE | {"make demo"}:
                continue
            # A person types them one after the other.
            for line in re.split(r"(?<!\\)\n| && ", body.strip()):
                words = shlex.split(line.replace("\\\n", " "))
                if words[0] in ("latent-probes", "dbt"):
                    person.runs(*words)
                else:
                    person.runs("bash", "-ec", line)
        # The three documents that Claude was to write about, and their answers.
        assert len(server.ledger.billed_requests) > 3
        assert "data/train-round-0001.parquet" in hub.repositories["owner/probes"].at("main").files
    assert person.query("select count(*) > 0 from train where source = 'haiku'") == [(True,)]
    landed = person.query("select distinct kind from rollout_sources order by all", "landing")
    assert landed == [("file",), ("hub",)]


def test_every_path_of_the_tree_is_there():
    (tree,) = re.findall(r"## The tree\n\n```text\n(.*?)```", README, re.DOTALL)
    folder = ROOT
    for line in tree.splitlines():
        name = line.split("  ")[0]
        if line.startswith("  ") and not line.startswith("   "):
            name = line[2:].split("  ")[0]
            assert (folder / name).exists(), name
        elif not line.startswith(" "):
            folder = ROOT / name.split()[0]
            assert folder.exists(), name
