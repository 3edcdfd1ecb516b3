"""Quantiles of Student's t, for the few degrees of freedom of a fit."""

from __future__ import annotations

import math

from typing import Final


_BISECTIONS: Final = 200


def t_quantile(level: float, freedom: int) -> float:
    """Return t such that the central ``level`` of Student's distribution lies within ±t.

    Args:
        level: Between 0 and 1.
        freedom: Degrees of freedom, at least 1.

    Raises:
        ValueError: One of them is out of range.
    """
    if not 0.0 < level < 1.0 or freedom < 1:
        raise ValueError(f"expected a level between 0 and 1 and 1 degree of freedom or more, found {level}, {freedom}")
    # In the angle atan(t/√freedom) the distribution function is a finite sum, and its domain is bounded.
    low, high = 0.0, 0.5 * math.pi
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if _central(middle, freedom) < level:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(low)


def _central(angle: float, freedom: int) -> float:
    """Return P(−t ≤ T ≤ t) at the angle atan(t/√freedom) (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    if freedom == 1:
        return 2.0 * angle / math.pi
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return 2.0 / math.pi * (angle + sine * total) if odd else sine * total
