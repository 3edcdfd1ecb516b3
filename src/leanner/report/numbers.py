"""Numbers as people read them, and what stands where there is none."""

from __future__ import annotations

import math

from dataclasses import dataclass
from dataclasses import field


UNKNOWN = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: As shown.
        sort: What a column is sorted by; ``None`` comes last.
        note: Number of the footnote that says why it is unknown, or what to know of it.
        kind: Class of its look: a verdict, or nothing.
    """

    text: str
    sort: float | str | None = None
    note: int | None = None
    kind: str = ""


@dataclass(slots=True)
class Notes:
    """Footnotes, each once, numbered in the order in which they are needed."""

    texts: list[str] = field(default_factory=list)

    def number(self, text: str | None) -> int | None:
        """Return the number of a footnote; ``None`` for no text."""
        if not text:
            return None
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def three_digits(value: float | None) -> str:
    """Return the form in which a value has three significant digits, and no exponent; an interval takes its value's."""
    if value is None or value == 0:
        return ".2f"
    return f",.{max(0, 2 - math.floor(math.log10(abs(value))))}f"


def number(value: float | None, form: str) -> str:
    """Return a number, or the sign of an unknown one; a loss too small for the digits is no ``-0.00``."""
    if value is None:
        return UNKNOWN
    text = format(value, form)
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def with_interval(value: float | None, interval: tuple[float | None, float | None] | None, form: str) -> str:
    """Return ``0.77 [0.75, 0.79]``, without the brackets where there is no interval."""
    if value is None or interval is None or None in interval:
        return number(value, form)
    return f"{number(value, form)} [{number(interval[0], form)}, {number(interval[1], form)}]"
