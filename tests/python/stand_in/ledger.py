"""Record of what the stand-in received and did, for assertions."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass, field, replace

ATTEMPT = re.compile(r"(.+)-(\d+)")


def request_of(custom_id: str) -> str:
    """A custom id without its attempt: the same for every attempt at a request."""
    found = ATTEMPT.fullmatch(custom_id)
    return found[1] if found else custom_id


def attempt_of(custom_id: str) -> int:
    """The attempt that a custom id ends with; 1 if it ends with none."""
    found = ATTEMPT.fullmatch(custom_id)
    return int(found[2]) if found else 1


@dataclass(frozen=True)
class Post:
    """One POST. ``status`` is None if it got no answer; ``outcome`` names the fault, if any."""

    path: str
    status: int | None
    outcome: str


@dataclass(frozen=True)
class Ledger:
    """Every POST, every batch ever made with its custom ids, and every success that is billed.

    A request is billed when it succeeds in a batch that ended: ``billed`` counts by custom id,
    ``billed_requests`` by custom id without the attempt. ``crashes`` are errors of the stand-in.
    """

    posts: list[Post] = field(default_factory=list)
    batches: dict[str, tuple[str, ...]] = field(default_factory=dict)
    billed: Counter[str] = field(default_factory=Counter)
    billed_requests: Counter[str] = field(default_factory=Counter)
    cancels: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)

    def bill(self, custom_id: str) -> None:
        """Count a success."""
        self.billed[custom_id] += 1
        self.billed_requests[request_of(custom_id)] += 1

    def copy(self) -> Ledger:
        """The ledger as it is now."""
        return replace(self, **{name: value.copy() for name, value in vars(self).items()})

    def as_json(self) -> dict:
        """The ledger as GET /ledger gives it."""
        return vars(self) | {"posts": [asdict(post) for post in self.posts]}
