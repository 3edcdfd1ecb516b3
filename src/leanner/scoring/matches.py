"""True positives, false positives and false negatives, and the three ratios made of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Matches:
    """Counts of spans. A ratio whose denominator is 0 is ``None``: unknown, not 0."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    @property
    def precision(self) -> float | None:
        """Share of the predicted spans that are right; ``None`` where nothing is predicted."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Share of the gold spans that are found; ``None`` where there is no gold."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; ``None`` where there is neither gold nor prediction."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    def __add__(self, other: Matches) -> Matches:
        return Matches(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
