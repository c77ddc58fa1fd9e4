"""Models behind the stand-in whose rates are known, and which can be given a defect.

The generator writes what the offline baseline writes. The answerer knows what a probe asks for, and
says it at the rate of its arm, and of its level in a calibration; each probe has a rate of its own
around that. The judge knows what is right. So every table can be held against what was put in.
"""

from __future__ import annotations

import hashlib
import json
import re

from conftest import ROOT
from stand_in import answers

from latent_probes.providers import lexical

READER, STRONG_READER = "claude-haiku-4-5-20251001", "claude-haiku-5-5"
SECOND_JUDGE = STRONG_READER
WRONG = "Something else is told there, about which nothing is known."
# How often a probe is solved, on average over probes.
RATES = {
    "question_only": 0.04,
    "other_document": 0.06,
    "complement": 0.2,
    "second_reader": 0.4,
    "full_information": 0.95,
}
LEVEL_RATES = {-3: 0.5, -2: 0.4, -1: 0.3, 0: 0.2, 1: 0.14, 2: 0.08, 3: 0.02}
DEFECTS = (
    "question holds its answer",
    "judge always says 0.8",
    "judge reads the length",
    "generator lies about typicality",
)
ADDENDA = {
    row.split(",", 1)[1].strip('"'): int(row.split(",", 1)[0])
    for row in (ROOT / "seeds" / "calibration_levels.csv").read_text().splitlines()[1:]
}


def share(*key: object) -> float:
    """A number from 0 to 1 that depends on the key alone."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8]) / 2**64


def rate_of(mean: float, question: str) -> float:
    """The rate of one probe: evenly spread around the mean, and within 0 and 1."""
    return mean + (2 * share("rate", question) - 1) * min(mean, 1 - mean)


def expected(mean: float, n_answers: int) -> float:
    """The share of probes that one of so many answers solves, where that is the mean rate."""
    width = min(mean, 1 - mean)
    low, high = mean - width, mean + width
    power = n_answers + 1
    return 1 - ((1 - low) ** power - (1 - high) ** power) / (power * (high - low))


class ScriptedModels:
    """All models; ``answer`` is what the stand-in answers with."""

    def __init__(self, defect: str | None = None, *, by_level: bool = False):
        assert defect is None or defect in DEFECTS
        self.defect = defect
        self.by_level = by_level
        # By question: the level that it was asked at, and what is right.
        self.known: dict[str, tuple[int, str]] = {}

    def answer(self, model: str, prompt: str, key: str) -> str:
        """The text of an answer."""
        stage = answers.stage_of(prompt)
        if stage == "generator":
            return self.write(prompt, key)
        return self.judge(prompt) if stage == "judge" else self.read(model, prompt, key)

    def write(self, prompt: str, key: str) -> str:
        """What the baseline writes; each question says which it is."""
        written = json.loads(lexical.write_probes(prompt, key))
        (level,) = (level for addendum, level in ADDENDA.items() if addendum in prompt)
        for name, probe in written["probes"].items():
            if "declined" in probe:
                continue
            question = f"{probe['verbalizer_prompt']} (Question {key[-12:]} {name})"
            if self.defect == "question holds its answer" and share("held", question) < 0.5:
                question += f" Is it this: {probe['target_response']}?"
            if self.defect == "generator lies about typicality" and probe["target"] == "suffix":
                told = probe["typicality"]
                probe["typicality"] = "atypical" if told == "typical" else "typical"
            probe["verbalizer_prompt"] = question
            self.known[question] = level, probe["target_response"]
        return json.dumps(written, ensure_ascii=False)

    def read(self, model: str, prompt: str, key: str) -> str:
        """What is right, at the rate of the arm, or something else."""
        question = lexical.fenced(prompt, "question")
        level, right = self.known[question]
        mean = LEVEL_RATES[level] if self.by_level else RATES[arm_of(model, prompt)]
        if right in question or share(key) < rate_of(mean, question):
            return right
        # Not always as long, as people's answers are not.
        return " ".join([WRONG] * (1 + int(4 * share("length", key))))

    def judge(self, prompt: str) -> str:
        """1 for what is right, the passage itself too, and 0 for all else."""
        if self.defect == "judge always says 0.8":
            return "0.8"
        answer = lexical.fenced(prompt, "answer")
        if self.defect == "judge reads the length":
            return f"{min(1.0, len(answer) / 200):.1f}"
        _, right = self.known[lexical.fenced(prompt, "question")]
        return "1.0" if answer in (right, lexical.fenced(prompt, "ground_truth")) else "0.0"


def arm_of(model: str, prompt: str) -> str:
    """The arm that a prompt is of; the whole complement is asked about as the cut one is."""
    if model == STRONG_READER:
        return "second_reader"
    if "<passage>" in prompt:
        return "full_information"
    if "<text>" not in prompt:
        return "question_only"
    return "other_document" if re.search("asks about another document", prompt) else "complement"
