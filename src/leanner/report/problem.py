"""A disagreement: where it is, and what is wrong there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not hold.

    Attributes:
        place: Where: a node id and the path in its record, or a path in a report; empty if the text says it.
        text: What was expected, what was found, and what to do.
    """

    place: str
    text: str

    def under(self, place: str) -> Problem:
        """Return it with ``place`` in front of its own."""
        return Problem(f"{place}: {self.place}" if self.place else place, self.text)

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text
