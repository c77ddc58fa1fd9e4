"""What is stored of an answer is what was read: no answer keeps a batch from landing."""

from __future__ import annotations

import contextlib
import json

import duckdb
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import MESSAGE, Answer
from test_anthropic_messages import Asking, types_of
from test_landing import stage

from latent_probes.common import limits, strict_json
from latent_probes.providers import (
    ProviderError,
    StrangeResponseError,
    anthropic_api,
    anthropic_messages,
)

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
# Lines of answers that an earlier version stored.
UNREADABLE = {
    "byte order mark": b'\xef\xbb\xbf{"content": []}',
    "UTF-16": '{"content": []}'.encode("utf-16"),
    "not UTF-8": b'{"content": ["\xff"]}',
    "nested a million deep": b'{"content": [], "more": '
    + b"[" * 1_000_000
    + b"]" * 1_000_000
    + b"}",
    "cut off": b'{"content": [',
}


@pytest.fixture(autouse=True)
def short_waits(environment):
    environment.setattr(anthropic_messages, "FIRST_WAIT_SECONDS", 0.01)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_answer_in_any_encoding_is_stored_in_utf_8(scripted, tmp_path, encoding):
    message = {"content": [{"type": "text", "text": "Zwölf ਊ\n\N{LINE SEPARATOR}"}], "nan": None}
    content = json.dumps(message, ensure_ascii=False, indent=1).encode(encoding)
    server = scripted(lambda _: Answer(content))
    asking = Asking(tmp_path, 2)
    assert [found["message"] for found in asking.results().values()] == [message] * 2
    assert asking.results() and len(server.asked) == 2


@pytest.mark.parametrize("message", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("canceled", [False, True])
def test_a_stored_answer_that_cannot_be_read_is_asked_again(scripted, tmp_path, message, canceled):
    server = scripted(lambda _: Answer())
    asking = Asking(tmp_path, 3)
    stored = anthropic_messages.result_line(
        asking.requests[1].custom_id, "succeeded", message=message
    )
    good = anthropic_messages.result_line(asking.requests[0].custom_id, "succeeded", message=b"{}")
    asking.answers.write_bytes(good + stored + good[:50])
    if canceled:
        asking.provider.cancel(asking.batch_id)
    found = asking.results()
    assert found[0] == {"type": "succeeded", "message": {}}
    assert found[1] == (
        {"type": "canceled"} if canceled else {"type": "succeeded", "message": MESSAGE}
    )
    assert len(server.asked) == (0 if canceled else 2)


def test_answers_that_can_be_read_are_not_rewritten(scripted, tmp_path):
    scripted(lambda _: Answer())
    asking = Asking(tmp_path, 3)
    asking.results()
    before = asking.answers.stat()
    asking.results()
    # A rewritten file is another file.
    assert asking.answers.stat().st_ino == before.st_ino


@pytest.mark.parametrize("in_flight", [1, 4])
def test_strange_answers_between_right_ones_err_alone(scripted, tmp_path, in_flight):
    strange = Answer(b'{"content": "Yes."}')
    server = scripted(lambda asked: strange if asked.prompt == "Number 0" else Answer())
    asking = Asking(tmp_path, 20, in_flight=in_flight)
    if in_flight == 1:
        # The first answers are strange, and nothing is known to be right.
        said = str(asking.stops("run again"))
        assert "'content'" in said and '{"content": "Yes."}' in said
        assert len(server.asked) == limits.STRANGE_RESPONSES
        return
    found = asking.results()
    assert types_of(found) == {"succeeded": 19, "errored": 1}
    assert "Yes." in found[0]["error"]["error"]["message"]
    assert len(server.asked) == 19 + limits.STRANGE_RESPONSES


def test_answers_that_break_off_are_not_asked_for_again_and_again(scripted, environment, tmp_path):
    environment.setattr(anthropic_messages, "MOST_TRIES", 3)
    server = scripted(lambda _: Answer([b'{"content": ['], headers={"content-length": "100"}))
    error = Asking(tmp_path, 1).stops("each can be billed: fix the cause and run again")
    assert type(error) is ProviderError
    assert len(server.asked) == 3


def test_a_long_answer_is_not_kept(scripted, environment, tmp_path):
    environment.setattr(limits, "RESPONSE_BYTES", 1000)
    scripted(lambda _: Answer(b'{"content": [], "more": "' + b"a" * 1000 + b'"}'))
    Asking(tmp_path, 1).stops("the response is longer than 1,000 bytes")


# Whatever is read can land ---------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
BLOCKS = st.fixed_dictionaries({"type": st.just("text"), "text": st.text(st.characters())})
MESSAGES = st.dictionaries(st.text(st.characters(), max_size=3), VALUES, max_size=3).flatmap(
    lambda more: st.builds(
        lambda content, usage: more | {"content": content, "usage": usage},
        st.lists(BLOCKS, max_size=2) | VALUES,
        VALUES,
    )
)
DEEP = st.integers(1, 3000).map(lambda n: b'{"content": [], "more": ' + b"[" * n + b"]" * n + b"}")
CONTENTS = (
    st.builds(
        lambda message, ascii, encoding: json.dumps(message, ensure_ascii=ascii).encode(
            encoding, "surrogatepass"
        ),
        MESSAGES,
        st.booleans(),
        st.sampled_from(ENCODINGS),
    )
    | DEEP
    | st.binary(max_size=20).map(lambda some: b'{"content": []' + some + b"}")
)


@pytest.fixture(scope="module")
def staging():
    with duckdb.connect() as opened:
        yield opened


@settings(max_examples=60)
@given(CONTENTS)
def test_every_answer_is_refused_or_stored_so_that_it_can_land(tmp_path_factory, staging, content):
    request = httpx2.Request("POST", "http://127.0.0.1")
    try:
        text = anthropic_api.message_text(httpx2.Response(200, content=content, request=request))
    except StrangeResponseError as error:
        assert len(str(error)) < 2 * limits.SHOWN_CHARACTERS + 300
        return
    line = anthropic_messages.result_line("judge-1", "succeeded", message=text.encode())
    # Read again, as the next run does: two levels deeper, perhaps on a higher stack.
    assert anthropic_messages.custom_id_of(line) == "judge-1" or text.count("[") > 100
    assert stage(staging, tmp_path_factory.getbasetemp(), line)[0][:3] == ("judge", 1, "succeeded")


@settings(max_examples=60)
@given(st.binary(max_size=30) | CONTENTS)
def test_reading_raises_nothing_but_a_value_error(content):
    with contextlib.suppress(ValueError):
        strict_json.read(strict_json.text_of(content))
