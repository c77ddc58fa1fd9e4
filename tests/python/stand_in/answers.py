"""Answers of the stand-in: a function of the request alone, and faulty variants."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from latent_probes.providers import lexical
from stand_in import checks
from stand_in.refusals import RefusedError

Answer = Callable[[str, str, str], str]

STAGES = {
    "generator": lexical.write_probes,
    "answerer": lexical.answer_question,
    "judge": lexical.judge_answer,
}
UNKNOWN_PROMPT = "The stand-in knows no answer to this."
THOUGHT = "Let me count the words."


def hash_of(*parts: object) -> str:
    """A hash of all parts, as hexadecimal digits."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


# Texts -----------------------------------------------------------------------------------------


def stage_of(prompt: str) -> str | None:
    """The stage whose prompt it is."""
    if prompt.startswith("Score how well"):
        return "judge"
    # Looked for first, as no line of a document in a generator's prompt is a bare tag.
    if "\n<question>\n" in prompt:
        return "answerer"
    return "generator" if "\n# The documents\n" in prompt else None


def answer(model: str, prompt: str, key: str) -> str:
    """The text that the offline baseline would answer, whichever model is asked."""
    stage = stage_of(prompt)
    return STAGES[stage](prompt, key) if stage else UNKNOWN_PROMPT


def text_of(content: str | list[dict]) -> str:
    """The text of a content, in one block or several."""
    if isinstance(content, str):
        return content
    return "".join(block["text"] for block in content if block["type"] == "text")


def prompt_of(params: dict) -> str:
    """Everything that the model reads."""
    contents = [params["system"]] if "system" in params else []
    contents += [message["content"] for message in params["messages"]]
    return "\n\n".join(text_of(content) for content in contents)


def count_tokens(text: str) -> int:
    """About as many tokens as the text has."""
    return max(1, len(text) // 4)


# Messages --------------------------------------------------------------------------------------


def message(message_id: str, params: dict, text: str, service_tier: str) -> dict:
    """The message that carries ``text``, cut off where ``max_tokens`` ends it."""
    is_cut = count_tokens(text) > params["max_tokens"]
    text = text[: 4 * params["max_tokens"]] if is_cut else text
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": checks.full_name(params["model"]),
        "content": [*thinking_blocks(params), {"type": "text", "text": text}],
        "stop_reason": "max_tokens" if is_cut else "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": count_tokens(prompt_of(params)),
            "output_tokens": count_tokens(text),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "service_tier": service_tier,
        },
    }


def thinking_blocks(params: dict) -> list[dict]:
    """A thought before the text, if the request asks for thinking."""
    thinking = params.get("thinking", {"type": "disabled"})
    if thinking["type"] not in ("enabled", "adaptive"):
        return []
    thought = "" if thinking.get("display") == "omitted" else THOUGHT
    return [{"type": "thinking", "thinking": thought, "signature": "c3RhbmQtaW4="}]


# Answers that come out wrong -------------------------------------------------------------------


def cut_off(whole: dict) -> dict:
    """The message, ended in the middle of its text by ``max_tokens``."""
    text = whole["content"][-1]["text"]
    return with_text(whole, text[: len(text) // 2]) | {"stop_reason": "max_tokens"}


def refusal(whole: dict) -> dict:
    """The message of a model that will not answer."""
    details = {"type": "refusal", "category": None, "explanation": None}
    return whole | {"content": [], "stop_reason": "refusal", "stop_details": details}


def thought_alone(whole: dict) -> dict:
    """The message of a model that thought and then wrote nothing."""
    return whole | {"content": thinking_blocks({"thinking": {"type": "enabled"}})}


def with_text(whole: dict, text: str) -> dict:
    """The message with another text."""
    return whole | {"content": [*whole["content"][:-1], {"type": "text", "text": text}]}


def with_unescaped_quotes(text: str) -> str:
    """JSON with a quoted word in a string that nobody escaped."""
    return re.sub(r'(: "\w+ )', r'\1"so-called" ', text, count=1)


def with_raw_line_breaks(text: str) -> str:
    """JSON with line breaks inside its strings."""
    return re.sub(r'(: "\w+) ', "\\1\n", text)


def without_end(text: str) -> str:
    """JSON whose last third is missing."""
    return text[: len(text) * 2 // 3]


@dataclass(frozen=True)
class WrongAnswer:
    """A way in which one request of a batch comes back wrong.

    ``stage`` is the only stage that it can happen to, None for all. ``type`` is the type of the
    result. ``change`` makes the wrong message of the right one; ``error`` is what was refused.
    """

    type: str = "succeeded"
    stage: str | None = None
    change: Callable[[dict], dict] | None = None
    error: RefusedError | None = None


def wrong_text(stage: str, change: Callable[[str], str]) -> WrongAnswer:
    """A wrong answer that only differs in its text."""
    return WrongAnswer(
        stage=stage, change=lambda whole: with_text(whole, change(whole["content"][-1]["text"]))
    )


WRONG_ANSWERS = {
    "invalid result": WrongAnswer(
        "errored", error=RefusedError(400, "messages: this request is invalid")
    ),
    "overloaded result": WrongAnswer("errored", error=RefusedError(529, "Overloaded")),
    "unpaid result": WrongAnswer(
        "errored",
        error=RefusedError(402, "Your credit balance is too low to access the Anthropic API."),
    ),
    "expired result": WrongAnswer("expired"),
    "canceled result": WrongAnswer("canceled"),
    "cut-off result": WrongAnswer(change=cut_off),
    "refused result": WrongAnswer(change=refusal),
    "thinking without text": WrongAnswer(change=thought_alone),
    "unescaped quotes": wrong_text("generator", with_unescaped_quotes),
    "raw line breaks": wrong_text("generator", with_raw_line_breaks),
    "cut-off JSON": wrong_text("generator", without_end),
    "score as a fraction": wrong_text("judge", lambda _: "0.7/1"),
    "score with a comma": wrong_text("judge", lambda _: "0,7"),
    "score above one": wrong_text("judge", lambda _: "1.5"),
    "score that is no number": wrong_text("judge", lambda _: "NaN"),
    "empty score": wrong_text("judge", lambda _: ""),
}
RIGHT_ANSWER = WrongAnswer(change=lambda whole: whole)
CANCELED = WRONG_ANSWERS["canceled result"]
