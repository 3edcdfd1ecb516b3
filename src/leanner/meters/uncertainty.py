"""How far a joule may be off: what all windows of a sensor share, and what differs from window to window.

An absolute claim takes both parts, as ``interval`` does. Two runs on one device share its gain, so a comparison
takes ``random_half_width_j`` alone.
"""

from __future__ import annotations

import math

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


#: Level at which the two parts are put together: the one at which the truth lies inside in 95 to 99.5 % of cases both
#: where the gain is uniform within its bound (98.0 % without a random part) and where it is normal with two standard
#: deviations at its bound (95.6 %), and also where the random part is stated twice too wide (99.4 % at a tenth of the
#: bound). Simulated, tests/meters/test_uncertainty.py: at 98 % the last is 99.9 %, at 95 % the normal gain is 95.3 %.
LEVEL: Final = 0.96

#: Half-width of the central 95 % of a normal distribution, in standard deviations.
NORMAL_95: Final = 1.959963984540054

_BISECTIONS: Final = 60


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Of the joules of one domain in one window.

    Attributes:
        systematic_j: Bound (half-width of a uniform distribution) of what every window of this
            sensor has in common: gain, and the lag of an averaged reading.
        random_j: Standard deviation of the rest: sampling, integration, gaps.

    Raises:
        ValueError: A part is negative or not a number.
    """

    systematic_j: float
    random_j: float

    def __post_init__(self) -> None:
        if not (self.systematic_j >= 0.0 and self.random_j >= 0.0):
            raise ValueError(f"expected parts of an uncertainty of 0 J or more, found {self}")


@dataclass(frozen=True, slots=True)
class Interval:
    """Joules with what bounds them.

    Attributes:
        j: Joules.
        low_j: Lower end, both parts included.
        high_j: Upper end.
        systematic_j: Bound of the systematic part: it cancels between two runs on one device.
        random_j: Half-width of the random part with 95 %.
    """

    j: float
    low_j: float
    high_j: float
    systematic_j: float
    random_j: float

    @property
    def systematic_pct(self) -> float | None:
        """``systematic_j`` in percent of ``j``; ``None`` unless ``j`` is above 0."""
        return 100.0 * self.systematic_j / self.j if self.j > 0.0 else None

    @property
    def random_pct(self) -> float | None:
        """``random_j`` in percent of ``j``; ``None`` unless ``j`` is above 0."""
        return 100.0 * self.random_j / self.j if self.j > 0.0 else None


def over_windows(parts: Sequence[Uncertainty]) -> Uncertainty:
    """Return the uncertainty of the sum of several windows of one sensor.

    What they share adds up, the rest adds in quadrature (JCGM 100:2008, 5.2.2 and 5.1.2).
    """
    return Uncertainty(sum(part.systematic_j for part in parts), math.hypot(*(part.random_j for part in parts)))


def interval(j: float, sensors: Sequence[Uncertainty]) -> Interval:
    """Return the interval of an absolute claim.

    Args:
        j: Joules: the sum over the sensors.
        sensors: One for each sensor, all of its windows included (``over_windows``).
    """
    half_j = half_width_j(sensors)
    return Interval(
        j=j,
        low_j=j - half_j,
        high_j=j + half_j,
        systematic_j=sum(sensor.systematic_j for sensor in sensors),
        random_j=random_half_width_j(sensors),
    )


def random_half_width_j(sensors: Sequence[Uncertainty]) -> float:
    """Return the half-width, 95 %, of the random part alone: for comparisons on one device."""
    return NORMAL_95 * math.hypot(*(sensor.random_j for sensor in sensors))


def half_width_j(sensors: Sequence[Uncertainty], level: float = LEVEL) -> float:
    """Return the half-width of the sum of independent sensors, both parts included.

    The quantile of a uniform distribution plus a normal one (propagation of distributions, JCGM 101:2008, 5.2; the
    convolution has a closed form). The widest systematic part is the uniform one; those of the other sensors enter
    the normal one with their variance, bound²/3 (JCGM 100:2008, 4.3.7), which errs to the wide side by little.

    Args:
        sensors: One for each sensor.
        level: Probability that the sum of the errors lies inside.
    """
    bound, *others = sorted((sensor.systematic_j for sensor in sensors), reverse=True) or [0.0]
    sd = math.hypot(*(sensor.random_j for sensor in sensors), *(other / math.sqrt(3.0) for other in others))
    low, high = 0.0, bound + 10.0 * sd
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if _inside(middle, bound, sd) < level:
            low = middle
        else:
            high = middle
    return high


def _inside(half: float, bound: float, sd: float) -> float:
    """Return P(-half ≤ U + N ≤ half) for U uniform on ±bound and N normal with standard deviation sd."""
    if sd <= 1e-9 * bound:
        return min(1.0, half / bound) if bound > 0.0 else 1.0
    if bound <= 1e-9 * sd:
        return math.erf(half / (sd * math.sqrt(2.0)))
    return sd / bound * (_integral_of_phi((half + bound) / sd) - _integral_of_phi((half - bound) / sd)) - 1.0


def _integral_of_phi(z: float) -> float:
    """Return the integral of the normal distribution function up to ``z``: zΦ(z) + φ(z)."""
    return 0.5 * z * math.erfc(-z / math.sqrt(2.0)) + math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
