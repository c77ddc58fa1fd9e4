"""The offline baseline: answers by counting words, so everything runs without a model.

Deterministic and text-only. It reads the same prompts as a language model and answers in the
requested format. It is not a language model: its output tests the pipeline and gives a lower bound,
and is labelled ``lexical`` everywhere.

It emulates a batch service: batches are stored in a folder and answered when their results are
downloaded.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import regex

from latent_probes import landing
from latent_probes.common.home import Home
from latent_probes.providers import ListedBatch, Request
from latent_probes.providers.spool import Spool
from latent_probes.warehouse.functions import units

MODEL = "lexical"
ANSWER_WORDS = 8
WORD = regex.compile(r"\p{L}[\p{L}\p{M}'’\-]{3,}")
# The same in a text of Latin letters and punctuation, where it takes less time.
LATIN_WORD = re.compile(r"[A-Za-zªµºÀ-ÖØ-öø-ɏ][A-Za-zªµºÀ-ÖØ-öø-ɏ'’\-]{3,}")
FREQUENT = frozenset(
    """
    about after also been before being could does from have having here into just like made
    make many more most much only other over said same should some such than that their them
    then there these they this those through very want well were what when where which while
    will with would your
    """.split()
)


def create(home: Home) -> Lexical:
    """Create the provider with its files in ``home``."""
    return Lexical(home.batches / Lexical.name)


class Lexical:
    """The offline provider. ``folder`` emulates the batch service."""

    name = "lexical"
    max_requests = 10_000
    max_bytes = 256 << 20
    poll_seconds = 0.1
    recording_hash = None
    asks_when_collected = True
    # Submitted batches are on disk.
    settle_seconds = 0.0
    message_sql = landing.MESSAGES_API

    def __init__(self, folder: Path):
        self.spool = Spool(folder, "lexical")

    def serves(self, model: str) -> bool:
        """Only the model `lexical`: a round with a language model is never answered offline."""
        return model == MODEL

    def encode(self, request: Request) -> bytes:
        """A JSON object with the stage, the id and the prompt."""
        return json.dumps(
            {
                "custom_id": request.custom_id,
                "stage": request.stage,
                "prompt": request.prompt,
            }
        ).encode()

    def count(self, line: bytes) -> int:
        """Number of words, since there are no tokens."""
        return len(json.loads(line)["prompt"].split())

    def submit(self, body: Path) -> str:
        """Store the body."""
        return self.spool.keep(body)

    def list(self) -> Iterator[ListedBatch]:
        """The stored batches."""
        return self.spool.list()

    def download(self, provider_batch_id: str, results: Path) -> None:
        """Answer the batch into ``results``."""
        with (
            self.spool.body(provider_batch_id).open(encoding="utf-8") as requests,
            results.open("w", encoding="utf-8") as file,
        ):
            for line in requests:
                file.write(json.dumps(answer(json.loads(line)), ensure_ascii=False) + "\n")

    def cancel(self, provider_batch_id: str) -> None:
        """Nothing to do: answers are free and immediate."""

    def forget(self, provider_batch_id: str) -> None:
        """Delete the batch."""
        self.spool.forget(provider_batch_id)


def answer(request: dict) -> dict:
    """The result of one request: a message in the format of the Messages API.

    Its usage counts words, since there are no tokens.
    """
    prompt = request["prompt"]
    text = {
        "generator": write_probes,
        "answerer": answer_question,
        "judge": judge_answer,
    }[request["stage"]](prompt, request["custom_id"])
    message = {
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": len(prompt.split()),
            "output_tokens": len(text.split()),
        },
    }
    return {
        "custom_id": request["custom_id"],
        "result": {"type": "succeeded", "message": message},
    }


# The siblings of a generator request are compared with each of its atoms.
@functools.lru_cache(maxsize=1_000)
def content_words(text: str) -> tuple[str, ...]:
    """Lower-cased words of at least four letters that are not too frequent, in order."""
    pattern = LATIN_WORD if units.is_latin(text) else WORD
    return tuple(word for word in map(str.lower, pattern.findall(text)) if word not in FREQUENT)


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    return regex.findall(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}]*", text)


def draw(custom_id: str, *key: object) -> int:
    """A pseudo-random number that depends only on the request and the key."""
    return int.from_bytes(hashlib.sha256(repr((custom_id, *key)).encode()).digest()[:8])


def fenced(prompt: str, name: str) -> str:
    """The text between the last pair of tags of that name; empty if there is none."""
    found = regex.findall(rf"(?s)<{name}>\n(.*?)\n</{name}>", prompt)
    return found[-1] if found else ""


# Generator -----------------------------------------------------------------------------------


def read_documents(prompt: str) -> dict[str, dict]:
    """The documents of a generator prompt: sentences and paragraphs by id, and the splits.

    ``splits`` has the numbers of the sentences that each group of scopes can be split at, for
    either target.
    """
    documents = {}
    for label, body in regex.findall(r'(?s)<document id="(d\d+)">\n(.*?)\n</document>', prompt):
        sentences: dict[str, str] = {}
        paragraphs: dict[str, list[str]] = {}
        splits: dict[str, list[int]] = {}
        current = None
        for line in body.split("\n"):
            if found := regex.match(r"\[(d\d+\.p\d+)\]$", line):
                current = paragraphs.setdefault(found[1], [])
            elif current is not None and (found := regex.match(r"\[(d\d+\.s\d+)\] (.*)", line)):
                sentences[found[1]] = found[2].replace("<model_starts_here/>", "")
                current.append(found[1])
            elif current is None and (found := regex.match(r"split for (\w+).*?: (.*)", line)):
                numbers = {
                    number
                    for first, last in regex.findall(r"d\d+\.s(\d+)(?: to d\d+\.s(\d+))?", found[2])
                    for number in range(int(first), int(last or first) + 1)
                }
                splits[found[1]] = sorted(numbers.union(splits.get(found[1], [])))
        documents[label] = {"sentences": sentences, "paragraphs": paragraphs, "splits": splits}
    return documents


def write_probes(prompt: str, custom_id: str) -> str:
    """Choose the document with the most paragraphs, split it in the middle, ask for rare words."""
    documents = read_documents(prompt)
    label = max(
        (label for label in documents if documents[label]["splits"]),
        key=lambda label: (len(documents[label]["paragraphs"]), draw(custom_id, label)),
    )
    document = documents[label]
    others = [
        " ".join(other["sentences"].values()) for key, other in documents.items() if key != label
    ]
    others += regex.findall(r"(?s)<continuation>\n(.*?)\n</continuation>", prompt)
    n_typical = stated(prompt, "is in at least {} of them")
    min_words = stated(prompt, "one sentence of at least {} words")
    names = list(document["sentences"])
    splits = {group: middle(numbers) for group, numbers in document["splits"].items()}
    asked: set[str] = set()

    def written(group: str, target: str, n_sentences: int, choose: Callable) -> dict:
        """The probe of a slot, about the atom that is chosen on one side; or why there is none."""
        if not splits[group]:
            return {"declined": "The document has too few paragraphs."}
        before, after = names[: splits[group]], names[splits[group] :]
        side, complement = (after, before) if target == "suffix" else (before, after)
        named, sentences = choose(side)
        if not sentences or asked.intersection(named):
            return {"declined": "No other atom of this kind is on that side."}
        asked.update(named)
        atom = " ".join(document["sentences"][sentence] for sentence in sentences)
        text = " ".join(document["sentences"][sentence] for sentence in complement)
        return probe(atom, text, others, n_typical, target, named, n_sentences)

    def sentence(slot: str) -> Callable:
        def choose(side: list[str]) -> tuple[list[str], list[str]]:
            choices = [
                name
                for name in side
                if name not in asked and len(words(document["sentences"][name])) >= min_words
            ]
            name = choices[draw(custom_id, slot) % len(choices) :][:1] if choices else []
            return name, name

        return choose

    def paragraph(side: list[str]) -> tuple[list[str], list[str]]:
        inside = [
            (name, sentences)
            for name, sentences in document["paragraphs"].items()
            if len(sentences) > 1 and set(sentences) < set(side) and name not in asked
        ]
        name, sentences = max(inside, key=lambda pair: (len(pair[1]), pair[0]), default=("", []))
        return [name], sentences

    def whole(side: list[str]) -> tuple[list[str], list[str]]:
        touched = [x for x in document["paragraphs"].values() if set(x) & set(side)]
        return [], side if len(touched) > 1 else []

    probes = {
        "sentence_1": written("sentence", "suffix", 1, sentence("sentence 1")),
        "sentence_2": written("sentence", "suffix", 1, sentence("sentence 2")),
        "sentence_3": written("sentence", "prefix", 1, sentence("sentence 3")),
        "paragraph_1": written("paragraph", "suffix", 2, paragraph),
        "paragraph_2": written("paragraph", "prefix", 2, paragraph),
        "whole_1": written("whole", "suffix", 3, whole),
    }
    return json.dumps(
        {
            "document": label,
            "document_rationale": "The document with the most paragraphs.",
            "splits": {
                group: f"{label}.s{number}" if number else "none"
                for group, number in splits.items()
            },
            "split_rationale": "The middle of the sentences that it can be split at.",
            "probes": probes,
        },
        ensure_ascii=False,
    )


def stated(prompt: str, rule: str) -> int:
    """The number that a rule of the prompt states."""
    (number,) = regex.findall(rule.format(r"(\d+)"), prompt)[-1:]
    return int(number)


def middle(numbers: list[int]) -> int | None:
    """The number nearest to the middle of a range from which some can be missing; None if all."""
    return numbers[(len(numbers) - 1) // 2] if numbers else None


def probe(
    atom: str,
    side: str,
    others: list[str],
    n_typical: int,
    target: str,
    named: list[str],
    n_sentences: int,
) -> dict:
    """One probe about ``atom``, with the complement ``side``.

    Its wrong answer has ``n_sentences`` sentences.
    """
    content = content_words(atom)
    near = Counter(content_words(side))
    # The topic leading to the atom: words on both sides, otherwise the complement's most frequent.
    thread = list(dict.fromkeys([word for word in content if word in near])) or [
        word for word, _ in near.most_common(3)
    ]
    thread = thread[:3] or ["this"]
    holders = sum(
        len(set(content) & set(content_words(other))) * 2 >= len(set(content)) for other in others
    )
    typicality = "typical" if holders >= n_typical else "neither" if holders else "atypical"
    where = "say next" if target == "suffix" else "say earlier"
    wrong = [
        f"It goes on about {' and '.join(thread)}, point {number} of {n_sentences}."
        for number in range(1, n_sentences + 1)
    ]
    return {
        "target": target,
        "units": named,
        "first_words": " ".join(words(atom)[:4]),
        "typicality": "none" if target == "prefix" else typicality,
        "verbalizer_prompt": f"What does the author {where} about {', '.join(thread)}?",
        "target_response": " ".join(dict.fromkeys(content)) or atom[:80],
        "incorrect_plausible_answer": " ".join(wrong),
        "synergy_check": f"{len(content)} content words.",
        "distribution_check": ""
        if target == "prefix"
        else f"{holders} of {len(others)} other continuations have half of its content words.",
        "difficulty_check": f"{len(set(content) & set(near))} of {len(set(content))} content words "
        "stand in the complement.",
    }


# Answerer and judge --------------------------------------------------------------------------


def answer_question(prompt: str, custom_id: str) -> str:
    """Some content words of the sentences with the most words of the question.

    The words are drawn for each request, so answers to the same question differ.
    """
    question = fenced(prompt, "question")
    asked = set(content_words(question))
    # The passage in question, if shown; otherwise the question itself.
    text = fenced(prompt, "passage") or fenced(prompt, "text") or question
    sentences = [
        words
        for sentence in regex.split(r"(?<=[.!?])\s+|\n+", text)
        if (words := content_words(sentence))
    ]
    nearest = sorted(sentences, key=lambda words: -len(asked.intersection(words)))[:4]
    pool = list(dict.fromkeys(word for words in nearest for word in words))
    drawn = sorted(pool, key=lambda word: draw(custom_id, word))[:ANSWER_WORDS]
    return " ".join(word for word in pool if word in drawn) or "Nothing can be said."


def judge_answer(prompt: str, custom_id: str) -> str:
    """The share of the smaller set of content words that is also in the larger one."""
    truth = set(content_words(fenced(prompt, "ground_truth")))
    given = set(content_words(fenced(prompt, "answer")))
    smaller = min(len(truth), len(given))
    return f"{len(truth & given) / smaller:.2f}" if smaller else "0.0"
