"""Render the prompts: templates in ``prompts/``, inputs from the ``*_inputs`` models.

External texts are data in a prompt: anything in them that looks like one of our fences or ids is
escaped, which changes how it is shown but not what is counted.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import jinja2
import regex

FOLDER = Path(__file__).parent / "prompts"
STAGES = ("generator", "answerer", "judge")
# Also with invisible or full-width characters, which a model would read the same way.
INVISIBLE = r"[\s\p{Cf}]*"
NAMES = "|".join(
    INVISIBLE.join("[_-]" if letter == "_" else letter for letter in name)
    for name in ("document", "text", "passage", "question", "ground_truth", "answer")
)
FENCE = regex.compile(
    rf"[<＜](?={INVISIBLE}[/／]?{INVISIBLE}(?:{NAMES})(?![\p{{L}}\p{{N}}]))", regex.I
)
UNIT_ID = regex.compile(
    rf"[\[［](?={INVISIBLE.join(('', 'd', '[0-9]+', '[.]', '[sp]', '[0-9]+', '[]］]'))})", regex.I
)


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
    """A document as shown to the generator: paragraphs of sentences with their ids."""
    label = shown["label"]
    sentences = [
        {
            "label": f"{label}.s{number}",
            "starts_at": span["starts_at"],
            # A sentence is on one line, and a line break would end its row.
            "text": defused(text[span["starts_at"] : span["ends_at"]]),
        }
        for number, span in enumerate(shown["sentences"], start=1)
    ]
    return {
        "label": label,
        "can_be_chosen": shown["can_be_chosen"],
        "first_split": f"{label}.s{shown['first_split']}",
        "first_split_inside": f"{label}.s{shown['first_split_inside']}",
        "last_split": f"{label}.s{shown['last_split']}",
        "paragraphs": [
            {
                "label": f"{label}.p{number}",
                "sentences": [
                    sentence
                    for sentence in sentences
                    if span["starts_at"] <= sentence["starts_at"] < span["ends_at"]
                ],
            }
            for number, span in enumerate(shown["paragraphs"], start=1)
        ],
    }


def defused(text: str) -> str:
    """Escape everything in ``text`` that looks like one of our fences or ids."""
    return UNIT_ID.sub("(", FENCE.sub("‹", text))
