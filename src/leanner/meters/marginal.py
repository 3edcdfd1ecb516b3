"""Joules of a sentence more, and of a run without any: a line through the energy of corpus prefixes."""

from __future__ import annotations

import math

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from leanner.meters.student import t_quantile


#: Coverage of the intervals.
LEVEL: Final = 0.95

_LEAST_POINTS: Final = 4
_LEAST_SIZES: Final = 3


@dataclass(frozen=True, slots=True)
class Prefix:
    """One measured prefix of the corpus.

    Attributes:
        sentences: How many it has.
        j: Joules of a run over it.
        random_j: Standard deviation of their random part; ``None`` if unknown.
    """

    sentences: int
    j: float
    random_j: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Energy as ``fixed_j + sentence_j · sentences``; ``low`` and ``high`` bound with 95 %, random part alone.

    The gain of the sensor scales both; it is not in their intervals (``uncertainty``).
    """

    sentence_j: float
    sentence_low_j: float
    sentence_high_j: float
    fixed_j: float
    fixed_low_j: float
    fixed_high_j: float
    points: tuple[tuple[int, float], ...]


def fit(prefixes: Sequence[Prefix]) -> tuple[Line | None, str | None]:
    """Fit a line by least squares, or return ``None`` and why.

    Weighted by 1/``random_j``² where every point has one above 0, else all alike; the scale of the scatter is
    estimated from the residuals in both cases, with t intervals (Draper and Smith, Applied Regression Analysis, 3rd
    ed., 1.4 and 9.2).

    Args:
        prefixes: At least four, of at least three different sizes: two sizes fit any line.
    """
    sizes = {prefix.sentences for prefix in prefixes}
    if len(prefixes) < _LEAST_POINTS or len(sizes) < _LEAST_SIZES:
        return None, (
            f"expected at least {_LEAST_POINTS} runs over prefixes of at least {_LEAST_SIZES} different sizes, "
            f"found {len(prefixes)} of {len(sizes)}"
        )
    weights = [1.0 / p.random_j**2 if p.random_j else 0.0 for p in prefixes]
    if 0.0 in weights:
        weights = [1.0] * len(prefixes)
    total = math.fsum(weights)
    mean_x = math.fsum(w * p.sentences for w, p in zip(weights, prefixes, strict=True)) / total
    mean_y = math.fsum(w * p.j for w, p in zip(weights, prefixes, strict=True)) / total
    spread = math.fsum(w * (p.sentences - mean_x) ** 2 for w, p in zip(weights, prefixes, strict=True))
    slope = math.fsum(w * (p.sentences - mean_x) * (p.j - mean_y) for w, p in zip(weights, prefixes, strict=True))
    slope /= spread
    fixed = mean_y - slope * mean_x
    freedom = len(prefixes) - 2
    residual = math.fsum(w * (p.j - fixed - slope * p.sentences) ** 2 for w, p in zip(weights, prefixes, strict=True))
    scale = t_quantile(LEVEL, freedom) * math.sqrt(residual / freedom)
    slope_half = scale / math.sqrt(spread)
    fixed_half = scale * math.sqrt(1.0 / total + mean_x**2 / spread)
    return Line(
        sentence_j=slope,
        sentence_low_j=slope - slope_half,
        sentence_high_j=slope + slope_half,
        fixed_j=fixed,
        fixed_low_j=fixed - fixed_half,
        fixed_high_j=fixed + fixed_half,
        points=tuple((prefix.sentences, prefix.j) for prefix in prefixes),
    ), None
