"""Files of rollouts land completely and exactly, or are refused with the row and the remedy."""

import csv
import json
import re
import tempfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landing_house import House, listed, row, rows_at, without, write

from latent_probes import rollout_files
from latent_probes.common import files
from latent_probes.rollout_files import Mapping
from latent_probes.table_files import FileError

FORMATS = [".parquet", ".jsonl", ".csv"]
LIST_FORMATS = [".parquet", ".jsonl"]
HEADER = b"source_model,doc_id,continuation_idx,doc_source,prefix,continuation\n"
WILD = (
    "\x00 'one' \"two\" \\n \\ \r\n \r x\n\n\t, ;\x1c\x85\u2028 e\u0301 👩\u200d👧"
    ' <|im_start|> </text> {"a": null} \ufeff \U0010ffff '
)
SAMPLING = {
    "temperature": 0.7,
    "top_p": 0.95,
    "top_k": 20,
    "min_p": 0.0,
    "max_new_tokens": 512,
    "sampling_seed": 42,
}


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.fixture
def house(tmp_path):
    with House(tmp_path) as house:
        yield house


# What lands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_row_is_a_rollout(house, suffix):
    rows = [row(), row(continuation_idx=1, continuation=" lived a king.")]
    path = write(house.folder / f"rollouts{suffix}", *rows)
    assert house.land(path) == rollout_files.Landed(rollouts=2, added=2)
    assert house.rollouts() == [tuple(row.values()) for row in rows]


def test_what_landed_is_in_the_file(tmp_path):
    path = write(tmp_path / "rollouts.jsonl", row())
    file = tmp_path / "landing.duckdb"
    rollout_files.land_rollouts(file, [path], Mapping(), tmp_path / "downloads")
    assert [landed[:3] for landed in rows_at(file)] == [("doc-1", 0, " there was a fox.")]


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_a_list_is_a_rollout_per_continuation_numbered_from_0(house, suffix):
    path = write(
        house.folder / f"rollouts{suffix}", listed("one", "two"), listed("three", doc_id="e")
    )
    assert house.land(path) == rollout_files.Landed(rollouts=3, added=3)
    assert [(doc_id, index, text) for _, doc_id, index, _, _, text in house.rollouts()] == [
        ("doc-1", 0, "one"),
        ("doc-1", 1, "two"),
        ("e", 0, "three"),
    ]


@pytest.mark.parametrize("suffix", FORMATS)
def test_columns_of_other_names_are_mapped(house, suffix):
    theirs = without("doc_id") | {"id": "mapped", "unused": "x"}
    path = write(house.folder / f"rollouts{suffix}", theirs)
    house.land(path, columns={"doc_id": "id"})
    assert house.rollouts() == [tuple(row(doc_id="mapped").values())]


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_a_list_of_another_name_is_mapped(house, suffix):
    theirs = listed() | {"responses": ["one", "two"]}
    del theirs["continuations"]
    house.land(write(house.folder / f"a{suffix}", theirs), columns={"continuations": "responses"})
    assert [rollout[-1] for rollout in house.rollouts()] == ["one", "two"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", ["préfixe", "it's", 'a "b"', "a.b[0]"])
def test_a_mapped_column_may_have_any_name(house, suffix, name):
    path = write(house.folder / f"rollouts{suffix}", without("prefix") | {name: "Once"})
    house.land(path, columns={"prefix": name})
    assert house.rollouts() == [tuple(row(prefix="Once").values())]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("column", "value"),
    [("source_model", 'it\'s/a "model"'), ("doc_source", "web"), ("continuation_idx", "7")],
)
def test_a_constant_stands_for_a_missing_column(house, suffix, column, value):
    path = write(house.folder / f"rollouts{suffix}", without(column))
    house.land(path, constants={column: value})
    expected = int(value) if column == "continuation_idx" else value
    assert house.rollouts() == [tuple((row() | {column: expected}).values())]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_constant_stands_for_a_column_without_values(house, suffix):
    rows = (
        row(source_model="", temperature=None),
        row(source_model="", temperature=None, doc_id="e"),
    )
    path = write(house.folder / f"rollouts{suffix}", *rows)
    house.land(path, constants={"source_model": "m", "temperature": "0.7", "top_k": "20"})
    assert {rollout[0] for rollout in house.rollouts()} == {"m"}
    assert house.sampling() == [{"temperature": 0.7, "top_k": 20}] * 2


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("ours", "value"), [("source_model", "m"), ("top_k", "20")])
def test_a_constant_replaces_no_value_of_a_row(house, suffix, ours, value):
    # Rows of JSONL can have different keys.
    empty = {".parquet": {ours: None}, ".csv": {ours: ""}, ".jsonl": {}}[suffix]
    rows = without(ours, top_k=5) | empty, row(top_k=5, doc_id="e")
    said = house.refusal(write(house.folder / f"bad{suffix}", *rows), constants={ours: value})
    assert f"row 2: has {ours} beside the constant {ours}={value} (drop the constant)" in said


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_a_constant_stands_for_a_missing_column_of_a_list(house, suffix):
    rows = [listed("one", "two")]
    del rows[0]["source_model"]
    house.land(write(house.folder / f"a{suffix}", *rows), constants={"source_model": "m"})
    assert [(rollout[0], rollout[2]) for rollout in house.rollouts()] == [("m", 0), ("m", 1)]


@pytest.mark.parametrize("suffix", FORMATS)
def test_constants_may_stand_for_all_that_they_can(house, suffix):
    kept = {name: row()[name] for name in ("doc_id", "prefix", "continuation")}
    constants = {"source_model": "m", "doc_source": "web", "continuation_idx": "0"}
    house.land(write(house.folder / f"a{suffix}", kept), constants=constants)
    assert house.rollouts() == [tuple(row(source_model="m").values())]


def test_a_mapping_of_a_file_is_recorded_and_none_is_not(house):
    house.land(write(house.folder / "a.jsonl", row()))
    house.land(write(house.folder / "b.jsonl", row(id="b")), columns={"doc_id": "id"})
    assert house.query("select details from rollout_sources order by name") == [
        (None,),
        ('{"columns": {"doc_id": "id"}}',),
    ]


@pytest.mark.parametrize("first", [b"source_model", b'"source_model"'])
def test_a_csv_file_may_begin_with_a_mark_of_the_byte_order(house, first):
    data = HEADER.replace(b"source_model", first) + b"m,d,0,w,p,c\n"
    house.land(written(house.folder / "a.csv", b"\xef\xbb\xbf" + data))
    assert house.rollouts() == [("m", "d", 0, "w", "p", "c")]


@pytest.mark.parametrize("suffix", FORMATS)
def test_sampling_settings_are_kept(house, suffix):
    path = write(house.folder / f"rollouts{suffix}", row(**SAMPLING))
    house.land(path)
    assert house.sampling() == [SAMPLING]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_large_sampling_seed_is_kept_exactly(house, suffix):
    house.land(write(house.folder / f"rollouts{suffix}", row(sampling_seed=2**53 + 1)))
    assert house.sampling() == [{"sampling_seed": 2**53 + 1}]


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_sampling_settings_of_a_list_belong_to_each_continuation(house, suffix):
    house.land(write(house.folder / f"rollouts{suffix}", listed("one", "two", **SAMPLING)))
    assert house.sampling() == [SAMPLING, SAMPLING]


def test_sampling_settings_that_the_first_row_lacks_are_kept(house):
    rows = row(), row(continuation_idx=1, temperature=0.7)
    house.land(write(house.folder / "rollouts.jsonl", *rows))
    assert house.sampling()[1] == {"temperature": 0.7}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_mapped_sampling_setting_is_kept_under_our_name(house, suffix):
    path = write(house.folder / f"rollouts{suffix}", row(temp=0.5))
    house.land(path, columns={"temperature": "temp"})
    assert house.sampling() == [{"temperature": 0.5}]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_landed_adds_nothing_again(house, suffix):
    path = write(house.folder / f"rollouts{suffix}", row(), row(continuation_idx=1))
    assert house.land(path).added == 2
    before = house.state()
    assert house.land(path) == rollout_files.Landed(rollouts=2, added=0)
    assert house.state() == before


def test_a_rollout_in_two_files_lands_once(house):
    paths = [write(house.folder / f"rollouts{suffix}", row()) for suffix in FORMATS]
    assert house.land(*paths) == rollout_files.Landed(rollouts=3, added=1)


def test_a_file_is_recorded_with_its_rows(house):
    path = write(house.folder / "rollouts.jsonl", row(), row(), row(continuation_idx=1))
    house.land(path)
    assert house.query("select source_hash, kind, name, n_rows from rollout_sources") == [
        (files.hash_of(path), "file", "rollouts.jsonl", 3)
    ]


def test_more_continuations_of_a_known_document_are_added(house):
    house.land(write(house.folder / "first.jsonl", row()))
    path = write(house.folder / "second.jsonl", row(), row(continuation_idx=1))
    assert house.land(path) == rollout_files.Landed(rollouts=2, added=1)


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_continuation_lands(house, suffix):
    house.land(write(house.folder / f"rollouts{suffix}", row(continuation="")))
    assert house.rollouts() == [tuple(row(continuation="").values())]


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_an_empty_continuation_in_a_list_lands(house, suffix):
    house.land(write(house.folder / f"rollouts{suffix}", listed("", "two")))
    assert [rollout[-1] for rollout in house.rollouts()] == ["", "two"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_nul_quotes_and_line_ends_survive(house, suffix):
    wild = row(prefix=WILD, continuation=WILD)
    house.land(write(house.folder / f"rollouts{suffix}", wild))
    assert house.rollouts() == [tuple(wild.values())]


@pytest.mark.parametrize("column", ["source_model", "doc_id", "doc_source"])
@pytest.mark.parametrize("text", ["", "a\nb", "a\x1bb"])
def test_a_key_that_is_empty_or_holds_control_characters_is_refused(house, column, text):
    path = write(house.folder / "bad.jsonl", row(), row(doc_id="e") | {column: text})
    assert "bad.jsonl, row 2: source_model, doc_id or doc_source" in house.refusal(path)


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_nul_quotes_and_line_ends_survive_in_a_list(house, suffix):
    house.land(write(house.folder / f"rollouts{suffix}", listed(WILD, "", WILD * 2, prefix=WILD)))
    assert [rollout[4:] for rollout in house.rollouts()] == [
        (WILD, WILD),
        (WILD, ""),
        (WILD, WILD * 2),
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_of_a_csv_file_leave_those_in_its_texts(house, line_end):
    path = house.folder / "rollouts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row(), lineterminator=line_end)
        writer.writeheader()
        writer.writerows([row(prefix="a\r\nb\rc\nd"), row(doc_id="e")])
    house.land(path)
    assert [rollout[4] for rollout in house.rollouts()] == ["a\r\nb\rc\nd", "Once upon a time"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_large_text_lands(house, suffix):
    large = row(prefix='Once, "twice"\n' * 100_000)
    house.land(write(house.folder / f"rollouts{suffix}", large))
    assert house.rollouts() == [tuple(large.values())]


def test_blank_lines_and_unescaped_text_of_a_jsonl_file_are_read(house):
    text = json.dumps(row(prefix=WILD), ensure_ascii=False)
    path = written(house.folder / "rollouts.jsonl", f"{text}\r\n\r\n\n".encode())
    house.land(path)
    assert house.rollouts() == [tuple(row(prefix=WILD).values())]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_path_may_hold_what_sql_or_a_shell_would_read(house, suffix):
    names = ["it's", 'a "b"', "ä b", "a;b--", "a\\b", "{a,b}", "$a", "%a", "~"]
    paths = [write(house.folder / f"{name}{suffix}", row(doc_id=name)) for name in names]
    house.land(*paths)
    assert {rollout[1] for rollout in house.rollouts()} == set(names)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", ["a[b]", "a*", "a?"])
def test_a_path_is_not_a_pattern(house, suffix, name):
    path = write(house.folder / f"{name}{suffix}", row())
    write(house.folder / f"ab{suffix}", row(doc_id="neighbour"))
    house.land(path)
    assert house.rollouts() == [tuple(row().values())]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("folder", ["prefix=other", "temperature=0.7"])
def test_a_folder_states_no_column(house, suffix, folder):
    house.land(write(house.folder / folder / f"rollouts{suffix}", row()))
    assert house.rollouts() == [tuple(row().values())]
    assert house.sampling() == [{}]


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("column", ["prefix", "continuation_idx"])
def test_a_missing_column_is_refused(house, suffix, column):
    said = house.refusal(write(house.folder / f"bad{suffix}", without(column)))
    assert re.search(rf"bad{suffix}, row 1: no column '{column}'.*--column OURS=THEIRS", said)


@pytest.mark.parametrize("suffix", FORMATS)
def test_all_missing_columns_are_named_at_once_with_those_that_are_there(house, suffix):
    bad = {"id": "d", "text": "t", "continuation": "c"}
    said = house.refusal(write(house.folder / f"bad{suffix}", bad), constants={"source_model": "m"})
    assert (
        "no column 'doc_id' nor 'doc_source' nor 'prefix' nor 'continuation_idx' "
        "among id, text, continuation; add"
    ) in said
    assert "--constant OURS=VALUE" in said


@pytest.mark.parametrize(
    ("constants", "said"),
    [
        ({"continuation_idx": "-1"}, "is not a non-negative integer"),
        ({"continuation_idx": "9" * 19}, "is not a non-negative integer"),
        ({"continuation_idx": "1.5"}, "is not a non-negative integer"),
        ({"temperature": "hot"}, "constant temperature=hot is not a number"),
        ({"temperature": "NaN"}, "is not a number"),
        ({"temperature": "true"}, "is not a number"),
        ({"doc_source": "web"}, "both as a column and as a constant; drop one"),
    ],
)
def test_a_constant_of_the_wrong_kind_is_refused(constants, said):
    with pytest.raises(FileError, match=said):
        Mapping({"doc_source": "source"}, constants)


@pytest.mark.parametrize("value", ["", "a\nb"])
def test_a_constant_that_is_no_key_is_refused(house, value):
    path = write(house.folder / "bad.parquet", without("source_model"))
    said = house.refusal(path, constants={"source_model": value})
    assert "row 1: source_model, doc_id or doc_source is empty or contains control" in said


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_a_constant_number_for_a_list_is_refused(house, suffix):
    path = write(house.folder / f"bad{suffix}", listed("one", "two"))
    said = house.refusal(path, constants={"continuation_idx": "0"})
    assert "the list 'continuations' numbers its continuations; leave out" in said


BOTH = "row {}: has both continuation and continuations; fix"


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_a_continuation_beside_a_list_is_refused(house, suffix):
    for continuation in (" and a hen.", ""):
        bad = row(continuation=continuation) | listed("one", "two")
        assert BOTH.format(1) in house.refusal(write(house.folder / f"bad{suffix}", bad))


@pytest.mark.parametrize("first", [row(), listed("one")])
def test_only_a_later_row_has_a_continuation_beside_a_list(house, first):
    bad = row(doc_id="e") | listed("one", doc_id="e")
    assert BOTH.format(2) in house.refusal(write(house.folder / "bad.jsonl", first, bad))


def test_a_mapped_continuation_beside_a_list_is_refused(house):
    path = write(house.folder / "bad.jsonl", listed("one", text=" and a hen.", continuation_idx=0))
    with pytest.raises(FileError, match="row 1: has both text and continuations; fix"):
        house.land(path, columns={"continuation": "text"})


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_the_other_of_continuation_and_list_can_be_null(house, suffix):
    house.land(write(house.folder / f"a{suffix}", listed("one") | {"continuation": None}))
    assert [rollout[-1] for rollout in house.rollouts()] == ["one"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_mapped_column_that_is_missing_is_refused_by_its_name(house, suffix):
    path = write(house.folder / f"bad{suffix}", row())
    assert "no column 'id'" in house.refusal(path, columns={"doc_id": "id"})


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("column", ["doc_id", "prefix"])
def test_a_null_text_is_refused_with_its_row(house, suffix, column):
    bad = row(continuation_idx=1) | {column: None}
    said = house.refusal(write(house.folder / f"bad{suffix}", row(), bad))
    assert f"bad{suffix}, row 2: {column} is null; fix or drop the row" in said


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_a_null_continuation_is_refused_with_its_row(house, suffix):
    path = write(house.folder / f"bad{suffix}", row(), row(continuation_idx=1, continuation=None))
    assert "row 2: continuation is null; fix or drop the row" in house.refusal(path)


def test_a_text_that_only_some_json_rows_lack_is_refused_with_its_row(house):
    path = write(house.folder / "bad.jsonl", row(), without("prefix", continuation_idx=1))
    assert "bad.jsonl, row 2: prefix is missing; fix or drop the row" in house.refusal(path)


@pytest.mark.parametrize("suffix", LIST_FORMATS)
def test_a_null_list_is_refused_with_its_row(house, suffix):
    bad = listed(doc_id="e") | {"continuations": None}
    path = write(house.folder / f"bad{suffix}", listed("one"), bad)
    assert f"bad{suffix}, row 2: continuations is null; fix" in house.refusal(path)


@pytest.mark.parametrize("suffix", LIST_FORMATS)
@pytest.mark.parametrize("texts", [[None], ["one", None]])
def test_a_null_in_a_list_is_refused_with_its_row(house, suffix, texts):
    path = write(house.folder / f"bad{suffix}", listed("one"), listed(*texts, doc_id="e"))
    assert re.search(
        r"row 2: a text in the list continuations is (null|not a text)", house.refusal(path)
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_key_with_two_texts_is_refused_with_its_row(house, suffix):
    path = write(house.folder / f"bad{suffix}", row(), row(), row(continuation="another"))
    said = house.refusal(path)
    assert f'bad{suffix}, row 3: key ["Qwen/Qwen3-8B","doc-1",0] already exists' in said
    assert "with a different continuation; rollouts never change, so give the new text" in said


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_landed_key_with_another_text_is_refused_with_its_row(house, suffix):
    house.land(write(house.folder / "landed.jsonl", row()))
    path = write(house.folder / f"bad{suffix}", row(doc_id="e"), row(continuation="another"))
    assert f"bad{suffix}, row 2: key" in house.refusal(path)


@pytest.mark.parametrize("change", ["prefix", "doc_source"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_document_with_two_prefixes_or_sources_is_refused_with_its_row(house, suffix, change):
    bad = row(continuation_idx=1) | {change: "another"}
    said = house.refusal(write(house.folder / f"bad{suffix}", row(), bad))
    assert f'bad{suffix}, row 2: key ["Qwen/Qwen3-8B","doc-1"] already exists' in said
    assert "with a different prefix or doc_source; rollouts never change" in said


def test_another_prefix_of_a_landed_document_is_refused(house):
    house.land(write(house.folder / "landed.jsonl", row()))
    path = write(house.folder / "bad.jsonl", row(continuation_idx=1, prefix="another"))
    assert "bad.jsonl, row 1: key" in house.refusal(path)


def test_two_files_that_contradict_each_other_are_refused(house):
    first = write(house.folder / "first.jsonl", row())
    second = write(house.folder / "second.csv", row(continuation="another"))
    assert re.search(r"(first.jsonl|second.csv), row 1: key", house.refusal(first, second))


def test_two_source_models_may_share_a_document(house):
    house.land(write(house.folder / "a.jsonl", row(), row(source_model="other", prefix="another")))
    assert len(house.rollouts()) == 2


@pytest.mark.parametrize("suffix", LIST_FORMATS)
@pytest.mark.parametrize("column", ["prefix", "continuation"])
def test_a_number_for_a_text_is_refused_with_its_row(house, suffix, column):
    said = house.refusal(write(house.folder / f"bad{suffix}", row() | {column: 7}))
    assert re.search(rf"bad{suffix}, row 1: .*{column}.* is (7|BIGINT), not a text; ", said)


@pytest.mark.parametrize("suffix", LIST_FORMATS)
@pytest.mark.parametrize("wrong", ["text", [7]])
def test_a_value_that_is_not_a_list_of_texts_is_refused_with_its_row(house, suffix, wrong):
    path = write(house.folder / f"bad{suffix}", listed() | {"continuations": wrong})
    assert re.search(r", row 1: .*(not a list of texts|not a text); ", house.refusal(path))


def test_a_list_in_a_csv_file_is_refused(house):
    path = write(house.folder / "bad.csv", listed("one"))
    assert "bad.csv, row 1: CSV files cannot contain lists" in house.refusal(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_negative_index_is_refused_with_its_row(house, suffix):
    path = write(house.folder / f"bad{suffix}", row(), row(continuation_idx=-1))
    fault = r"continuation_idx is .*(below 0|not a non-negative integer); fix"
    assert re.search(rf"bad{suffix}, row 2: {fault}", house.refusal(path))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("index", [1.5, "one", None])
def test_an_index_that_is_not_an_integer_is_refused_with_its_row(house, suffix, index):
    path = write(house.folder / f"bad{suffix}", row(continuation_idx=index))
    assert re.search(rf"bad{suffix}, row 1: .*continuation_idx", house.refusal(path))


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_index_that_is_too_large_is_refused_with_its_row(house, suffix):
    path = house.folder / f"bad{suffix}"
    if suffix == ".parquet":
        table = pyarrow.Table.from_pylist([without("continuation_idx")] * 2)
        index = pyarrow.array([0, 2**64 - 1], pyarrow.uint64())
        pyarrow.parquet.write_table(table.append_column("continuation_idx", index), path)
    else:
        write(path, row(), row(continuation_idx=2**64 - 1))
    assert re.search(rf"bad{suffix}, row 2: continuation_idx", house.refusal(path))


def test_a_sampling_setting_that_is_not_a_number_is_refused_with_its_row(house):
    path = write(house.folder / "bad.csv", row(temperature="hot"))
    assert "bad.csv, row 1: temperature" in house.refusal(path)


def test_a_lone_surrogate_is_refused_with_its_row(house):
    path = write(house.folder / "bad.jsonl", row(), row(continuation_idx=1, continuation="\ud800"))
    assert "bad.jsonl, row 2: contains a lone surrogate; write valid Unicode" in house.refusal(path)


def test_a_lone_surrogate_in_a_list_is_refused_with_its_row(house):
    path = write(house.folder / "bad.jsonl", listed("one"), listed("two \udc00", doc_id="e"))
    assert "bad.jsonl, row 2: contains a lone surrogate" in house.refusal(path)


def test_a_truncated_jsonl_file_is_refused_with_its_row(house):
    path = write(house.folder / "bad.jsonl", row(), row(continuation_idx=1))
    written(path, path.read_bytes()[:-20])
    assert re.search("bad.jsonl, row 2: not JSON .*fix", house.refusal(path))


def test_a_jsonl_file_that_is_cut_off_in_its_first_row_is_refused(house):
    path = written(house.folder / "bad.jsonl", b'{"source_model": "m')
    assert re.search("bad.jsonl, row 1: not JSON .*fix", house.refusal(path))


@pytest.mark.parametrize("line", ["[1]", "null"])
def test_a_jsonl_row_that_is_not_an_object_is_refused(house, line):
    path = written(house.folder / "bad.jsonl", f"{json.dumps(row())}\n{line}\n".encode())
    assert "bad.jsonl, row 2: not a JSON object; write one" in house.refusal(path)
    path = written(house.folder / "bad.jsonl", f"{line}\n".encode())
    assert "bad.jsonl, row 1: not a JSON object; write one" in house.refusal(path)


@pytest.mark.parametrize("cut", [b'm,e,0,w,p,"an open quo', b"m,e,0,w", b'm,e,0,w,"p"x,c\n'])
def test_a_truncated_csv_file_is_refused_with_its_row(house, cut):
    path = written(house.folder / "bad.csv", HEADER + b"m,d,0,w,p,c\n" + cut)
    assert re.search("bad.csv, row 2.*write it again", house.refusal(path))


@pytest.mark.parametrize("size", [0, 100, -100])
def test_a_truncated_parquet_file_is_refused(house, size):
    path = write(house.folder / "bad.parquet", row())
    written(path, path.read_bytes()[:size])
    assert re.search("bad.parquet: cannot be read.*write it again", house.refusal(path))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("texts_before", ["short", "long " * 10_000], ids=["near", "far"])
def test_invalid_utf_8_is_refused_with_its_row(house, suffix, texts_before):
    rows = row(prefix=texts_before), row(doc_id="e", continuation="@")
    path = write(house.folder / f"bad{suffix}", *rows)
    written(path, path.read_bytes().replace(b"@", b"\xff"))
    said = house.refusal(path)
    assert re.search(f"bad{suffix}, row 2: .*save the file as UTF-8", said)


def test_invalid_utf_8_in_a_parquet_file_is_refused(house):
    texts = pyarrow.array([b"good", b"bad \xff"], pyarrow.binary())
    bad = pyarrow.Array.from_buffers(pyarrow.string(), 2, texts.buffers())
    table = pyarrow.Table.from_pylist(
        [without("continuation"), without("continuation", continuation_idx=1)]
    )
    path = house.folder / "bad.parquet"
    pyarrow.parquet.write_table(table.append_column("continuation", bad), path)
    said = "bad.parquet, row 2: continuation is not UTF-8; fix or drop the row"
    assert said in house.refusal(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_an_empty_file_is_refused(house, suffix):
    path = written(house.folder / f"bad{suffix}", b"")
    assert f"bad{suffix}: is empty; leave it out" in house.refusal(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_is_not_there_is_refused(house, suffix):
    assert f"nowhere{suffix}: no such file; check the path" in house.refusal(
        house.folder / f"nowhere{suffix}"
    )


def test_a_folder_is_not_a_file(house):
    (house.folder / "folder.jsonl").mkdir()
    assert "folder.jsonl: is a folder; name the files" in house.refusal(
        house.folder / "folder.jsonl"
    )


@pytest.mark.parametrize("name", ["rollouts.txt", "rollouts", ".jsonl"])
def test_an_unknown_format_is_refused_with_those_that_are_known(house, name):
    path = written(house.folder / name, b"")
    assert f"{name}: cannot tell the format; name the file .parquet" in house.refusal(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_bad_file_whose_name_holds_a_quote_is_refused_by_that_name(house, suffix):
    path = write(house.folder / f"it's{suffix}", row(), row(continuation="another"))
    assert f"it's{suffix}, row 2: key" in house.refusal(path)


def test_the_first_of_many_bad_rows_is_named(house):
    rows = [row(continuation_idx=index) for index in range(3000)]
    rows[2500]["prefix"] = rows[2800]["prefix"] = None
    assert "row 2501: prefix is null" in house.refusal(write(house.folder / "bad.parquet", *rows))


# Whatever the texts are ------------------------------------------------------------------------

PIECES = [
    "\x00",
    "\r\n",
    "\r",
    "\n",
    '"',
    '""',
    "'",
    ",",
    "\\",
    "\ufeff",
    "NULL",
    "#",
    " ",
    "\u2028",
]

wild_text = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=6).map("".join)
# An empty field of a CSV file is a null, but for a continuation.
some_text = wild_text.filter(bool)
# Keys are refused with control characters in them.
some_key = some_text.map(lambda text: re.sub(r"[\x00-\x1f\x7f]", "", text)).filter(bool)
wild_documents = st.lists(
    st.fixed_dictionaries(
        {
            "source_model": some_key,
            "doc_id": some_key,
            "doc_source": some_key,
            "prefix": some_text,
            "continuations": st.lists(wild_text, min_size=1, max_size=3),
        }
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda document: (document["source_model"], document["doc_id"]),
)


def one_by_one(documents):
    """A row per continuation of each document."""
    return [
        {key: value for key, value in document.items() if key != "continuations"}
        | {"continuation_idx": index, "continuation": continuation}
        for document in documents
        for index, continuation in enumerate(document["continuations"])
    ]


@pytest.mark.parametrize("form", [*FORMATS, "list.parquet", "list.jsonl"])
@settings(max_examples=10)
@given(documents=wild_documents)
def test_any_rollouts_survive_the_way_through_a_file(form, documents):
    rows = one_by_one(documents)
    with tempfile.TemporaryDirectory() as folder, House(Path(folder)) as house:
        path = house.folder / f"rollouts{form}"
        house.land(write(path, *(documents if form.startswith("list") else rows)))
        assert house.rollouts() == sorted(
            tuple(rollout[column] for column in row()) for rollout in rows
        )
