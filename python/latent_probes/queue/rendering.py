"""Render the prompts: templates in ``prompts/``, inputs from the ``*_inputs`` models.

External texts are data in a prompt: anything in them that looks like one of our fences or ids, or
like a control token of a chat template, loses its opening bracket. That changes how a text is shown
but not what is counted.
"""

from __future__ import annotations

import bisect
import functools
import hashlib
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import jinja2
import regex

FOLDER = Path(__file__).parent / "prompts"
STAGES = ("generator", "answerer", "judge")

# Characters that look like ours: brackets, and letters of our names.
LOOK_ALIKES = str.maketrans(
    "˂ᐸᚲ❮аеорсхуіѕԁһӏјкмнпгтвԛԝѵαορτνειυχηωɑɡıոսօհ",
    "<<<<aeopcxyisdhljkmhnrtbqwvaoptveiuxnwaginuoh",
)
# Brackets, what has one as its compatibility form, and their look-alikes.
OPENING = regex.compile(r"[<\[＜﹤≮［﹇˂ᐸᚲ❮]")
# What is not seen: default-ignorable and control characters, marks, and the empty Braille pattern.
UNSEEN = regex.compile(r"[\p{DI}\p{Cc}\p{Cf}\p{M}\u2800--[\t-\r]]", regex.V1)
RUN = regex.compile(r"(?s)[\t-\r -~]+|.")
# Text of a line, from its first to its last visible character.
PIECE = regex.compile(r"[^\s](?:[^\n\r\x0b\x0c\x85\u2028\u2029]*[^\s])?")
MARK = "<model_starts_here/>"

OUR_TAGS = (
    *("document", "continuation", "model_starts_here"),
    *("text", "passage", "question", "ground_truth", "answer"),
)
CONTROL_TAGS = (
    *("s", "bos", "eos", "pad", "unk", "sys", "system", "user", "assistant", "tool"),
    *("im_start", "im_end", "im_sep", "endoftext", "end_of_text", "begin_of_text", "eot_id"),
    *("start_of_turn", "end_of_turn", "start_header_id", "end_header_id"),
    *("think", "thinking", "tool_call", "tool_response", "function_calls"),
)
CONTROL_WORDS = ("inst", "system_prompt", "tool_calls", "tool_results", "think")


def spaced(name: str) -> str:
    """Pattern of a name whose letters may have white space between them."""
    return r"\s*+".join(r"[_\p{Pd}]" if letter == "_" else letter for letter in name)


# Patterns over a folded text. A letter or sign outside of ASCII can look like any of ours.
SLASH = r"\s*+(?:[/|\\∕⁄╱⧸∣ǀ]\s*+)?"
LETTER = r"[^\W\d_\x00-\x7f]"
SIGN = r"[^\w\s\x00-\x7f]"
FENCE = "|".join(
    (
        rf"{SLASH}(?:{'|'.join(map(spaced, (*OUR_TAGS, *CONTROL_TAGS)))})(?![\p{{L}}\p{{N}}])",
        rf"{SLASH}(?=[\w\-]*?{LETTER})[\w\-]*+[^>]{{0,200}}+>",
        r"\s*+\|[^>|\s]{1,40}\|\s*+>",
    )
)
UNIT_ID = r"\s*+".join(
    (
        "",
        f"(?:d|{LETTER})",
        r"\d++",
        rf"(?:\.|{SIGN})",
        f"(?:[sp]|{LETTER})",
        r"\d++",
        rf"(?:\]|{SIGN})",
    )
)
WORD = rf"{SLASH}(?:{'|'.join(map(spaced, CONTROL_WORDS))})\s*+\]"
OPENED = regex.compile(rf"<(?={FENCE})|\[(?={UNIT_ID}|{WORD})")
SHOWN_AS = {"<": "‹", "[": "("}


def render(stage: str, inputs: dict) -> str:
    """The prompt of one request.

    ``inputs`` is a row of ``generator_inputs``, ``answerer_inputs`` or ``judge_inputs``. A
    missing variable of the template is an error (jinja2.UndefinedError).
    """
    if stage == "generator":
        documents = [
            shown_document(shown, text)
            for shown, text in zip(json.loads(inputs["unit_map"]), inputs["texts"], strict=True)
        ]
        values = {
            "addendum": inputs["addendum"],
            "documents": documents,
            "further_texts": [defused(text.strip()) for text in inputs["further_texts"]],
            "min_atom_words": inputs["min_atom_words"],
            "n_others": len(documents) - 1 + len(inputs["further_texts"]),
            "typical_siblings": inputs["typical_siblings"],
        }
    else:
        values = {
            name: defused(value) if isinstance(value, str) else value
            for name, value in inputs.items()
        }
    return template(stage).render(values)


def prompt_hash(stage: str) -> str:
    """First 16 hex digits of the SHA-256 of the stage's template and schema."""
    digest = hashlib.sha256((FOLDER / f"{stage}.md").read_bytes())
    digest.update(json.dumps(schema(stage)).encode())
    return digest.hexdigest()[:16]


@functools.cache
def schema(stage: str) -> dict | None:
    """The JSON schema of the stage's answer; None if the answer is plain text."""
    path = FOLDER / f"{stage}.schema.json"
    return json.loads(path.read_text()) if path.exists() else None


@functools.cache
def template(stage: str) -> jinja2.Template:
    """The stage's template."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Prompts are plain text; `defused` does the escaping.
        autoescape=False,
    )
    return environment.get_template(f"{stage}.md")


def shown_document(shown: dict, text: str) -> dict:
    """A document as shown to the generator: its splits, and its lines with the ids of its units."""
    label = shown["label"]
    return {
        "label": label,
        "can_be_chosen": shown["can_be_chosen"],
        "splits": {
            group: split_places(label, group, numbers) for group, numbers in shown["splits"].items()
        },
        "lines": list(shown_lines(shown, text)),
    }


def split_places(label: str, group: str, numbers: list[int]) -> str:
    """Where a document can be split for a group of scopes, or one of its targets."""
    where = "inside" if group == "word_lens" else "after"
    return f"{where} {', '.join(ranges(label, numbers))}" if numbers else "none"


def ranges(label: str, numbers: list[int]) -> Iterator[str]:
    """Ids of sentences, given by number in order, as ranges."""
    start = 0
    for place, number in enumerate(numbers, start=1):
        if place < len(numbers) and numbers[place] == number + 1:
            continue
        first, last = f"{label}.s{numbers[start]}", f"{label}.s{number}"
        yield first if first == last else f"{first} to {last}"
        start = place


def shown_lines(shown: dict, text: str) -> Iterator[str]:
    """The lines of a document: units after their ids, all other text as it is.

    The end of the shared beginning is marked, on a line of its own if it is between two lines.
    """
    label, border = shown["label"], shown["prefix_length"]
    # All at once: a fence can be over several lines.
    text = defused(text)
    paragraphs = [
        (span["starts_at"], f"[{label}.p{number}]")
        for number, span in enumerate(shown["paragraphs"], start=1)
    ]
    paragraphs.reverse()
    is_marked = False
    for start, end, unit_id in parts(shown, text):
        if not is_marked and border <= start:
            is_marked = True
            yield MARK
        while paragraphs and paragraphs[-1][0] <= start:
            yield paragraphs.pop()[1]
        line = text[start:end]
        if start < border < end:
            is_marked = True
            line = text[start:border] + MARK + text[border:end]
        yield f"{unit_id}{line}"
    if not is_marked:
        yield MARK


def parts(shown: dict, text: str) -> Iterator[tuple[int, int, str]]:
    """Start and end of each sentence with its id, and of each piece of a line between sentences.

    No piece goes beyond the start of a paragraph.
    """
    label, place = shown["label"], 0
    sentences = [
        (span["starts_at"], span["ends_at"], f"[{label}.s{number}] ")
        for number, span in enumerate(shown["sentences"], start=1)
    ]
    for start, end, unit_id in [*sentences, (len(text), len(text), "")]:
        for piece in PIECE.finditer(text, place, start):
            yield *piece.span(), ""
        if unit_id:
            yield start, end, unit_id
        place = end


def defused(text: str) -> str:
    """The text without the opening bracket of anything that looks like a fence, an id or a token.

    The bracket is replaced by a similar sign, so that no length changes.
    """
    if not OPENING.search(text):
        return text
    seen, starts, places = folded(text)
    pieces, end = [], 0
    for match in OPENED.finditer(seen):
        # Of what is not seen, nothing starts here; the last one is the bracket.
        run = bisect.bisect_right(starts, match.start()) - 1
        place = places[run]
        if text[place].isascii():
            place += match.start() - starts[run]
        pieces += [text[end:place], SHOWN_AS[match[0]]]
        end = place + 1
    return "".join([*pieces, text[end:]])


def folded(text: str) -> tuple[str, list[int], list[int]]:
    """A text as it is matched, and where its runs start in it and in the text.

    A run is of ASCII or a single character.
    """
    runs, starts, places, length = [], [], [], 0
    for run in RUN.finditer(text):
        runs.append(run[0].lower() if len(run[0]) > 1 else folded_letter(run[0]))
        starts.append(length)
        places.append(run.start())
        length += len(runs[-1])
    return "".join(runs), starts, places


@functools.cache
def folded_letter(letter: str) -> str:
    """Compatibility form of a character in lower case; empty if it is not seen."""
    if UNSEEN.fullmatch(letter):
        return ""
    plain = unicodedata.normalize("NFKD", letter).casefold()
    return UNSEEN.sub("", plain).translate(LOOK_ALIKES)
