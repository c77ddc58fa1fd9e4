"""Printed text cannot control the terminal."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_probes.common import terminal

REPLACED = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "character",
    ["\x00", "\x07", "\b", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\t"],
)
def test_a_control_character_is_made_visible(character):
    assert terminal.printable(f"a{character}b") == f"a{REPLACED}b"


@pytest.mark.parametrize(
    "character", "\u200e\u200f\u061c\u202a\u202b\u202d\u202e\u2066\u2067\u2069"
)
def test_a_bidi_character_is_made_visible(character):
    assert terminal.printable(f"a{character}b") == f"a{REPLACED}b"


@pytest.mark.parametrize("character", "\u200b\u200d\ufeff\u00ad\U000e0041")
def test_an_invisible_character_is_made_visible(character):
    assert terminal.printable(f"a{character}b") == f"a{REPLACED}b"


def test_an_escape_sequence_loses_its_escape():
    assert "\x1b" not in terminal.printable("\x1b[2J\x1b]0;title\x07")


def test_ordinary_text_is_printed_as_it_is():
    text = "Zwölf Boxkämpfer, 数 [bold] 👩\nu\u0301"
    assert terminal.printable(text) == text


@given(st.text())
def test_what_is_printable_obeys_no_command_and_keeps_its_length(text):
    shown = terminal.printable(text)
    assert len(shown) == len(text)
    assert not any(unicodedata.category(mark) in ("Cc", "Cf") for mark in shown if mark != "\n")


def test_a_message_is_no_markup(capsys):
    terminal.say("[bold]5 of [red]7[/red]")
    assert capsys.readouterr().out == "[bold]5 of [red]7[/red]\n"


def test_files_below_the_current_directory_are_named_relative_to_it(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    terminal.say(f"{tmp_path / 'demo' / 'a.csv'} and {tmp_path.parent / 'b.csv'}")
    assert capsys.readouterr().out == f"demo/a.csv and {tmp_path.parent / 'b.csv'}\n"


def test_a_long_message_stays_one_line(capsys):
    terminal.say("word " * 100)
    assert capsys.readouterr().out.count("\n") == 1


def test_progress_is_one_line_where_there_is_no_terminal(capsys):
    with terminal.progress("landing", 3000, "responses") as advance:
        advance(1000)
        advance(500)
    assert capsys.readouterr().out == "landing: 1,500 responses\n"


def test_a_line_of_progress_is_printed_when_it_has_grown(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(terminal, "SECONDS_BETWEEN_LINES", 0.01)
    monkeypatch.setattr(terminal, "say", said.append)
    with terminal.progress("landing", None, "responses") as advance:
        for n_lines in (1, 2):
            time.sleep(0.05)
            advance(5)
            until = time.monotonic() + 60
            while len(said) < n_lines and time.monotonic() < until:
                time.sleep(0.01)
    assert said == [
        "landing: 5 responses so far",
        "landing: 10 responses so far",
        "landing: 10 responses",
    ]
