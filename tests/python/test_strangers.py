"""The data set of a stranger, whatever is in its folder, is checked or refused in one sentence."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import duckdb
import pytest
import typer

from latent_probes.cli import dataset
from latent_probes.common import limits
from latent_probes.publication import card, proof, strangers


@pytest.fixture
def folder(finished_once, tmp_path) -> Path:
    """A copy of an export, to be changed."""
    return Path(shutil.copytree(finished_once.home / "export", tmp_path / "export"))


@pytest.fixture
def secret(tmp_path) -> Path:
    """A table outside of it, which nobody may read."""
    path = tmp_path / "secret" / "train-all.parquet"
    path.parent.mkdir()
    duckdb.connect().sql("select 'secret' as a").write_parquet(str(path))
    return path


def refused(folder: Path) -> str:
    """What is said of a folder that cannot be checked: one line that a terminal can show."""
    with pytest.raises(proof.ProofError) as raised:
        proof.compare(folder)
    said = str(raised.value)
    assert said.isprintable() and len(said) < 900
    return said


def change_manifest(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)


def add_query(folder: Path, text: str) -> None:
    with (folder / "queries.sql").open("a") as file:
        file.write(f"\n{text}\n")


def test_a_home_is_no_data_set_and_names_its_export(tmp_path):
    with pytest.raises(proof.ProofError, match=r"no manifest\.json.: name the folder"):
        proof.faults(tmp_path)
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "manifest.json").touch()
    with pytest.raises(proof.ProofError, match=f"run `latent-probes check {tmp_path}/export`"):
        proof.faults(tmp_path)


# Nothing outside the folder --------------------------------------------------------------------


@pytest.mark.parametrize(
    "named", ["../secret", "{secret}", "../*", "data/../../secret", "", ".", "a\0b", "~"]
)
def test_a_table_lies_in_a_folder_with_a_plain_name(folder, secret, named):
    named = named.format(secret=secret.parent)
    text = (folder / "queries.sql").read_text()
    changed = text.replace("'spend', 'spend', false", f"'spend', '{named}', false")
    assert changed != text
    (folder / "queries.sql").write_text(changed)
    assert "is not a plain name" in refused(folder)


@pytest.mark.parametrize("place", ["README.md", "manifest.json", "queries.sql", "spend/more.txt"])
@pytest.mark.parametrize("target", ["/dev/zero", "{secret}", "/nowhere", "{here}"])
def test_a_link_that_leads_out_of_the_folder_is_not_followed(folder, secret, place, target):
    path = folder / place
    path.unlink(missing_ok=True)
    path.symlink_to(target.format(secret=secret, here=path))
    said = refused(folder)
    assert f"{place} is a link to something outside the folder" in said or "loop" in said


def test_a_linked_folder_is_not_entered(folder, secret):
    (folder / "more").symlink_to(secret.parent)
    assert "more is a link to something outside the folder" in refused(folder)


def test_a_link_inside_the_folder_is_followed(folder):
    (folder / "queries.sql").rename(folder / "spend" / "real.sql")
    (folder / "queries.sql").symlink_to(Path("spend") / "real.sql")
    assert proof.compare(folder) == ["spend/real.sql is not listed in the manifest"]


def test_the_folder_itself_can_be_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert proof.compare(tmp_path / "link") == []


def test_a_pipe_is_not_waited_for(folder):
    (folder / "README.md").unlink()
    os.mkfifo(folder / "README.md")
    assert "README.md is not a regular file" in refused(folder)


@pytest.mark.parametrize(
    "statement",
    [
        "create secret s (type http);",
        "create or replace persistent secret s (type http);",
        "create macro avg(x) as 0.5;",
        "create type t as enum ('a');",
        "-- a\rcreate secret s (type http, a '\ncreate or replace view x as');",
        "attach '/tmp/a.duckdb';",
        "set memory_limit = '1TB';",
        "create or replace view x as from read_text('{secret}');",
        "create or replace view x as from '{folder}/../secret/train-all.parquet';",
        "create or replace view x as from glob('/etc/*');",
    ],
)
def test_queries_define_views_and_tables_of_the_folder_only(folder, secret, statement):
    add_query(folder, statement.format(secret=secret, folder=folder))
    said = refused(folder)
    assert "contains statements other than" in said or "disabled by configuration" in said


def test_a_module_in_the_folder_is_not_imported(folder, monkeypatch):
    for name in ("duckdb", "json", "latent_probes", "site"):
        (folder / f"{name}.py").write_text("open('imported', 'w')")
    monkeypatch.chdir(folder)
    assert len(proof.faults(Path())) == 4
    assert not (folder / "imported").exists()


# No work without an end ------------------------------------------------------------------------


def test_a_query_without_an_end_is_stopped(folder, monkeypatch):
    add_query(
        folder,
        "create or replace view baseline_rounds as with recursive a as "
        "(select 1 as i union all select i + 1 from a) select i as round_number from a;",
    )
    monkeypatch.setattr(limits, "CHECK_SECONDS", 2)
    before = time.monotonic()
    with pytest.raises(proof.ProofError, match="it takes longer than 2 seconds"):
        proof.faults(folder)
    assert time.monotonic() - before < 20


def test_a_query_without_a_limit_of_memory_is_stopped(folder, monkeypatch):
    monkeypatch.setattr(limits, "QUERY_MEMORY", "40MB")
    add_query(folder, "create or replace table more as from range(100000000);")
    assert "Out of Memory" in refused(folder)


@pytest.mark.parametrize("line", ["|x", "[x", "(`totals`):", "|x (`a`):", "(`", "x\n\n|y", "```"])
def test_the_card_is_read_in_one_pass(line):
    before = time.process_time()
    for text in (f"{line}\n" * 200_000, line * 200_000, f"(`a`):\n{line}\n" * 100_000):
        card.tables_of(text)
    assert time.process_time() - before < 3


def test_a_file_that_is_longer_than_ours_can_be_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(limits, "DATA_SET_TEXT_BYTES", 1000)
    assert "manifest.json is larger than 1,000 bytes" in refused(folder)


def test_holes_in_a_file_give_no_time(folder):
    before = strangers.stored_bytes(folder)
    with (folder / "hole").open("wb") as file:
        file.truncate(1 << 40)
    assert strangers.stored_bytes(folder) == before


# One sentence ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 500_000,
        '{"files": ' + "[" * 500_000,
        "null",
        "[]",
        '"\\ud800"',
        '{"files": [{"path": "\\ud800\\u0000", "bytes": 1, "sha256": "0"}], "build": 1}',
        '{"files": [{"path": ["a"], "bytes": 1, "sha256": "0"}], "build": 1}',
        '{"files": {"path": 1}, "build": []}',
        "\ud800",
    ],
)
def test_a_manifest_that_is_none_is_one_sentence(folder, text):
    (folder / "manifest.json").write_bytes(text.encode(errors="surrogatepass"))
    assert "it must be the complete folder of an export" in refused(folder)


@pytest.mark.parametrize(
    "settings",
    [
        {"licence": {"a": ["\ud800"]}, "licence_note": "\ud800"},
        {"licence": 1, "licence_note": ""},
        {"licence": "other", "licence_note": []},
        ["licence"],
        7,
    ],
)
def test_settings_that_are_none_are_a_fault_or_one_sentence(folder, settings):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": settings}))
    try:
        assert proof.compare(folder)
    except proof.ProofError as error:
        assert str(error).isprintable()


@pytest.mark.parametrize(
    "definition",
    [
        "view rounds as select 1 as a",
        "view totals as select * from range(3)",
        "table score_bins as select null as band, [1] as lower_bound, 'x' as upper_bound",
        "view published_tables as select 1 as position, [1] as config, {'a': 1} as folder",
        "view baseline_rounds as select * from totals, (select 1 as round_number)",
        "view languages as select 1; create or replace view rounds as select "
        "date '2020-01-01' as language, 1 as n_probes, 'a' as source_model",
        "view totals as from totals",
    ],
)
def test_queries_with_other_columns_are_a_fault_or_one_sentence(folder, definition):
    add_query(folder, f"create or replace {definition};")
    try:
        assert proof.compare(folder)
    except proof.ProofError as error:
        assert str(error).isprintable()


def described(folder: Path, **changes) -> dict:
    """The manifest of a folder with other values."""
    return json.loads((folder / "manifest.json").read_text()) | changes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: {"rounds": []}, "round 1 is not listed in the manifest"),
        (
            lambda found: {"rounds": found["rounds"] * 2},
            "round 1 is listed 2 times in the manifest",
        ),
        (
            lambda found: {"rounds": [*found["rounds"], found["rounds"][0] | {"round_idx": 7}]},
            "round 7 of the manifest is not in the files",
        ),
        (
            lambda found: {"rounds": [found["rounds"][0] | {"seed": 77}]},
            "the manifest's seed of round 1 does not match the files",
        ),
        (
            lambda found: {"rounds": [found["rounds"][0] | {"doc_ids": [], "row_seeds": []}]},
            "the manifest's documents of round 1 do not match the files",
        ),
        (lambda found: {"texts": []}, "the manifest's texts do not match the files"),
        (
            lambda found: {"files": [found["files"][0] | {"sha256": "0"}, *found["files"]]},
            "is listed 2 times in the manifest",
        ),
    ],
)
def test_a_manifest_with_other_rounds_texts_or_files_is_found(folder, change, message):
    change_manifest(folder, json.dumps(described(folder, **change(described(folder)))))
    assert message in " ".join(proof.compare(folder))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "manifest.json is not an object"),
        ("{", "manifest.json is not valid JSON (line 1)"),
        ("[" * 500_000, "manifest.json is nested too deeply"),
        ("9" * 5_000, "manifest.json is not valid JSON"),
        ('{"files": [], "files": []}', "manifest.json contains 'files' twice in one object"),
        ('{"build": "a"}', "manifest.json has no `offline_baseline`"),
        ('{"build": 1}', "`build` of manifest.json is not a text"),
        ({"offline_baseline": 1}, "`offline_baseline` of manifest.json is not true or false"),
        ({"rounds": {}}, "`rounds` of manifest.json is not a list"),
        ({"rounds": [1]}, "item 1 of `rounds` in manifest.json is not an object"),
        ({"files": [{"path": ["a"]}]}, "`path` of item 1 of `files` in manifest.json is not a"),
        ({"settings": None}, "`settings` of manifest.json is not an object"),
        ({"settings": {}}, "`settings` in manifest.json has no `licence`"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said_in_its_own_words(folder, text, reason):
    if isinstance(text, dict):
        text = json.dumps(described(folder, **text))
    change_manifest(folder, text)
    assert f"cannot be checked ({reason}" in refused(folder)


def test_a_card_in_another_encoding_is_named(folder):
    (folder / "README.md").write_bytes("é".encode("latin-1"))
    assert "(README.md is not UTF-8)" in refused(folder)


def test_a_name_that_is_no_text_is_shown_harmlessly(folder, capsys):
    (folder / "a\n\x1b[31m\udcff").write_text("")
    with pytest.raises(typer.Exit):
        dataset.check(folder)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "is not listed in the manifest" in said
    assert said.strip().isprintable()


def test_many_faults_are_not_all_shown(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] += [
        {"path": f"{number:0400}", "bytes": 1, "sha256": ""} for number in range(1000)
    ]
    path.write_text(json.dumps(manifest))
    *shown, more = proof.compare(folder)
    assert len(shown) == limits.FAULTS_SHOWN
    assert more == "and 980 more"
    assert max(map(len, shown)) < 400


@pytest.mark.parametrize("name", ["nowhere", "file", "fifo", "file/in", "a" * 300, "a\0b"])
def test_what_is_no_folder_is_one_sentence(tmp_path, name):
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(proof.ProofError, match="is not a folder"):
        proof.faults(tmp_path / name)


def test_the_files_of_git_and_of_the_hub_are_no_fault(folder):
    (folder / ".gitattributes").write_text("*.parquet filter=lfs\n")
    (folder / ".cache" / "huggingface").mkdir(parents=True)
    (folder / ".cache" / "huggingface" / "README.md.metadata").write_text("a")
    assert proof.compare(folder) == []
    (folder / "data" / ".a.partial").write_text("a")
    assert proof.compare(folder) == ["data/.a.partial is not listed in the manifest"]
