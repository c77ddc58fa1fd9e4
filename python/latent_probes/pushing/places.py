"""Where a push goes: a data set on the Hub, or a Space that shows the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Place:
    """A repository of the Hub: OWNER/NAME, and its kind as the Hub's client names it."""

    name: str
    kind: Literal["dataset", "space"]

    @property
    def noun(self) -> str:
        """The kind in messages."""
        return "Space" if self.kind == "space" else "data set"
