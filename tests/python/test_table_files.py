"""Files of people are read exactly, or refused with the row and the remedy; nothing is guessed."""

from __future__ import annotations

import codecs
import contextlib
import functools
import gzip
import io
import itertools
import json
import math
import re
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from conftest import ROOT, Checkout
from hypothesis import given, settings
from hypothesis import strategies as st
from landing_house import House, listed, row, without, write

from latent_probes import table_files
from latent_probes.cli import options
from latent_probes.common import limits
from latent_probes.common.home import Home
from latent_probes.evaluation import answers_file, ratings
from latent_probes.evaluation.answers_file import OracleError
from latent_probes.evaluation.ratings import RatingError
from latent_probes.rollout_files.mapping import SAMPLING_COLUMNS, Mapping
from latent_probes.sampling import prefixes
from latent_probes.sampling.prefixes import Bounds, PrefixError
from latent_probes.table_files import Column, FileError, Number, Text, Texts

ROWS = [
    row(doc_id=doc_id, prefix=f"The {doc_id} left, '", continuation=f' "as said; {index}.')
    | {"continuation_idx": index}
    for doc_id in ("d0", "d1")
    for index in (0, 1)
]
# Both workers must name a test by the same bytes.
gzipped = functools.partial(gzip.compress, mtime=0)
LANDED = sorted(tuple(rollout.values()) for rollout in ROWS)


@pytest.fixture
def house(tmp_path):
    with House(tmp_path) as house:
        yield house


def csv_text(rows=ROWS, delimiter=",", line_end="\r\n", header=None, quoted=False):
    """Rows as CSV; with ``quoted``, all fields are in quotes."""

    def field(value) -> str:
        text = "" if value is None else str(value)
        if quoted or any(mark in text for mark in f'"\r\n{delimiter}'):
            return '"' + text.replace('"', '""') + '"'
        return text

    lines = [header or list(rows[0]), *(rollout.values() for rollout in rows)]
    return "".join(delimiter.join(map(field, line)) + line_end for line in lines)


def jsonl_text(*rows, line_end="\n"):
    """Rows as JSONL."""
    return "".join(json.dumps(rollout, ensure_ascii=False) + line_end for rollout in rows or ROWS)


def zstd(data: bytes) -> bytes:
    """Compressed with zstd."""
    return pyarrow.compress(data, "zstd", asbytes=True)


def put(house, name, content):
    """A file of these bytes, or of this text in UTF-8."""
    path = house.folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


CONNECTION = duckdb.connect()


def rows_of(path: Path, schema: list[Column], delimiter: str = ",") -> list[tuple]:
    """Number, problem and values of each row of a file."""
    columns = [f"{column.ours} {kind_of(column)}" for column in schema]
    CONNECTION.execute(
        f"create or replace table found (row_number bigint, problem varchar, {', '.join(columns)})"
    )
    source = table_files.local_file(path, delimiter)
    table_files.read(CONNECTION, source, schema, lambda rows: f"insert into found from {rows}")
    return CONNECTION.execute("from found order by row_number").fetchall()


def kind_of(column: Column) -> str:
    """The type of a column in SQL."""
    return "varchar[]" if isinstance(column.kind, Texts) else "varchar"


def problem_of(path: Path, schema: list[Column], delimiter: str = ",") -> str:
    """The row of a file that is refused, and why."""
    try:
        found = rows_of(path, schema, delimiter)
    except FileError as error:
        return str(error).removeprefix(f"{path}, ")
    return next((f"row {number}: {problem}" for number, problem, *_ in found if problem), "")


# What lands ------------------------------------------------------------------------------------

INDEXED = [{"": number} | rollout for number, rollout in enumerate(ROWS)]
WIDE = [rollout | {"note" * 75_000: "x"} for rollout in ROWS]
MANY = [rollout | {f"column {number}": "" for number in range(20_000)} for rollout in ROWS]


@pytest.mark.parametrize(
    ("name", "content", "delimiter"),
    [
        ("bom.csv", codecs.BOM_UTF8 + csv_text().encode(), ","),
        ("bom.jsonl", codecs.BOM_UTF8 + jsonl_text(line_end="\r\n").encode(), ","),
        ("cr.jsonl", jsonl_text(line_end="\r"), ","),
        ("cr.csv", csv_text(line_end="\r"), ","),
        ("mixed.csv", csv_text().replace("\r\n", "\n", 2), ","),
        ("blank.csv", csv_text().replace("\r\n", "\r\n\r\n"), ","),
        ("utf16.csv", csv_text().encode("utf-16"), ","),
        ("utf16be.csv", codecs.BOM_UTF16_BE + csv_text().encode("utf-16-be"), ","),
        ("utf16.jsonl", jsonl_text().encode("utf-16"), ","),
        ("semicolon.csv", csv_text(delimiter=";"), ";"),
        ("quoted.csv", csv_text(delimiter=";", quoted=True), ";"),
        ("tab.csv", csv_text(delimiter="\t").encode("utf-16"), "\t"),
        ("bar.csv", csv_text(delimiter="|"), "|"),
        ("pandas_index.csv", csv_text(INDEXED), ","),
        ("trailing.csv", csv_text([rollout | {"": ""} for rollout in ROWS]), ","),
        ("case_names.csv", csv_text([rollout | {"Prefix": "x"} for rollout in ROWS]), ","),
        ("case_names.jsonl", jsonl_text(*({"PREFIX": 1} | rollout for rollout in ROWS)), ","),
        ("wide.csv", csv_text(WIDE), ","),
        ("many.csv", csv_text(MANY), ","),
        ("a.jsonl.gz", gzipped(jsonl_text().encode()), ","),
        ("a.csv.gz", gzipped(csv_text().encode("utf-16")), ","),
        ("two_members.csv.gz", b"".join(map(gzipped, csv_text().encode().split(b"@"))), ","),
        ("a.jsonl.zst", zstd(jsonl_text()[:99].encode()) + zstd(jsonl_text()[99:].encode()), ","),
        ("A.CSV.ZST", zstd(csv_text().encode()), ","),
    ],
)
def test_a_file_lands_exactly(house, name, content, delimiter):
    house.land(put(house, name, content), delimiter=delimiter)
    assert house.rollouts() == LANDED


@pytest.mark.parametrize(
    "names", [("Prefix", "prefix"), ("prefix", "Prefix"), ("prefix", "PREFIX")]
)
def test_of_two_parquet_columns_that_differ_in_case_the_exact_one_is_read(house, names):
    kept = without("prefix")
    values = {"prefix": "exact"}
    rows = [{names[0]: values.get(names[0], "x")} | kept | {names[1]: values.get(names[1], "x")}]
    house.land(write(house.folder / "a.parquet", *rows))
    assert house.rollouts() == [tuple(row(prefix="exact").values())]


def test_columns_without_a_name_are_left_out_with_a_note(house, capsys):
    house.land(put(house, "index.csv", csv_text(INDEXED)))
    assert "index.csv: left out column 1, which has no name" in capsys.readouterr().out
    # A sheet whose lines end in very many commas.
    wide = csv_text([row()]).replace("\r\n", f"{',' * 5000}\r\n")
    house.land(put(house, "commas.csv", wide))
    said = capsys.readouterr().out
    assert "(5,000 columns), which has no name" in said and len(said) < 400


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_settings_land_alike_in_all_formats(house, suffix):
    good = {
        "temperature": 0.7,
        "top_p": 1.0,
        "top_k": 20.0,
        "min_p": None,
        "max_new_tokens": 512,
        "sampling_seed": 2**64 - 1,
    }
    rows = [row(**good), row(doc_id="e")]
    if suffix == ".parquet":
        table = pyarrow.Table.from_pylist([{**rows[0], "sampling_seed": None}])
        seeds = pyarrow.array([2**64 - 1], pyarrow.uint64())
        place = table.schema.get_field_index("sampling_seed")
        table = table.set_column(place, "sampling_seed", seeds)
        path = house.folder / "a.parquet"
        pyarrow.parquet.write_table(table, path)
    else:
        path = write(house.folder / f"a{suffix}", rows[0])
    house.land(path)
    del good["min_p"]
    assert house.sampling() == [good]
    assert str(house.query("select sampling ->> 'top_k' from rollouts")) == "[('20',)]"


@pytest.mark.parametrize(
    ("value", "digits", "scale", "found"),
    [
        ("0.7", 4, 4, 0.7),
        ("0", 4, 4, 0),
        ("1", 5, 4, 1),
        ("20", 10, 0, 20),
        ("20", 5, 3, 20),
        ("100", 38, 9, 100),
        ("1E-9", 38, 38, 1e-9),
    ],
)
def test_decimals_of_parquet_files_land_as_numbers(house, value, digits, scale, found):
    decimal = pyarrow.array([Decimal(value)]).cast(pyarrow.decimal128(digits, scale))
    name = "top_k" if found == 20 else "temperature"
    table = pyarrow.Table.from_pylist([row()]).append_column(name, decimal)
    pyarrow.parquet.write_table(table, house.folder / "a.parquet")
    house.land(house.folder / "a.parquet")
    assert house.sampling() == [{name: found}]


def test_a_negative_decimal_is_refused_as_it_is_written(house):
    decimal = pyarrow.array([Decimal("-0.7")]).cast(pyarrow.decimal128(4, 4))
    table = pyarrow.Table.from_pylist([row()]).append_column("temperature", decimal)
    pyarrow.parquet.write_table(table, house.folder / "bad.parquet")
    said = "row 1: temperature is -0.7, not a number"
    assert said in house.refusal(house.folder / "bad.parquet")


@pytest.mark.parametrize("text", [".5", "0.5", " 0.5 ", "5e-1"])
def test_numbers_of_csv_files_are_read_as_people_write_them(house, text):
    house.land(put(house, "a.csv", csv_text([row(temperature=text)])))
    assert [math.isclose(found["temperature"], 0.5) for found in house.sampling()] == [True]


def test_a_decimal_comma_is_read_where_the_comma_separates_nothing(house):
    house.land(
        put(house, "a.csv", csv_text([row(temperature="0,5")], delimiter=";")), delimiter=";"
    )
    assert house.sampling() == [{"temperature": 0.5}]


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("semicolon.csv", csv_text(delimiter=";"), r'no column .* --delimiter ";"'),
        (
            "quoted.csv",
            csv_text(delimiter=";", quoted=True),
            r'the header \(line 1\): .*--delimiter ";"',
        ),
        ("tab.csv", csv_text(delimiter="\t"), "the delimiter seems to be tab"),
        ("sep.csv", "sep=;\n" + csv_text(delimiter=";"), "the header: .*delete it.*--delimiter"),
        ("header.csv", csv_text([row()]).splitlines()[0] + "\r\n", "contains no rows; leave it"),
        ("empty.jsonl.gz", gzipped(b""), "is empty; leave it out"),
        ("blank.jsonl", "\n \n", "is empty; leave it out"),
        (
            "names.csv",
            csv_text([{name.title(): "x" for name in row()}]),
            "row 1: no column 'source_model', but 'Source_Model': names are compared exactly",
        ),
        (
            "spaces.csv",
            csv_text([row(**{" temperature": "0.5"})]),
            "no column 'temperature', but ' temperature'",
        ),
        ("twice.csv", csv_text(header=[*row(), "prefix"], rows=INDEXED), "'prefix' occurs 2 times"),
        ("ragged.csv", csv_text() + "x,y\r\n", "row 5: has 2 fields, but the header has 6"),
        ("more.csv", csv_text() + "x,y,0,w,p,c,c\r\n", "row 5: has 7 fields, but the header has 6"),
        ("quote.csv", csv_text() + 'x,y,0,"w"w,p,c\r\n', r"row 5 \(line 6\): .*double the quotes"),
        ("open.csv", csv_text() + 'x,y,0,w,p,"c\r\n', r"row 5 \(line 6\): .*close the quote"),
        ("cr.csv", csv_text(line_end="\n") + "x,y,0,w,p,c\rc\n", "row 5 .line 6.: ends with"),
        (
            "cp1252.csv",
            csv_text().replace("left", "é").encode("cp1252"),
            "row 1: cannot be decoded",
        ),
        (
            "header.csv",
            csv_text(header=["é"] * 6).encode("cp1252"),
            "the header: cannot be decoded",
        ),
        ("odd.csv", csv_text().encode("utf-16")[:-1], "row 4: cannot be decoded .*UTF-16"),
        ("odd.jsonl", jsonl_text().encode("utf-16")[:-3], "row 4: cannot be decoded .*UTF-16"),
        ("utf32.csv", csv_text().encode("utf-32"), "row 1: is UTF-32; save the file as UTF-8"),
        ("none.csv", csv_text().encode("utf-16-le"), "row 1: is UTF-16 without a byte order mark"),
        ("lfs.jsonl", "version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer"),
        ("lfs.parquet", "version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer"),
        ("long" * 99 + ".csv", None, "cannot be read .File name too long.; check the file"),
        ("named.jsonl", gzipped(jsonl_text().encode()), "compressed with gzip; add .gz to"),
        ("named.csv", zstd(csv_text().encode()), "compressed with zstd; add .zst to"),
        ("named.csv.gz", csv_text(), "cannot be decompressed"),
        ("cut.csv.gz", gzipped(csv_text().encode())[:-9], "decompressed .*write it again"),
        ("cut.jsonl.zst", zstd(jsonl_text().encode())[:-1], "decompressed .*write it again"),
        ("rest.jsonl.zst", zstd(jsonl_text().encode()) + b"PK", "decompressed .*write it again"),
        ("sheet.csv", b"PK\x03\x04", "is a zip archive or a spreadsheet; save it as CSV"),
        ("sheet.xlsx", b"PK", "is a spreadsheet; save it as CSV in UTF-8"),
        ("p.parquet.gz", b"", "cannot tell the format; name the file"),
        ("deep.jsonl", "[" * 100_000 + "\n", "row 1: nested too deeply; fix or drop the row"),
        ("deep.jsonl", '{"a":' * 5000 + "1" + "}" * 5000, "row 1: nested too deeply"),
        ("deep.jsonl", jsonl_text() + "[" * 100_000, "row 5: nested too deeply"),
        ("array.jsonl", json.dumps(ROWS), "row 1: not a JSON object; write one object per line"),
        ("keys.jsonl", '{"prefix": 1, "prefix": 1}\n', "row 1: a key occurs twice; fix or drop"),
        ("digits.jsonl", jsonl_text() + "9" * 5000, "row 5: not JSON .*fix the row"),
    ],
)
def test_a_file_is_refused_with_its_row_and_the_remedy(house, name, content, said):
    path = house.folder / name if content is None else put(house, name, content)
    refused = house.refusal(path)
    assert re.search(said, refused)
    assert "\n" not in refused


@pytest.mark.parametrize("names", [["n" * 300_000], [f"column {n}" for n in range(20_000)]])
def test_a_long_header_is_refused_with_a_short_message(house, names):
    refused = house.refusal(put(house, "a.csv", csv_text([dict.fromkeys(names, "x")])))
    assert "row 1: no column 'source_model' nor" in refused
    assert len(refused) < 2000


@pytest.mark.parametrize(
    "setting", ["top_k", "max_new_tokens", "sampling_seed", "continuation_idx"]
)
def test_a_separator_of_thousands_in_an_integer_is_refused(tmp_path, setting):
    schema = Mapping().schema(list(row()))
    for delimiter, value in itertools.product(",;\t", ["12,000", "1.000", "1,000", "-1.000"]):
        path = tmp_path / "bad.csv"
        path.write_text(csv_text([row(**{setting: value})], delimiter=delimiter), newline="")
        assert f"row 1: {setting} is {value}, not " in problem_of(path, schema, delimiter)
    with pytest.raises(FileError, match=f"constant {setting}=1.000 is not a"):
        Mapping(constants={setting: "1.000"})


@pytest.mark.parametrize("value", ["20.0", "20.00", "20", "20,0", "2e1"])
def test_an_integer_with_a_fraction_of_zeros_is_read(house, value):
    path = house.folder / "a.csv"
    path.write_text(csv_text([row(top_k=value, temperature="0,125")], delimiter=";"), newline="")
    house.land(path, delimiter=";")
    assert house.sampling() == [{"top_k": 20, "temperature": 0.125}]


WRONG = [[0.7], "hot", math.nan, math.inf, -math.inf, True, -(2.0**70), 1e300, {"a": 1}]
BEYOND = [("top_p", 1.5), ("min_p", -0.5), ("top_k", 2.5), ("max_new_tokens", 0), ("top_k", -2)]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_a_setting_that_is_not_a_number_in_its_bounds_is_refused(tmp_path, suffix):
    for setting, value in [*itertools.product(SAMPLING_COLUMNS, WRONG), *BEYOND]:
        good, bad = row(), row(continuation_idx=1, **{setting: value})
        rows = [good, bad] if suffix == ".jsonl" else [{**bad, setting: None}, bad]
        path = write(tmp_path / f"bad{suffix}", *rows)
        refused = problem_of(path, Mapping().schema(list(bad)))
        said = (
            rf"row [12]: (column '{setting}' is .*|{setting} is .*), not an? (number|integer) from"
        )
        assert re.match(said, refused), (setting, value, refused)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_a_value_of_another_type_is_refused(tmp_path, suffix):
    columns = ["doc_id", "prefix", "continuation", "continuation_idx"]
    for column, value in itertools.product(columns, [["a"], [0], {"a": "b"}, True, 0.5]):
        path = write(tmp_path / f"bad{suffix}", row(**{column: value}))
        refused = problem_of(path, Mapping().schema(list(row())))
        said = rf"row 1: .*{column}.*, not (a text|a non-negative integer)"
        assert re.match(said, refused), (column, value, refused)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_a_file_with_a_wrong_setting_lands_nothing(house, suffix):
    rows = row(temperature=1), row(doc_id="e", temperature=-1)
    path = write(house.folder / f"bad{suffix}", *rows)
    said = (
        f"bad{suffix}, row 2: temperature is -1.* not a number from 0 to 100; fix or drop the row"
    )
    assert re.search(said, house.refusal(path))


def test_a_setting_that_is_a_text_is_refused_though_it_states_a_number(house):
    said = "row 1: temperature is '0.7', not a number"
    assert said in house.refusal(write(house.folder / "bad.jsonl", row(temperature="0.7")))


def test_a_file_that_may_not_be_read_is_refused_in_one_sentence(house, monkeypatch):
    path = put(house, "a.csv", csv_text())

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("latent_probes.common.files.hash_of", refuse)
    with pytest.raises(FileError, match=r"cannot be read \(Permission denied\); check the file"):
        house.land(path)


def test_a_row_that_needs_too_much_memory_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "a.parquet"
    write(path, {"text": "x" * (1 << 25), "number": 0.5, "whole": 1})
    with duckdb.connect() as connection:
        connection.execute("set memory_limit = '20MB'; set temp_directory = ''")
        source = table_files.local_file(path)
        with pytest.raises(FileError, match=r"a\.parquet: a row needs more memory .* shorten"):
            table_files.read(
                connection, source, SCHEMA, lambda rows: f"create table found as from {rows}"
            )


def test_the_length_of_a_row_has_a_limit(house, monkeypatch):
    monkeypatch.setattr(limits, "ROW_CHARACTERS", 500)
    long = [*ROWS[:2], row(doc_id="long", prefix="one line\n" * 100)]
    for name, content in {
        "a.csv": csv_text(long),
        "a.csv.gz": gzipped(csv_text(long).encode()),
        "a.jsonl": jsonl_text(*long),
        "a.jsonl.zst": zstd(jsonl_text(*long).encode()),
    }.items():
        said = "row 3: longer than 500 characters; shorten or drop the row"
        assert said in house.refusal(put(house, name, content))


def test_the_length_of_a_text_has_a_limit(house, monkeypatch):
    good = write(house.folder / "good.jsonl", row(doc_id="good")).stat().st_size
    monkeypatch.setattr(limits, "FILE_CHARACTERS", good)
    blank = put(house, "a.jsonl.gz", gzipped(b"\n" * 1000))
    assert f"longer than {good:,} characters; split the file" in house.refusal(blank)


def test_a_delimiter_is_one_character_or_tab():
    assert [options.delimiter(name) for name in (";", "tab", "\\t", "\t")] == [";", *"\t\t\t"]
    for name in ("", ";;", '"', "\n"):
        with pytest.raises(options.typer.BadParameter):
            options.delimiter(name)


# Answers of methods, and rating sheets ---------------------------------------------------------


def answers(path: Path, delimiter: str = ",") -> list[tuple]:
    """Probe, number and text of the answers of a file, for three published probes."""
    with CONNECTION.cursor() as connection:
        connection.execute(
            "create or replace table probes as "
            "select 'p' || slot_idx as probe_id, 'm' as source_model, 'd' as doc_id, slot_idx, "
            "1 as round_number from range(4) as slots (slot_idx)"
        )
        connection.execute(
            "create or replace table round_settings as "
            "select 1 as round_number, 'started' as state, "
            "false as is_calibration"
        )
        found = answers_file.read(connection, path, delimiter)
    return list(zip(*(found[name].to_pylist() for name in ("probe_id", "answer")), strict=True))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("d,0,'violet'\r\nd,1,cousin\r\n", ["'violet'", "cousin"]),
        ("d,0,'violet'\r\nd,1,\"'violet, river'\"\r\n", ["'violet'", "'violet, river'"]),
        ('d,0,say ""no""\nd,1,"say ""no"""\n', ['say ""no""', 'say "no"']),
        ("d,0,\nd,1,NULL\nd,2,007\n", ["", "NULL", "007"]),
        ("d,0,2026-01-01\nd,1,true\nd,2, # x\n", ["2026-01-01", "true", " # x"]),
    ],
)
def test_an_answer_is_read_exactly(tmp_path, content, found):
    path = tmp_path / "answers.csv"
    path.write_bytes(b"doc_id,slot_idx,answer\r\n" + content.encode())
    assert [text for _, text in answers(path)] == found


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.csv",
            "doc_id,slot_idx,answer\nd,0,a\nd,1,b, c\n",
            "row 2: has 4 fields, but the header",
        ),
        ("a.csv", "doc_id;slot_idx;answer\nd;0;a\n", 'the delimiter seems to be ";"'),
        ("a.csv", "doc_id,slot_idx,Answer\nd,0,a\n", "'answer', but 'Answer'"),
        ("a.csv", "doc_id,slot_idx,answers\nd,0,a\n", "CSV files cannot contain lists"),
        ("a.csv", "doc_id,slot_idx,answer\nd,0.5,a\n", "row 1: slot_idx is 0.5, not the number"),
        (
            "a.jsonl",
            '{"doc_id": "d", "slot_idx": 0, "answer": ["keys"]}',
            "row 1: answer is a list",
        ),
        ("a.jsonl", '{"doc_id": "d", "slot_idx": 0, "answer": {"a": 1}}', "row 1: answer is an ob"),
        ("a.jsonl", '{"doc_id": "d", "slot_idx": 0, "answers": "x"}', "not a list of texts"),
        ("a.jsonl", '{"doc_id": "d", "slot_idx": 0, "answer": "\\ud800"}', "row 1: .*surrogate"),
        ("a.jsonl", '{"doc_id": "d", "slot_idx": true, "answer": "a"}', "slot_idx is true, not"),
        ("a.txt", "", "cannot tell the format; name the file"),
    ],
)
def test_answers_are_refused_with_their_row(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises((FileError, OracleError), match=said):
        answers(path)


SHEET = "answer_id;answer_hash;question;score\r\na;h;\"q; 'q'\r\n\";0,5\r\nb;h;q;\r\nc;h;q;1\r\n"


def test_a_sheet_that_a_spreadsheet_saved_with_semicolons_lands_with_the_delimiter(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_bytes(codecs.BOM_UTF8 + SHEET.encode())
    assert ratings.read(path, ";").to_pylist() == [
        {"row_number": 1, "answer_request_id": "a", "answer_hash": "h", "score": 0.5},
        {"row_number": 3, "answer_request_id": "c", "answer_hash": "h", "score": 1.0},
    ]
    with pytest.raises(FileError, match='the delimiter seems to be ";"'):
        ratings.read(path)


def test_commands_take_a_delimiter(tmp_path):
    shutil.copy2(ROOT / "dbt_project.yml", tmp_path)
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    checkout = Checkout(tmp_path)
    rollouts, sheet = tmp_path / "rollouts.csv", tmp_path / "sheet.csv"
    rollouts.write_text(csv_text(delimiter="\t"), newline="")
    sheet.write_text(SHEET.replace("0,5", "1,5"), newline="")
    refused = checkout.fails("latent-probes", "land", str(rollouts))
    assert "the delimiter seems to be tab: name it with --delimiter tab" in refused
    said = checkout.runs("latent-probes", "land", str(rollouts), "--delimiter", "tab")
    assert "landed 4 of 4 rollouts" in said
    land = ("latent-probes", "land-ratings", str(sheet), "--rater", "anna")
    assert "row 1: score is 1.5, not a score" in checkout.fails(*land, "--delimiter", ";")
    assert "is not one character" in checkout.fails(*land, "--delimiter", ";;")


@pytest.mark.parametrize("score", ["0,5", "half", "1.01", "-0.1", "50%", "nan", "0_1", "٠"])
def test_a_score_that_cannot_be_read_is_refused(tmp_path, score):
    path = tmp_path / "sheet.csv"
    path.write_text(f'answer_id,answer_hash,score\na,h,"{score}"\n')
    with pytest.raises(RatingError, match=f"row 1: score is {score}, not a score from 0 to 1"):
        ratings.read(path)


@pytest.mark.parametrize(
    ("answer_id", "answer_hash", "said"),
    [
        ("nope", "h", "row 2: 'nope' is not the id of an answer"),
        ("A1", "h", "row 2: 'A1' is not the id of an answer"),
        ("pending", "h", "row 2: 'pending' is not the id of an answer"),
        ("a1", "H", "row 2: 'a1' has another text .answer_hash.*write the sheet again"),
    ],
)
def test_a_score_of_an_unknown_or_changed_answer_is_refused(tmp_path, answer_id, answer_hash, said):
    path = tmp_path / "sheet.csv"
    known = "answer_id,answer_hash,score\na0,h,0.5\n"
    path.write_text(known)
    with CONNECTION.cursor() as connection:
        connection.execute(
            "create or replace temp table answers as select unnest(['a0', 'a1', 'pending']) "
            "as request_id, unnest(['h', 'h', null]) as answer_hash"
        )
        ratings.refuse_other_answers(connection, path, ratings.read(path))
        path.write_text(f"{known}{answer_id},{answer_hash},0.5\n")
        with pytest.raises(RatingError, match=said):
            ratings.refuse_other_answers(connection, path, ratings.read(path))


def test_a_landed_score_is_not_corrected_silently(tmp_path, monkeypatch):
    monkeypatch.setattr(ratings.warehouse, "build", lambda home, tested: None)
    monkeypatch.setattr(ratings, "refuse_other_answers", lambda *_: None)
    home = Home(tmp_path, tmp_path / "home")
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        monkeypatch.setattr(
            ratings.warehouse, "opened", lambda home: contextlib.nullcontext(connection)
        )

        def landed(rater: str, *scores: str) -> tuple[int, int]:
            path = tmp_path / "sheet.csv"
            rows = [f"a{number},h,{score}\n" for number, score in enumerate(scores)]
            path.write_text("".join(["answer_id,answer_hash,score\n", *rows]))
            return ratings.land_ratings(home, path, rater)

        assert landed("Kim", "", "0.4") == (1, 1)
        assert landed(" Kim\n", "0.7", "0.40") == (1, 2)
        with pytest.raises(RatingError, match=r"row 2: Kim has already landed another .*'a1' .1 "):
            landed("Kim", "0.7", "0.9", "0.5")
        assert landed("Kim 2", "0.7", "0.9") == (2, 2)
    with duckdb.connect(home.landing) as connection:
        found = connection.execute("select rater, score from human_ratings order by all")
        assert found.fetchall() == [("Kim", 0.4), ("Kim", 0.7), ("Kim 2", 0.7), ("Kim 2", 0.9)]


# Whatever the files are ------------------------------------------------------------------------

PIECES = ["\x00", "\r\n", "\r", "\n", '"', '""', "'", ",", ";", "\t", "|", "\\", "\ufeff", "NULL"]
PIECES += ["#", " ", "\u2028", "\x85", "é", "𝔸", "sep=;", "{", "[", "nan", "0,5"]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=5).map("".join)
tables = st.lists(
    st.fixed_dictionaries(
        {
            "text": texts,
            "list": st.lists(texts, max_size=3),
            "number": st.none() | st.floats(0, 1) | st.integers(0, 1),
            "whole": st.integers(-(2**63), 2**64 - 1),
        }
    ),
    min_size=1,
    max_size=5,
)
dialects = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "line_end": st.sampled_from(["\n", "\r\n", "\r"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        "compression": st.sampled_from(["", ".gz", ".zst"]),
        "quoted": st.booleans(),
        "index": st.booleans(),
    }
)
SCHEMA = [
    Column("text", "text", Text(), empty_is_text=True),
    Column("list", "list", Texts(), required=False, nullable=True),
    Column("number", "number", Number(0, 1), nullable=True),
    Column("whole", "whole", Number(-(2**63), 2**64 - 1, whole=True)),
]


def encoded(table: list[dict], suffix: str, dialect: dict) -> bytes:
    """The bytes of a file of this table."""
    if suffix == ".parquet":
        file = io.BytesIO()
        columns = {name: [line[name] for line in table] for name in table[0]}
        whole = pyarrow.array(map(str, columns["whole"])).cast(pyarrow.decimal128(30))
        texts, lists = (
            columns["text"],
            pyarrow.array(columns["list"], pyarrow.list_(pyarrow.string())),
        )
        numbers = pyarrow.array(columns["number"], pyarrow.float64())
        pyarrow.parquet.write_table(
            pyarrow.table({"text": texts, "list": lists, "number": numbers, "whole": whole}), file
        )
        return file.getvalue()
    if suffix == ".csv":
        rows = [{name: line[name] for name in ("text", "number", "whole")} for line in table]
        if dialect["index"]:
            rows = [{"": number} | line for number, line in enumerate(rows)]
        text = csv_text(rows, dialect["delimiter"], dialect["line_end"], None, dialect["quoted"])
    else:
        text = jsonl_text(*table, line_end=dialect["line_end"])
    data = text.encode(dialect["encoding"])
    return {"": bytes, ".gz": gzipped, ".zst": zstd}[dialect["compression"]](data)


@settings(max_examples=50)
@given(tables, dialects, st.sampled_from([".parquet", ".jsonl", ".csv"]))
def test_any_table_is_read_exactly_from_any_file(table, dialect, suffix):
    with tempfile.TemporaryDirectory() as folder:
        end = suffix + ("" if suffix == ".parquet" else dialect["compression"])
        path = Path(folder) / f"table{end}"
        path.write_bytes(encoded(table, suffix, dialect))
        found = rows_of(path, SCHEMA, dialect["delimiter"])
    assert [problem for _, problem, *_ in found] == [None] * len(table)
    for line, (_, _, text, texts, number, whole) in zip(table, found, strict=True):
        assert text == line["text"]
        assert texts == (None if suffix == ".csv" else line["list"])
        assert (number if number is None else float(number)) == line["number"]
        assert int(whole) == line["whole"]


@settings(max_examples=50)
@given(tables, dialects, st.sampled_from([".parquet", ".jsonl", ".csv"]), st.data())
def test_a_damaged_file_is_read_or_refused_in_one_sentence(table, dialect, suffix, data):
    content = bytearray(encoded(table, suffix, dialect))
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(start + 3, len(content))))
    content[start:end] = data.draw(st.binary(max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        end = suffix + ("" if suffix == ".parquet" else dialect["compression"])
        path = Path(folder) / f"table{end}"
        path.write_bytes(content)
        try:
            rows_of(path, SCHEMA, dialect["delimiter"])
        except FileError as error:
            assert str(path) in str(error)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=3,
)
# Mostly right, or the first row alone would be seen.
some_values = st.fixed_dictionaries(
    {
        "text": texts | texts | values,
        "list": st.lists(texts, max_size=2) | values,
        "number": st.floats(0, 1) | values,
        "whole": st.integers(0, 9) | values,
    }
)


def is_right(line: dict) -> bool:
    """Whether the values of a row are those of the schema."""

    def is_number(value, low, high):
        return type(value) in (int, float) and low <= value <= high

    return (
        isinstance(line["text"], str)
        and (line["list"] is None or is_texts(line["list"]))
        and (line["number"] is None or is_number(line["number"], 0, 1))
        and is_number(line["whole"], -(2**63), 2**64 - 1)
        and line["whole"] == int(line["whole"])
    )


def is_texts(value) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


@settings(max_examples=40)
@given(st.lists(some_values, min_size=1, max_size=4))
def test_a_json_row_has_a_problem_exactly_if_a_value_is_wrong(table):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.jsonl"
        path.write_text(jsonl_text(*table), encoding="utf-8")
        found = rows_of(path, SCHEMA)
    assert [problem is None for _, problem, *_ in found] == [is_right(line) for line in table]


keys = texts.map(lambda text: re.sub(r"[\x00-\x1f\x7f]", "", text)).filter(bool)


@settings(max_examples=10)
@given(st.lists(texts, min_size=3, max_size=3), dialects, st.sampled_from([".jsonl", ".csv"]))
def test_any_answers_ratings_and_pages_survive_a_file(said, dialect, suffix):
    tables: dict[str, list[dict]] = {
        "answers": [
            {"doc_id": "d", "slot_idx": slot_idx, "answer": text}
            for slot_idx, text in enumerate(said)
        ],
        "ratings": [
            {"answer_id": f"a{number}", "answer": text, "answer_hash": "h", "score": 0.5}
            for number, text in enumerate(said)
        ],
        "pages": [
            {"id": f"p{number}", "url": "u", "prefix": f"x{text}".replace("\x00", "")}
            for number, text in enumerate(said)
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, table in tables.items():
            path = paths[name] = Path(folder) / f"{name}{suffix}"
            text = jsonl_text(*table, line_end=dialect["line_end"])
            if suffix == ".csv":
                form = dialect["delimiter"], dialect["line_end"], None, dialect["quoted"]
                text = csv_text(table, *form)
            path.write_bytes(text.encode(dialect["encoding"]))
        delimiter = dialect["delimiter"]
        assert [text for _, text in answers(paths["answers"], delimiter)] == said
        assert ratings.read(paths["ratings"], delimiter)["answer_hash"].to_pylist() == ["h"] * 3
        found, _ = prefixes.read(paths["pages"], {}, Bounds(1, 9), 1, None, delimiter)
        assert {page.doc_id: page.text for page in found} == {
            page["id"]: page["prefix"] for page in tables["pages"]
        }


def test_a_list_and_a_damaged_row_in_it_are_refused_together(house):
    path = write(house.folder / "a.jsonl", listed("one"), listed(doc_id="e") | {"prefix": None})
    assert "row 2: prefix is null" in house.refusal(path)


def test_pages_are_refused_with_their_row(tmp_path):
    path = tmp_path / "pages.csv"
    path.write_text("id,url,text\na,,text\n")
    with pytest.raises(PrefixError, match="row 1: url is null; fix or drop the row"):
        prefixes.read(path, {}, Bounds(1, 9), 1, None)


SPOILED = [("prefix", None), ("doc_id", ""), ("continuation_idx", -1), ("temperature", 101)]


@settings(max_examples=12)
@given(
    st.integers(1, 4),
    st.sampled_from(SPOILED),
    st.sampled_from([".parquet", ".jsonl", ".csv"]),
    texts,
)
def test_rollouts_with_one_wrong_row_are_refused_by_that_row(place, spoiled, suffix, text):
    rows = [row(doc_id=f"d{number}", continuation=text, temperature=1) for number in range(4)]
    rows[place - 1][spoiled[0]] = spoiled[1]
    with tempfile.TemporaryDirectory() as folder, House(Path(folder)) as house:
        path = write(house.folder / f"a{suffix}", *rows)
        assert re.search(rf"a{suffix}, row {place}: .*; fix or drop the row", house.refusal(path))


@pytest.mark.parametrize(
    ("name", "said"),
    [("folder", "is a folder; name the files in it"), ("r.json", ".json is not read; write one")],
)
def test_a_path_that_is_no_table_is_refused_with_its_remedy(tmp_path, name, said):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match=said):
        table_files.local_file(tmp_path / name)
