"""The published files match their card, in each of the usual ways to read them."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
import yaml
from conftest import ROOT, Checkout
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from latent_probes import publication, warehouse
from latent_probes.common.home import Home
from latent_probes.publication import card, parquet, proof, queries, tables
from latent_probes.publication import header as headers

# The published schema: that of the field, verbatim, and columns of our own behind it.
COLUMNS = """
doc string, scope string, verbalizer_prompt string, context string, atom_text string,
target_response string, incorrect_plausible_answer string, bb_answer_rollout_answers list<string>,
bb_answer_rollout_scores list<float64>, bb_answer_score_mean float64, bb_answer_score_max float64,
bb_answer_score_min float64, row_seed int64, doc_id string, doc_source string, doc_idx int64,
split_char_offset int64,
row_splits struct<word_lens: int64; sentence: int64; paragraph: int64; whole: int64>,
doc_choice_rationale string, split_rationale string, slot_idx float64, target string,
typicality string, abs_index float64, signed_index float64, signed_index_hint float64,
actual_word_distance_from_split float64, synergy_check string, distribution_check string,
difficulty_check string, source string, n_tokens_actual float64, tokenizer string,
generator_model string, source_model string,
atom_origin string, is_nested bool
"""


@pytest.fixture(scope="module")
def published(finished_once) -> Path:
    """The folder of an export. Not to be changed."""
    return finished_once.home / "export"


@pytest.fixture
def copied(published, tmp_path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(published, tmp_path / "export"))


@pytest.fixture(scope="module")
def rows(published) -> list[dict]:
    """The probes as pyarrow reads them."""
    return pyarrow.parquet.read_table(published / "data").to_pylist()


@pytest.fixture
def datasets(monkeypatch, tmp_path):
    """The library, with a cache of its own and no network.

    Imported here, and others where they read: each worker imports this file, and one runs it.
    """
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return datasets


def header(folder: Path) -> dict:
    """The YAML header of the card."""
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def configs(folder: Path) -> dict[str, str]:
    """The pattern of each config's files."""
    return {
        config["config_name"]: config["data_files"][0]["path"]
        for config in header(folder)["configs"]
    }


# The files -------------------------------------------------------------------------------------


def test_the_columns_are_those_of_the_published_set(published):
    (path,) = (published / "data").glob("train-*.parquet")
    schema = pyarrow.parquet.read_schema(path)
    found = [f"{field.name} {described(field.type)}" for field in schema]
    assert found == [column.strip() for column in " ".join(COLUMNS.split()).split(",")]


def described(kind: pyarrow.DataType) -> str:
    """A type in the words of COLUMNS."""
    if pyarrow.types.is_list(kind):
        return f"list<{described(kind.value_type)}>"
    if pyarrow.types.is_struct(kind):
        return f"struct<{'; '.join(f'{field.name}: {described(field.type)}' for field in kind)}>"
    return {"double": "float64"}.get(str(kind), str(kind))


def test_rows_stand_by_document_and_slot(rows):
    keys = [(row["doc_id"], row["slot_idx"]) for row in rows]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_the_overview_says_which_columns_have_nulls(published):
    (path,) = (published / "overview").glob("train-*.parquet")
    overview = pyarrow.parquet.read_table(path)
    with_nulls = {name for name in overview.column_names if overview[name].null_count}
    assert with_nulls == {"typicality", "bb_answer_score_max"}
    # In another round, a distance can be missing, too.
    nullable = {field.name for field in overview.schema if field.nullable}
    assert nullable == with_nulls | {"actual_word_distance_from_split"}


def test_no_row_group_cuts_a_document(finished_once, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "DOCUMENTS_AT_ONCE", 3)
    home = Home(finished_once.folder, finished_once.home)
    with warehouse.opened(home) as connection:
        for table in tables.published(connection)[:4]:
            path = tmp_path / f"{table.config}.parquet"
            parquet.write(connection, table, 1, path)
            whole = pyarrow.parquet.read_table(home.export / tables.paths(connection, table)[0][0])
            assert pyarrow.parquet.read_table(path).equals(whole)
            file = pyarrow.parquet.ParquetFile(path)
            groups = [
                set(file.read_row_group(number, ["doc_id"])["doc_id"].to_pylist())
                for number in range(file.num_row_groups)
            ]
            assert sum(map(len, groups)) == len(set().union(*groups))
            if table.config == "default":
                assert len(groups) == 7


def test_what_is_compact_makes_the_same_rows(published, rows):
    with queries.opened(published) as figures:
        rebuilt = figures.sql("from flattened").to_arrow_table()
        assert rebuilt.to_pylist() == rows
        assert rebuilt.schema.types == pyarrow.parquet.read_table(published / "data").schema.types


def test_an_export_of_the_same_warehouse_is_not_written_again(finished):
    before = {path: path.stat().st_mtime_ns for path in (finished.home / "export").rglob("*")}
    finished.runs("latent-probes", "export")
    assert before == {
        path: path.stat().st_mtime_ns for path in (finished.home / "export").rglob("*")
    }


def test_figures_are_the_same_if_the_files_of_builds_were_removed(finished):
    path = finished.home / "export" / "queries.sql"
    before = path.read_bytes()
    path.unlink()
    shutil.rmtree(finished.home / "target", ignore_errors=True)
    (finished.home / "versions.json").unlink()
    finished.runs("latent-probes", "export")
    assert path.read_bytes() == before


def test_files_that_were_changed_by_hand_are_written_again(finished):
    home = Home(finished.folder, finished.home)
    names = ("queries.sql", "README.md", "data/train-round-0001.parquet")
    before = {home.export / name: (home.export / name).read_bytes() for name in names}
    strangers = [
        path.with_name(name)
        for path in before
        for name in ("train-round-0009.parquet", ".a.partial")
    ]
    for path in strangers:
        path.write_bytes(b"")
        assert not publication.is_current(home)
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content[:-9])
        assert not publication.is_current(home)
        path.write_bytes(content)
    theirs = home.export / ".git" / "config"
    theirs.parent.mkdir()
    theirs.write_text("git's")
    assert publication.is_current(home)
    for path in before:
        path.write_bytes(path.read_bytes()[:-9])
    for path in strangers:
        path.write_bytes(b"")
    finished.runs("latent-probes", "export")
    assert {path: path.read_bytes() for path in before} == before
    assert not any(path.exists() for path in strangers)
    assert theirs.exists()


def test_the_manifest_names_every_file(published):
    manifest = json.loads((published / "manifest.json").read_text())
    found = {str(path.relative_to(published)) for path in published.rglob("*") if path.is_file()}
    assert {file["path"] for file in manifest["files"]} == found - {"README.md", "manifest.json"}
    assert manifest["offline_baseline"] is True
    assert manifest["texts"] == ["data", "compact", "control_answers", "siblings", "method_answers"]


# The card --------------------------------------------------------------------------------------


def test_every_figure_of_the_card_is_that_of_the_files(finished_once):
    said = finished_once.runs("latent-probes", "check")
    assert "every figure on the card was reproduced from them" in said


def test_figures_counted_by_hand_stand_on_the_card(published, rows):
    """The same sums by other means: a query can be wrong, too."""
    shown = card.tables_of((published / "README.md").read_text())
    scores = [row["bb_answer_score_max"] for row in rows if row["bb_answer_rollout_scores"]]
    hard = sum(score < 0.4 for score in scores) / len(scores)
    total = [len(rows), 20, 320, len(scores), f"{statistics.fmean(scores):.3f}"]
    total += [f"{statistics.pstdev(scores):.3f}", f"{hard:.1%}"]
    assert f"| {' | '.join(map(str, total))} |" in shown["totals"]
    for number, line in enumerate(shown["score_histogram"].splitlines()[1:]):
        least, most = number / 5, (number + 1) / 5 if number < 4 else 1.1
        assert int(line.split()[2]) == sum(least <= score < most for score in scores)
    for scope in ("word", "lens", "sentence", "paragraph", "whole"):
        of_scope = [row for row in rows if row["scope"] == scope]
        scored = [row for row in of_scope if row["bb_answer_score_max"] is not None]
        (line,) = re.findall(rf"^\| `{scope}` \|.*$", shown["scope_summary"], re.MULTILINE)
        cells = [cell.strip() for cell in line.split("|")]
        assert [cells[3], cells[5]] == [str(len(of_scope)), str(len(scored))]
        drawn = [row["is_nested"] for row in of_scope if row["is_nested"] is not None]
        assert cells[4] == (str(drawn.count(False)) if drawn else "")
    n_rejected = pyarrow.parquet.read_table(published / "rejections").num_rows
    counted = re.findall(r"^\| `\w+` \| (\d+) \|", shown["rejection_summary"], re.MULTILINE)
    assert sum(map(int, counted)) == n_rejected == 320 - len(rows)
    spend = pyarrow.parquet.read_table(published / "spend").to_pydict()
    for stage, n_attempts in zip(spend["stage"], spend["n_attempts"], strict=True):
        (line,) = re.findall(rf"^\| `{stage}` \|.*$", shown["model_summary"], re.MULTILINE)
        assert f"| {n_attempts:,} |" in line
    assert sum(spend["n_attempts"]) == 20 + 2 * 5 * len(scores)
    written = [row for row in rows if row["scope"] not in ("word", "lens")]
    for table, target in (("typicality_splits", "suffix"), ("origin_summary", "prefix")):
        counted = re.findall(r"^\| `\w+` \| `\w+` \| (\d+) \|", shown[table], re.MULTILINE)
        assert sum(map(int, counted)) == sum(row["target"] == target for row in written)


def body(folder: Path) -> str:
    """The card below its header."""
    return (folder / "README.md").read_text().partition("\n---\n")[2]


def test_every_table_of_the_card_names_its_query(published):
    text = body(published)
    n_tables = len(re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE))
    assert n_tables >= 12
    with queries.opened(published) as figures:
        views = figures.execute("select view_name from duckdb_views()").fetchall()
    named = card.tables_of(text)
    # One more is the histogram; the others say that they have no rows.
    assert sum("\n|" in lines for lines in named.values()) == n_tables
    assert {(name,) for name in named} <= set(views)


@pytest.mark.parametrize(
    "figure",
    ["scope_summary", "totals", "rejection_summary", "model_summary", "rounds", "arm_summary"],
)
def test_a_drift_of_the_card_is_found(copied, figure):
    path = copied / "README.md"
    text = path.read_text()
    table = card.tables_of(text)[figure].partition("\n")[2]
    *_, number = re.finditer(r"(?<=\| )\d+(?= \|)", table)
    drifted = table[: number.start()] + str(int(number[0]) + 1) + table[number.end() :]
    path.write_text(text.replace(table, drifted))
    assert proof.compare(copied) == [f"the card's figures of `{figure}` do not match the files"]


@pytest.mark.parametrize(
    ("folder", "statement", "figures"),
    [
        ("data", "select * from rows limit 290", {"totals", "scope_summary"}),
        (
            "data",
            "select * replace (bb_answer_score_max / 2 + 0.3 as bb_answer_score_max) from rows",
            {"totals", "scope_summary", "score_histogram"},
        ),
        ("rejections", "select * from rows limit 5", {"rejection_summary", "totals"}),
        ("spend", "select * replace (n_succeeded + 1 as n_succeeded) from rows", {"model_summary"}),
        (
            "requests",
            "select * replace (n_requests * 2 as n_requests) from rows",
            {"answer_formats"},
        ),
    ],
)
def test_a_drift_of_the_files_is_found(copied, folder, statement, figures):
    (path,) = (copied / folder).glob("*.parquet")
    changed = duckdb.connect().read_parquet(str(path)).query("rows", statement).to_arrow_table()
    pyarrow.parquet.write_table(changed, path)
    found = proof.compare(copied)
    assert f"{path.relative_to(copied)} does not match the hash in the manifest" in found
    assert figures <= set(re.findall(r"`(\w+)`", " ".join(found)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"files": []}, "is not listed in the manifest"),
        ({"build": "another"}, "build does not match its files"),
        ({"offline_baseline": False}, "offline_baseline does not match the requests"),
    ],
)
def test_a_manifest_that_says_something_else_is_found(copied, change, said):
    path = copied / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert said in " ".join(proof.compare(copied))


@pytest.mark.parametrize("change", [{"settings": None}, {"settings": {}}, {"files": [1]}])
def test_a_damaged_manifest_gives_one_line(copied, change):
    path = copied / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(proof.ProofError, match="cannot be checked"):
        proof.compare(copied)


def test_a_data_set_in_a_folder_of_a_strange_name_is_checked(published, tmp_path):
    folder = shutil.copytree(published, tmp_path / "it's [1] *strange*")
    assert proof.compare(Path(folder)) == []


def test_a_part_of_a_data_set_cannot_be_checked(copied):
    shutil.rmtree(copied / "spend")
    with pytest.raises(proof.ProofError, match="must be the complete folder"):
        proof.compare(copied)


def test_the_queries_of_a_stranger_reach_no_other_file(copied, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\n")
    path = copied / "queries.sql"
    text = path.read_text()
    path.write_text(f"{text}\ncreate or replace table stolen as from read_csv('{secret}');")
    with pytest.raises(proof.ProofError, match="disabled"):
        proof.compare(copied)
    path.write_text(f"{text}\ncopy (select 1) to '{copied}/data/written.parquet';")
    with pytest.raises(proof.ProofError, match="contains statements other than"):
        proof.compare(copied)
    assert not (copied / "data" / "written.parquet").exists()


def test_the_header_is_what_datasets_computes(published, datasets, tmp_path):
    described = {info["config_name"]: info for info in header(published)["dataset_info"]}
    for name, pattern in configs(published).items():
        builder = datasets.load_dataset_builder(
            "parquet",
            data_files={"train": sorted(map(str, published.glob(pattern)))},
            cache_dir=str(tmp_path / name),
        )
        builder.download_and_prepare()
        computed = builder.info._to_yaml_dict() | {"config_name": name}
        assert computed == described[name]


def test_the_header_counts_single_rows_as_datasets_does(datasets, tmp_path):
    for number, n_rows in enumerate([1, 1, 3, 1, 2, 1]):
        table = pyarrow.table({"text": ["x" * 9] * n_rows, "score": [None] * n_rows})
        table = table.cast(pyarrow.schema({"text": pyarrow.string(), "score": pyarrow.float64()}))
        pyarrow.parquet.write_table(table, tmp_path / f"{number}.parquet", row_group_size=2)
    paths = sorted(tmp_path.glob("*.parquet"))
    builder = datasets.load_dataset_builder(
        "parquet", data_files={"train": list(map(str, paths))}, cache_dir=str(tmp_path / "cache")
    )
    builder.download_and_prepare()
    split = builder.info.splits["train"]
    assert headers.sizes_of(paths) == (split.num_bytes, split.num_examples)


def test_a_card_explains_every_name_that_it_shows(published):
    explained = pyarrow.parquet.read_table(published / "meanings").to_pylist()
    meanings = {(row["kind"], row["name"]): row["meaning"] for row in explained}
    (path,) = (published / "data").glob("*.parquet")
    columns = [name for kind, name in meanings if kind == "column"]
    assert sorted(columns) == sorted(pyarrow.parquet.read_schema(path).names)
    assert {name for kind, name in meanings if kind == "config"} > set(configs(published))
    beside = {
        "example_probe": "column",
        "scope_summary": "scope",
        "rejection_summary": "rejection_reason",
        "answer_formats": "answer_format",
        "arm_summary": "arm",
        "finding_summary": "finding",
        "rollout_quality": "reason",
    }
    shown = card.tables_of(body(published))
    for query, kind in beside.items():
        _, titles, _, *lines = shown[query].splitlines()
        assert "| meaning |" in titles
        assert lines
        for line in lines:
            names = [name for name in re.findall(r"`(\w[\w ]*)`", line) if (kind, name) in meanings]
            assert names and meanings[kind, names[-1 if kind == "reason" else 0]] in line


def test_a_config_that_does_not_exist_is_not_listed_and_what_exists_was_measured(published):
    text = body(published)
    (listed,) = re.findall(r"^Configs: (.*)\.$", text, re.MULTILINE)
    assert re.findall(r"`(\w+)`", listed) == list(configs(published))
    unmeasured = re.findall(r"\(`(\w+)`\): not measured\.$", text, re.MULTILINE)
    assert unmeasured == ["band_changes", "judge_anchors", "judge_agreement"]
    assert not set(unmeasured) & set(configs(published))


def test_rows_that_the_card_does_not_show_were_measured_all_the_same(published):
    with queries.opened(published) as figures:
        said = card.table(figures, "Lift", "arm_lift", {"arm": "arm"}, where="scope = 'none'")
        ((n_rows,),) = figures.sql("select count(*) from arm_lift").fetchall()
        assert said == f"Lift (`arm_lift`): none of its {n_rows} rows is of this kind."
        assert card.table(figures, "A", "band_changes", {"band": "a"}) == (
            "A (`band_changes`): not measured."
        )


def test_queries_are_named_like_configs(published):
    with queries.opened(published) as figures:
        for config, pattern in configs(published).items():
            (path,) = published.glob(pattern)
            read = figures.sql(f'from "{config}"').to_arrow_table()
            assert read.num_rows == pyarrow.parquet.read_table(path).num_rows


# Rows that a data set of many rounds has: what to add to each table, for i from 0 to 39.
MANY = {
    "rounds": "select * replace (round_number + i as round_number) from rounds",
    "rollouts": "select * replace (name || i as name) from rollouts",
    "rollout_quality": "select * replace (source_model || i as source_model) from rollout_quality",
    "rejections": "select * replace ('reason ' || i as rejection_reason) from rejections",
    "unscored": "select 'sentence' as scope, 'answer_failed' || i as unscored_reason",
    "spend": "select * replace (model || i as model) from spend",
    "requests": "select * replace (asked_model || i as asked_model, "
    "answering_model || i as answering_model) from requests",
    "controls": "select * replace (answerer_model || i as answerer_model) from controls",
    "arm_lift": "select * replace (answerer_model || i as answerer_model) from arm_lift",
    "finding_summary": "select * replace (finding || i as finding) from finding_summary",
    "judge_anchors": "select 'a' || i as judge_model, 'atom' as anchor, 'all' as scope",
    "judge_agreement": "select 'human' as comparison, 'p' || i as other_rater, 'all' as scope",
    "band_changes": "select 'retest' as comparison, 'all' as scope, 'all' as band, 9 as n_probes, "
    "0.5 as changed",
}


def test_a_card_has_at_most_250_lines_however_much_there_is(published):
    assert body(published).count("\n") <= 250
    assert "select" not in body(published)
    described = json.loads((published / "manifest.json").read_text())
    with queries.opened(published) as figures:
        for name, more in MANY.items():
            figures.execute(
                f"create table many as from {name} union all by name "
                f"select more.* from range(40) as r(i), lateral ({more}) as more"
            )
            figures.execute(f"drop view {name}; alter table many rename to {name}")
        text = card.render(figures, published, described["settings"]).partition("\n---\n")[2]
    assert "not measured" not in text
    assert len(re.findall(r", \d+ of [\d,]+ rows:$", text, re.MULTILINE)) == 11
    assert text.count("\n") <= 250


def test_the_card_says_first_what_the_baseline_made(published):
    text = (published / "README.md").read_text().partition("\n# ")[2]
    assert "Made by the offline baseline `lexical`, which is not a language model" in text[:200]


TEXTS = [
    "a|b\n# <img src=x> [x](y) `c` *d* \x1b[31m",
    "&lt; ~~http://a.b www.a.com WWW.A.COM https://a.b //a.b ftp://a.b",
    "a@b.com mailto:a@b.com xmpp:a@b.com/c @someone #12 <a@b.com>",
    "`` x ` y ``` | z",
    "` `",
    " ` ",
    "\\|[x](http://a.b) \\\\| \\",
    "a\u2028b\x85c\td\u202ee",
    "$x$ :smile: <!-- a --> <script>alert(1)</script> ![x](//a.b)",
    "`",
    "",
    " ",
]


def is_inert(text: str) -> bool:
    """Whether a cell with this text holds, as Markdown, one piece of code or nothing."""
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = markdown.parse(f"| a | b |\n|---|---|\n| {card.cell(text)} | c |\n")
    cells = [token.children for token in tokens if token.type == "inline"]
    assert len(cells) == 4
    return [token.type for token in cells[2]] == ["code_inline"] * bool(text)


@pytest.mark.parametrize("text", TEXTS)
def test_what_stands_in_a_text_is_no_markup_of_the_card(text):
    assert is_inert(text)


@settings(max_examples=200)
@given(st.text(alphabet="`|\\ a[]()<>&*_~\n\t@.:/w", max_size=12))
def test_no_text_is_markup_of_the_card(text):
    assert is_inert(text)


# Those who read it -----------------------------------------------------------------------------


def test_datasets_reads_the_folder_by_its_card(published, rows, datasets, streamed):
    read = datasets.load_dataset(str(published), split="train")
    assert read.to_list() == rows
    assert streamed["default"] == rows


# Threads of the reader may abort an interpreter that ends.
STREAM = """
import json, os, sys
import datasets
found = {}
for name in sys.argv[2:]:
    rows = datasets.load_dataset(sys.argv[1], name, split="train", streaming=True)
    found[name] = [row for row in rows]
print(json.dumps(found, default=str), flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def streamed(published) -> dict[str, list[dict]]:
    """The rows of two configs as `datasets` streams them, in a process of its own."""
    command = [sys.executable, "-c", STREAM, str(published), "default", "compact"]
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(published.parent / "hub")}
    read = subprocess.run(command, capture_output=True, check=True, env=offline)
    return json.loads(read.stdout)


def test_datasets_reads_every_config(published, datasets):
    assert len(configs(published)) == 20
    for name, pattern in configs(published).items():
        expected = duckdb.connect().read_parquet(str(published / pattern)).fetchall()
        read = datasets.load_dataset(str(published), name, split="train")
        assert len(read) == len(expected), name


def test_the_recipes_of_card_and_docs_leave_the_documents_of_the_test_fold(published, datasets):
    folds = pyarrow.parquet.read_table(published / "folds").to_pylist()
    tested = {row["doc_id"] for row in folds if row["fold"] == "test"}
    assert 0 < len(tested) < len(folds)
    docs = (ROOT / "docs/using-a-set.md").read_text()
    recipes = [
        "\n".join(found)
        for found in (
            re.findall(r"```python\n(.*?)```", (published / "README.md").read_text(), re.DOTALL),
            re.findall(r"```python\n(import pandas.*?)```", docs, re.DOTALL),
        )
    ]
    for recipe in recipes:
        assert recipe
        known = {}
        exec(re.sub("OWNER/NAME|demo/export", str(published), recipe), known)
        test = known["test"]
        found = set(test["doc_id"])
        # A document whose probes were all rejected is in no row.
        assert found == tested & set(known["probes"]["doc_id"])


def test_a_nested_config_is_streamed(published, streamed):
    documents = pyarrow.parquet.read_table(published / "compact").to_pylist()
    assert streamed["compact"] == documents


def test_duckdb_reads_the_same_rows(published, rows):
    read = duckdb.connect().read_parquet(str(published / "data" / "*.parquet"))
    assert read.to_arrow_table().to_pylist() == rows


def test_polars_reads_the_same_rows(published, rows):
    import polars

    assert polars.read_parquet(published / "data" / "*.parquet").to_dicts() == rows


def test_pandas_reads_the_same_rows_and_nulls(published, rows):
    import pandas

    read = pandas.read_parquet(published / "data", dtype_backend="pyarrow")
    assert pyarrow.Table.from_pandas(read, preserve_index=False).to_pylist() == rows
    plain = pandas.read_parquet(published / "data")
    for name in plain.columns:
        assert plain[name].isna().tolist() == [row[name] is None for row in rows]


def test_a_group_of_rows_is_a_whole_document(published, rows):
    import pandas

    frame = pandas.read_parquet(published / "data")
    for doc_id, group in frame.groupby("doc_id"):
        assert group["doc"].nunique() == 1
        slots = sorted(row["slot_idx"] for row in rows if row["doc_id"] == doc_id)
        assert sorted(group["slot_idx"]) == slots
        first, last = group.index[0], group.index[-1]
        assert last - first + 1 == len(group)


@pytest.mark.parametrize(
    "place", ["", "data", "README.md", "spend/.train-all.parquet.partial", ".queries.sql.partial"]
)
def test_a_folder_that_cannot_be_written_is_one_sentence(finished, monkeypatch, place):
    home = Home(finished.folder, finished.home)
    shutil.rmtree(home.export)
    path = home.export / place
    # Where a file is expected is a folder, and a file where a folder is.
    if "." in place:
        path.mkdir(parents=True)
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    monkeypatch.setattr(warehouse, "build", lambda *_, **__: None)
    with pytest.raises(publication.ExportError, match=r"cannot be written \(.*run `latent-probes"):
        publication.export(home)
    assert not home.export_stamp.exists()


# What is not finished --------------------------------------------------------------------------


def refused(checkout: Checkout, *changes: str) -> str:
    """What an export says of a warehouse that was changed by hand; empty if it would go on."""
    checkout.change(*changes)
    with warehouse.opened(Home(checkout.folder, checkout.home)) as connection:
        try:
            publication.refuse_pending(connection)
        except publication.ExportError as error:
            return str(error)
    return ""


def test_a_slot_that_is_not_decided_is_waited_for(finished):
    assert "320 slots" in refused(finished, "update slots set state = 'pending'")


def test_a_score_that_is_to_come_is_waited_for(finished):
    ((n_probes,),) = finished.query("select count(*) from probe_scores")
    said = refused(
        finished,
        "create table changed as from probe_scores",
        "drop view probe_scores cascade",
        "alter table changed rename to probe_scores",
        "update probe_scores set unscored_reason = 'pending', scores = null",
    )
    assert n_probes > 100
    assert f"the scores of {n_probes} probes" in said


def test_a_round_that_has_not_started_is_not_waited_for(finished):
    assert not refused(
        finished,
        "insert into round_settings by name select 2 as round_number, 'proposed' as state",
        "insert into slots by name "
        "select * replace (2 as round_number, 'pending' as state) from slots",
    )
