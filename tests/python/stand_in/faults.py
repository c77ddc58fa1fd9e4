"""What goes wrong on command: each fault once, several times, by chance, or any at random.

A fault has a name and a place where it happens:

creation   the POST that makes a batch
list       the GET of all batches
retrieval  the GET of one batch
download   the GET of its results
answer     one request of a batch, when the batch ends (see ``answers.WRONG_ANSWERS``)
message    the POST of a single message
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.utils import formatdate

from stand_in import answers
from stand_in.ledger import attempt_of
from stand_in.refusals import RefusedError

REFUSALS = {
    "refusal 400": RefusedError(400, "requests: this batch is refused"),
    "refusal 401": RefusedError(401, "invalid x-api-key"),
    "refusal 402": RefusedError(402, "Your credit balance is too low."),
    "refusal 403": RefusedError(403, "Your API key may not use this resource."),
    "refusal 404": RefusedError(404, "Not found"),
    "refusal 413": RefusedError(413, "Request exceeds the maximum size"),
    "refusal 422": RefusedError(422, "The request cannot be processed"),
}
OUTAGES = {
    "internal error": RefusedError(500, "Internal server error"),
    "overload": RefusedError(529, "Overloaded"),
}
RATE_LIMITS = (
    "rate limit in seconds",
    "rate limit until a date",
    "rate limit in milliseconds",
    "absurd rate limit",
    "negative rate limit",
    "spend limit",
    "full queue",
)
DAMAGED_DOWNLOADS = (
    "reset in the body",
    "cut in a line",
    "cut between lines",
    "missing line",
    "double line",
    "foreign line instead",
    "foreign line besides",
    "unknown result type",
    "malformed line",
)
PLACES = {
    "creation": (
        *REFUSALS,
        *RATE_LIMITS,
        *OUTAGES,
        "reset before the body",
        "reset after commit",
        "error after commit",
        "hang after commit",
        "late commit after an error",
        "late commit after a reset",
        "double commit",
    ),
    "list": (*OUTAGES, "reset", "stale list"),
    "retrieval": (*OUTAGES, "reset", "missing batch"),
    "download": (*OUTAGES, "reset", "missing results", *DAMAGED_DOWNLOADS),
    "answer": tuple(answers.WRONG_ANSWERS),
    "message": (*RATE_LIMITS, *OUTAGES, "reset", "reset in the body", "hang"),
}
LONGEST_HANG = 30.0
FOREIGN_ID = "generator-00000000000000000000000000000000-1"


class ResetError(Exception):
    """The connection is to be reset instead of answered further."""


@dataclass(frozen=True)
class Fault:
    """One occurrence of a fault. ``seconds`` is how long it lasts, or is asked to be waited."""

    name: str
    seconds: float | None = None


NO_FAULT = Fault("none")


@dataclass
class Plan:
    """A fault that is to happen ``times`` times, or whenever chance says so if that is None."""

    fault: Fault
    place: str
    times: int | None
    chance: float
    when: Callable[[str], object]
    every_attempt: bool

    def has_times_left(self) -> bool:
        """Whether it is still to happen."""
        return self.times is None or self.times > 0

    def happens(self) -> Fault:
        """Count it."""
        if self.times is not None:
            self.times -= 1
        return self.fault


class Faults:
    """The faults that are planned. Without a plan nothing goes wrong."""

    def __init__(self, seed: int):
        self.seed = seed
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.plans: list[Plan] = []

    def plan(
        self,
        fault: str,
        times: int | None = 1,
        *,
        at: str | None = None,
        chance: float = 1.0,
        seconds: float | None = None,
        when: str | Callable[[str], object] = "",
        every_attempt: bool = False,
    ) -> None:
        """Let a fault happen ``times`` times, or without end if that is None.

        ``at`` is its place, where the name alone leaves it open the first that has it. ``chance``
        is the share of occasions that it takes. ``when`` chooses among the requests of a batch: a
        pattern in the custom id, or a function of it. A wrong answer hits only first attempts,
        unless ``every_attempt``.
        """
        place = at or next((place for place, names in PLACES.items() if fault in names), "")
        if fault not in PLACES.get(place, ()):
            raise ValueError(f"no fault {fault!r} at {place or 'any place'}; there are {PLACES}")
        chosen = re.compile(when).search if isinstance(when, str) else when
        with self.lock:
            self.plans.append(
                Plan(Fault(fault, seconds), place, times, chance, chosen, every_attempt)
            )

    def chaos(
        self,
        seed: int,
        share: float,
        *,
        at: Iterable[str] = tuple(PLACES),
        without: Iterable[str] = (),
        seconds: float = 1.0,
    ) -> None:
        """From now on let any fault happen, at about a share of all occasions at each place."""
        self.seed = seed
        self.random = random.Random(seed)
        for place in at:
            names = [name for name in PLACES[place] if name not in set(without)]
            for name in names:
                self.plan(name, None, at=place, chance=share / len(names), seconds=seconds)

    def clear(self) -> None:
        """Forget what is planned."""
        with self.lock:
            self.plans.clear()

    def draw(self, place: str) -> Fault:
        """The fault that happens to a request to the API."""
        with self.lock:
            for plan in self.plans:
                is_due = plan.place == place and plan.has_times_left()
                if is_due and self.random.random() < plan.chance:
                    return plan.happens()
        return NO_FAULT

    def draw_wrong_answers(self, custom_ids: Iterable[str]) -> dict[str, str]:
        """The names of the wrong answers of a batch.

        Chance is drawn for each custom id alone, so that the order of batches does not matter.
        """
        with self.lock:
            plans = [plan for plan in self.plans if plan.place == "answer"]
            drawn = {}
            for custom_id in custom_ids if plans else ():
                plan = next((plan for plan in plans if self.hits(plan, custom_id)), None)
                if plan:
                    drawn[custom_id] = plan.happens().name
        return drawn

    def hits(self, plan: Plan, custom_id: str) -> bool:
        """Whether a planned wrong answer is the one of this request."""
        stage = answers.WRONG_ANSWERS[plan.fault.name].stage
        number = int(answers.hash_of(self.seed, plan.fault.name, custom_id)[:12], 16)
        return bool(
            plan.has_times_left()
            and (plan.every_attempt or attempt_of(custom_id) == 1)
            and stage in (None, custom_id.partition("-")[0])
            and plan.when(custom_id)
            and number / 16**12 < plan.chance
        )


def refusal_of(fault: Fault) -> RefusedError | None:
    """The answer that a fault puts in place of the right one, if it does."""
    if fault.name in RATE_LIMITS:
        return rate_limit(fault)
    return (REFUSALS | OUTAGES).get(fault.name)


def rate_limit(fault: Fault) -> RefusedError:
    """A 429, with its own way of saying how long to wait."""
    if fault.name == "spend limit":
        message = "You have reached your API usage threshold for this month."
        return RefusedError(429, message, "enforced_spend_limit_reached")
    if fault.name == "full queue":
        return RefusedError(429, "Too many batch requests are queued for processing.")
    seconds = 1.0 if fault.seconds is None else fault.seconds
    headers = {
        "rate limit in seconds": {"retry-after": f"{seconds:g}"},
        # A second more, as a date has no fractions and must not lie in the past.
        "rate limit until a date": {
            "retry-after": formatdate(time.time() + seconds + 1, usegmt=True)
        },
        "rate limit in milliseconds": {"retry-after-ms": f"{seconds * 1000:g}"},
        "absurd rate limit": {"retry-after": "999999999"},
        "negative rate limit": {"retry-after": "-5"},
    }[fault.name]
    return RefusedError(429, "This request would exceed your rate limit.", headers=headers)


def damaged(fault: Fault, lines: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The lines of a download with the one in the middle damaged."""
    for number, line in enumerate(lines):
        if number != count // 2 or fault.name not in DAMAGED_DOWNLOADS:
            yield line
            continue
        yield from damaged_line(fault, line)
        if fault.name == "reset in the body":
            raise ResetError
        if fault.name.startswith("cut"):
            return


def damaged_line(fault: Fault, line: bytes) -> list[bytes]:
    """What stands in place of a damaged line."""
    half = line[: len(line) // 2]
    foreign = re.sub(rb'"custom_id":"[^"]*"', f'"custom_id":"{FOREIGN_ID}"'.encode(), line, count=1)
    unknown = re.sub(rb'"result":.*', b'"result":{"type":"postponed"}}', line)
    return {
        "reset in the body": [half],
        "cut in a line": [half],
        "cut between lines": [],
        "missing line": [],
        "double line": [line, line],
        "foreign line instead": [foreign],
        "foreign line besides": [line, foreign],
        "unknown result type": [unknown],
        "malformed line": [half + b"\n"],
    }[fault.name]
