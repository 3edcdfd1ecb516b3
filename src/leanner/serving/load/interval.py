"""A number with its interval, and intervals of quantiles, whatever the distribution.

By order statistics (David and Nagaraja 2003, Order Statistics, section 7.1), and for requests that wait for each other:
those of one batch have nearly one latency, and say little more than one of them would.
"""

from __future__ import annotations

import bisect
import dataclasses
import math

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Final

import numpy as np

from scipy.special import bdtr
from scipy.special import ndtri
from scipy.special import stdtrit


#: Nominal coverage of intervals.
CONFIDENCE: Final = 0.95
_TAIL: Final = (1.0 - CONFIDENCE) / 2.0

#: Groups of neighbours that are compared, to see how much they have in common.
GROUPS: Final = 20
#: Requests in a group, at least: fewer neighbours would show nothing.
LEAST_IN_A_GROUP: Final = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval.

    Attributes:
        value: ``None`` if it is unknown.
        low: Lower end; ``None`` if that is unknown.
        high: Upper end; ``None`` if that is unknown.
        reason: Why something is unknown; ``None`` if nothing is.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can say it: what has no end is unknown there, as ``reason`` says."""
        members = dataclasses.asdict(self)
        return {
            name: None if isinstance(member, float) and math.isinf(member) else member
            for name, member in members.items()
        }


def lower_rank(number: int, share: float) -> int:
    """Return the largest rank r, from 1, with P(X(r) > the quantile) ≤ 2.5 %, of ``number`` independent draws.

    X(r) lies above the quantile of ``share`` where fewer than r draws lie below: B < r, B binomial.

    Returns:
        0 if even the smallest draw lies above it more often.
    """

    def above(rank: int) -> float:
        return float(bdtr(rank - 1, number, share)) if rank else 0.0

    return bisect.bisect_right(range(number + 1), _TAIL, key=above) - 1


def upper_rank(number: int, share: float) -> int:
    """Return the smallest rank r with P(X(r) < the quantile) ≤ 2.5 %, of ``number`` independent draws.

    Returns:
        ``number + 1`` if even the largest draw lies below it more often.
    """
    return number + 1 - lower_rank(number, 1.0 - share)


def quantile(values: Sequence[float], share: float, *, independent: bool = False) -> Estimate:
    """Return the quantile (nearest rank, so that it is a value that occurred) and two values that hold the true one.

    The interval is that of as many independent values as ``effective_number`` finds these to be worth.

    Args:
        values: In the order in which the requests were due; infinite for one that failed.
        share: Of values at or below, between 0 and 1.
        independent: Take them for independent of each other instead: too narrow an interval for requests that are not.
    """
    number = len(values)
    if not number:
        return Estimate(None, None, None, "no request was answered")
    ordered = np.sort(np.asarray(values, dtype=float))
    # 0.999 of 1,000 is 999 and no rounding error above.
    value = float(ordered[max(math.ceil(round(share * number, 6)), 1) - 1])
    if number < GROUPS * LEAST_IN_A_GROUP:
        return Estimate(value, None, None, f"{number} requests; an interval takes {GROUPS * LEAST_IN_A_GROUP}")
    worth = number if independent else effective_number([found > value for found in values])
    low, high = lower_rank(worth, share), upper_rank(worth, share)
    reasons = []
    if low == 0:
        reasons.append(f"{number} requests, worth {worth} independent ones, are too few for a lower end")
    if high > worth:
        reasons.append(f"{number} requests, worth {worth} independent ones, are too few for an upper end")
    if math.isinf(value):
        reasons.append(f"more than {1.0 - share:.4g} of the requests failed")
    return Estimate(
        value,
        float(ordered[max(low * number // worth, 1) - 1]) if low else None,
        float(ordered[-(-high * number // worth) - 1]) if high <= worth else None,
        "; ".join(reasons) or None,
    )


def effective_number(hits: Sequence[bool]) -> int:
    """Return how many independent draws tell as much of the share of hits as these do: at most as many.

    The variance of the hits in groups of neighbours, over what it would be of independent ones, is the design effect
    (Kish 1965, Survey Sampling, section 8.2), by which the number is divided. For the error of a variance of so few
    groups it is also multiplied with the square of a normal over a t quantile (Korn and Graubard 1998, Confidence
    Intervals for Proportions With Small Expected Number of Positive Counts). What groups have in common with the next
    ones is not seen.

    Args:
        hits: In order, ``GROUPS`` or more.
    """
    number = len(hits)
    groups = np.array_split(np.asarray(hits, dtype=float), GROUPS)
    share = float(np.mean(hits))
    expected = share * (1.0 - share) * number / GROUPS
    if expected == 0.0:
        return number
    sums = np.array([group.sum() - share * len(group) for group in groups])
    effect = max(1.0, float(sums.var(ddof=1)) / expected)
    correction = float(ndtri(_TAIL) / stdtrit(GROUPS - 1, _TAIL)) ** 2
    return max(1, int(number * correction / effect))


def rate(moments_s: Sequence[float], began_s: float, ended_s: float) -> Estimate:
    """Return how often something happened a second, with the t interval of its rate in 20 windows of equal length.

    Batch means (Law 2015, Simulation Modeling and Analysis, section 9.5.3), since neighbours in time may depend on each
    other.

    Args:
        moments_s: When it happened.
        began_s: Beginning of the time that counts.
        ended_s: Its end.
    """
    if not ended_s > began_s:
        return Estimate(None, None, None, "no time passed")
    number, seconds = len(moments_s), ended_s - began_s
    value = number / seconds
    if number < GROUPS * LEAST_IN_A_GROUP:
        return Estimate(value, None, None, f"{number} answers; an interval takes {GROUPS * LEAST_IN_A_GROUP}")
    counts, _ = np.histogram(moments_s, bins=GROUPS, range=(began_s, ended_s))
    half = float(stdtrit(GROUPS - 1, 1.0 - _TAIL) * counts.std(ddof=1) / math.sqrt(GROUPS)) * GROUPS / seconds
    return Estimate(value, max(0.0, value - half), value + half)
