"""Recorded responses: what is replayed, what is not, and what a bad recording says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latent_probes import landing
from latent_probes.common.files import hash_of
from latent_probes.common.home import Home
from latent_probes.providers import ProviderError, Request
from latent_probes.providers.recorded import Recorded
from latent_probes.queue import recording


def line(**changes) -> dict:
    """A recorded response."""
    return {
        "request_id": "answerer-1",
        "input_hash": "shown",
        "prompt_hash": "wording",
        "stage": "answerer",
        "model": "model",
        "response_model": "model-2026-01-01",
        "date": "2026-01-02",
        "text": "He goes.",
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 3},
    } | changes


def results(folder: Path, lines: list[dict], *asked: dict) -> list[dict]:
    """The results of a batch of requests."""
    recording = folder / "a recording [1].jsonl"
    recording.write_text("".join(json.dumps(line) + "\n" for line in lines))
    provider = Recorded(folder / "spool", recording)
    request = {
        "custom_id": "answerer-1-1",
        "stage": "answerer",
        "model": "model",
        "input_hash": "input",
        "shown_hash": "shown",
        "prompt_hash": "wording",
        "max_tokens": 9,
        "thinking": "none",
        "thinking_tokens": 0,
        "schema": None,
        "prompt": "What next?",
    }
    body = folder / "body.jsonl"
    body.write_bytes(b"".join(provider.encode(Request(**(request | ask))) + b"\n" for ask in asked))
    name = provider.submit(body)
    provider.download(name, folder / "results.jsonl")
    return [json.loads(line)["result"] for line in (folder / "results.jsonl").open()]


def test_a_recorded_response_comes_back_as_it_was(tmp_path):
    text = 'He said "<|im_start|>\u2028\\n\U0001f600".\n'
    (result,) = results(tmp_path, [line(text=text)], {})
    assert result == {
        "type": "succeeded",
        "recording": hash_of(tmp_path / "a recording [1].jsonl"),
        "recording_file": "a recording [1].jsonl",
        "prompt_hash": "wording",
        "date": "2026-01-02",
        "message": {
            "model": "model-2026-01-01",
            "stop_reason": "end_turn",
            "content": [{"type": "text", "text": text}],
            "usage": {"input_tokens": 7, "output_tokens": 3, "is_estimated": None},
        },
    }


def test_another_wording_is_answered_and_keeps_its_hash(tmp_path):
    (result,) = results(tmp_path, [line()], {"prompt_hash": "edited"})
    assert (result["type"], result["prompt_hash"]) == ("succeeded", "wording")


@pytest.mark.parametrize(
    "asked", [{"shown_hash": "other"}, {"model": "other"}, {"custom_id": "answerer-2-1"}]
)
def test_another_question_is_not_answered(tmp_path, asked):
    (result,) = results(tmp_path, [line()], asked)
    recording = hash_of(tmp_path / "a recording [1].jsonl")
    assert result == {"type": "not_recorded", "recording": recording}


def test_attempts_get_the_recorded_responses_in_their_order(tmp_path):
    lines = [line(text="first", stop_reason="max_tokens"), line(text="second")]
    asked = [{"custom_id": f"answerer-1-{attempt}"} for attempt in (1, 2, 3)]
    found = results(tmp_path, lines, *asked)
    texts = [result["message"]["content"][0]["text"] for result in found]
    assert texts == ["first", "second", "second"]


def test_an_unknown_usage_stays_unknown(tmp_path):
    (result,) = results(tmp_path, [line(usage=None)], {})
    assert result["message"]["usage"] is None


def test_a_bad_recording_is_one_clear_error(tmp_path):
    with pytest.raises(ProviderError, match=r"no recording .*--record"):
        Recorded(tmp_path, tmp_path / "none.jsonl").serves("model")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"request_id": 1}\nnonsense\n')
    with pytest.raises(ProviderError, match=r"bad\.jsonl cannot be read.*--record"):
        Recorded(tmp_path, bad).serves("model")


@pytest.mark.parametrize("field", ["prompt_hash", "text", "model", "response_model", "date"])
def test_a_response_without_one_of_its_fields_is_refused_before_it_lands(tmp_path, field):
    with pytest.raises(ProviderError, match=r"line 2 of the recording .* lacks one of its fields"):
        results(tmp_path, [line(), line(**{field: None})], {})


@pytest.fixture
def home(tmp_path) -> Home:
    """A home without a response."""
    made = Home(tmp_path, tmp_path / "home")
    landing.prepare(made.landing)
    return made


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(line()) + "\n", "has 1 responses that this home lacks"),
        ("a note\n" * 9, "is not a rec"),
    ],
)
def test_a_file_is_not_replaced_by_a_recording_that_lacks_something(home, content, said):
    file = home.project / "kept.jsonl"
    file.write_text(content)
    with pytest.raises(recording.RecordingError, match=said):
        recording.record(home, file)
    assert file.read_text() == content
    assert [path.name for path in home.project.glob("*kept*")] == ["kept.jsonl"]


def test_a_recording_goes_where_a_link_leads(home):
    (home.project / "link.jsonl").symlink_to("target.jsonl")
    recording.record(home, home.project / "link.jsonl")
    assert (home.project / "link.jsonl").is_symlink()
    assert (home.project / "target.jsonl").read_text() == ""


def test_a_bad_place_for_a_recording_is_refused_before_anything_is_asked(tmp_path):
    (tmp_path / "folder.jsonl").mkdir()
    for name, said in (
        ("a.jsonl.gz", "end its name in .jsonl"),
        ("folder.jsonl", "is a folder"),
        ("missing/a.jsonl", "there is no folder"),
    ):
        with pytest.raises(recording.RecordingError, match=said):
            recording.refuse(tmp_path / name)


def test_a_run_that_fails_is_recorded_and_fails_as_it_would(home):
    answered = {"result": {"message": {"usage": {"is_estimated": True}}}}
    with landing.opened(home.landing) as connection:
        connection.execute(
            "insert into requests by name select 'answerer-1' as request_id, 1 as attempt, 'b' as "
            "batch_id, 'answerer' as stage, 1 as round_number, 'm' as model, 'w' as prompt_hash, "
            "'i' as input_hash"
        )
        connection.execute(
            "insert into responses by name select 'answerer-1' as request_id, 1 as attempt, "
            "'succeeded' as outcome, $1 as body, now() as landed_at, 'x' as text, {'input_tokens': "
            "7, 'output_tokens': 2, 'cache_write_five_minutes_tokens': null, "
            "'cache_write_one_hour_tokens': null, 'cache_read_tokens': null} as usage",
            [json.dumps(answered)],
        )
    for file in (home.project / "new.jsonl", None):
        with pytest.raises(ProviderError, match="lost"), recording.recorded_after(home, file):
            raise ProviderError("the provider is lost")
    (found,) = map(json.loads, (home.project / "new.jsonl").open())
    assert (found["text"], found["usage"]["is_estimated"]) == ("x", True)


def test_a_failure_is_told_also_where_it_cannot_be_recorded(home, capsys):
    file = home.project / "kept.jsonl"
    file.write_text(json.dumps(line()) + "\n")
    with pytest.raises(ProviderError, match="lost"), recording.recorded_after(home, file):
        raise ProviderError("the provider is lost")
    assert "not recorded: " in capsys.readouterr().out
