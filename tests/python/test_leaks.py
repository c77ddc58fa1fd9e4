"""No key is ever published, and no local path except inside external texts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latent_probes.common.home import Home
from latent_probes.pushing import leaks
from latent_probes.pushing.ready import Export, PushError

LIVE = {
    "a key of Anthropic": "sk-ant-api03-" + "aB3_" * 20,
    "a key of OpenAI": "sk-proj-" + "aB3x" * 12,
    "a token of the Hub": "hf_" + "aBcD" * 9,
    "a token of GitHub": "ghp_" + "aB3d" * 9,
    "a key of AWS": "AKIA" + "Q2W3" * 4,
    "a key of Google": "AIza" + "aB3-x" * 7,
    "a token of Slack": "xoxb-" + "123456789012-" * 3,
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
}


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """A home of nobody, with an empty export."""
    for name in leaks.SECRETS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))
    project = tmp_path / "project"
    (project / "home" / "export").mkdir(parents=True)
    return Home(project, project / "home")


def export(home: Home, **contents) -> Export:
    """An export of these files: a text, or the statement that makes the rows of a table."""
    paths = []
    for name, content in contents.items():
        folder, _, kind = name.partition("_")
        path = {"text": f"{folder}.json", "card": "README.md"}.get(kind, f"{folder}/train.parquet")
        (home.export / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".parquet"):
            duckdb.connect().sql(content).write_parquet(str(home.export / path))
        else:
            (home.export / path).write_text(content)
        paths.append(path)
    return Export(home.export, dict.fromkeys(paths, ""), ("data", "compact"), "build")


def refused(home: Home, **contents) -> str:
    """What is said of an export that may not leave."""
    with pytest.raises(PushError) as raised:
        leaks.refuse(home, export(home, **contents))
    return str(raised.value)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.mark.parametrize("kind", LIVE)
def test_a_live_key_is_refused_wherever_it_stands(home, kind):
    key = LIVE[kind]
    nested = f"select 'a' as doc_id, 3 as slot_idx, [{{'b': ['x ' || {quoted(key)}]}}] as probes"
    for contents in (
        {"manifest_text": json.dumps({"a": f"see {key}."})},
        {"README_card": f"# A\n\n{key}"},
        {"data": f"select 'a' as doc_id, 3 as slot_idx, 'so {key} it is' as doc"},
        {"compact": nested},
        {"spend": f"select {quoted(key)} as model"},
    ):
        said = refused(home, **contents)
        assert kind in said
        assert key not in said


def test_the_place_of_a_key_is_named(home):
    key = LIVE["a key of AWS"]
    said = refused(home, data=f"select 'd-1' as doc_id, 3 as slot_idx, '{key}' as context")
    assert "data/train.parquet, context of d-1 3: a key of AWS" in said
    assert "README.md, line 3" in refused(home, README_card=f"a\nb\n{key}")


@pytest.mark.parametrize("name", leaks.SECRETS)
def test_the_value_of_a_key_of_the_environment_is_refused_in_any_form(home, monkeypatch, name):
    monkeypatch.setenv(name, "an+unusual*key(of)a$server")
    said = refused(home, data="select 'x an+unusual*key(of)a$server y' as doc")
    assert f"the value of {name}" in said
    assert "unusual" not in said


def test_prose_about_keys_is_not_a_key(home):
    text = (
        "Your key starts with sk-ant- and a token with hf_ or ghp_; AKIA is what AWS writes. "
        "sk-learn-pipeline, hf_transformers_models, xoxb-, BEGIN PRIVATE KEY. "
    )
    leaks.refuse(home, export(home, data=f"select {quoted(text * 50)} as doc"))


@pytest.mark.parametrize("folder", ["home", "project"])
def test_a_path_of_this_computer_is_refused_outside_of_texts(home, folder):
    path = f"{getattr(home, 'folder' if folder == 'home' else 'project')}/rollouts.jsonl"
    for contents in (
        {"manifest_text": json.dumps({"a": path})},
        {"README_card": f"| {path} |"},
        {"rollouts": f"select {quoted(path)} as name"},
    ):
        assert "a path on this computer" in refused(home, **contents)


@pytest.mark.parametrize(
    "path",
    [
        *(f"at /{folder}/a.txt" for folder in ("home/somebody", "Users/some.body", "root")),
        r"C:\\Users\\somebody",
        "file:///a",
    ],
)
def test_a_path_of_any_computer_is_listed_in_texts_and_refused_elsewhere(home, path, capsys):
    assert "a local path" in refused(home, spend=f"select {quoted(path)} as model")
    rows = f"select 'd' as doc_id, 1 as slot_idx, 'open ' || {quoted(path)} as doc"
    leaks.refuse(home, export(home, data=rows, README_card=f"a probe says {path}"))
    assert "data/train.parquet, doc of d 1" in capsys.readouterr().out


def test_urls_and_words_are_no_paths(home):
    text = "https://example.org/home/page.html, at/home/ alone, the /roots of and/or, Users: 3"
    leaks.refuse(home, export(home, spend=f"select {quoted(text)} as model"))


TEXTS = st.text(max_size=40)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=TEXTS, after=TEXTS, kind=st.sampled_from(sorted(LIVE)), depth=st.integers(0, 3))
def test_a_key_is_found_at_any_depth_between_any_texts(home, before, after, kind, depth):
    text = f"{before} {LIVE[kind]} {after}".replace("\0", "")
    file = Path(home.export / "found.parquet")
    with duckdb.connect() as connection:
        column = "?::varchar"
        for _ in range(depth):
            column = f"[{{'a': {column}}}]"
        text = text.encode("utf-8", errors="replace").decode()
        connection.execute(f"copy (select {column} as nested) to '{file}' (format parquet)", [text])
        leaked = leaks.found(connection, home.export, file.name, leaks.KEYS)
        found = {leak.kind for leak in leaked}
    assert kind in found


def test_every_kind_of_key_is_tried():
    assert set(LIVE) == set(leaks.KEYS)
    for kind, pattern in leaks.KEYS.items():
        assert re.search(pattern, LIVE[kind])
