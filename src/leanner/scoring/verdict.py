"""Whether a loss in F1 keeps within its bound: a non-inferiority test."""

from __future__ import annotations

import math

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal


if TYPE_CHECKING:
    from leanner.scoring.bootstrap import F1Loss


#: The verdicts that a loss can lead to; a record knows more.
LossVerdict = Literal["pass", "fail", "inconclusive", "recorded"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and what led to it.

    Attributes:
        verdict: As the record spells it.
        reasons: Sentences for the reader of the record.
        mentions_needed: Gold spans at which an interval that shrinks as estimated would
            settle it; ``None`` where it is settled, or no number would.
    """

    verdict: LossVerdict
    reasons: tuple[str, ...]
    mentions_needed: int | None = None


def decide(loss: F1Loss, bound: float | None) -> Decision:
    """Hold a loss against its bound.

    ``pass`` if the whole interval is at or below the bound, ``fail`` if it is above,
    else ``inconclusive``: the interval, not the point, is what the articles support
    (Piaggio et al. 2012, Reporting of Noninferiority and Equivalence Randomized
    Trials, JAMA 308(24), figure 1).

    Args:
        loss: Percentage points of micro F1, positive is worse.
        bound: The largest loss that is promised, in percentage points; ``None`` where
            none is.

    Raises:
        ValueError: ``bound`` is not a finite number.
    """
    if bound is None:
        return Decision("recorded", ("no bound is promised",))
    if not math.isfinite(bound):
        raise ValueError(f"expected a finite bound in percentage points, found {bound}")
    if loss.points is None or loss.low is None or loss.high is None:
        return Decision("inconclusive", (f"the F1 loss has no interval: {loss.reason or 'no reason given'}",))
    interval = f"F1 loss {loss.points:.2f} points, {loss.confidence:.0%} interval {loss.low:.2f} to {loss.high:.2f}"
    if loss.high <= bound:
        return Decision("pass", (f"{interval}: not above the bound of {bound:g}",))
    if loss.low > bound:
        return Decision("fail", (f"{interval}: above the bound of {bound:g}",))
    needed = _mentions_needed(loss.points, loss.low, loss.high, bound, loss.mentions)
    if needed is None:
        outlook = "the loss is on the bound: no number of mentions would settle it"
    else:
        outlook = f"about {_two_digits(needed):,} mentions would settle it, found {loss.mentions:,}"
    reasons = (f"{interval}: on both sides of the bound of {bound:g}", outlook)
    return Decision("inconclusive", reasons, needed)


def _mentions_needed(points: float, low: float, high: float, bound: float, mentions: int) -> int | None:
    """Estimate the mentions at which the interval leaves the bound, at the same loss.

    The distance from the loss to either end shrinks with the square root of the
    number of mentions.
    """
    if math.isclose(points, bound, rel_tol=0, abs_tol=1e-9):
        return None
    reach = high - points if points < bound else points - low
    growth = math.pow(reach / (bound - points), 2)
    return max(mentions + 1, math.ceil(mentions * growth))


def _two_digits(number: int) -> int:
    """Round up to two significant digits: the estimate is no better than that."""
    unit = int(10 ** max(0, len(str(number)) - 2))
    return -(-number // unit) * unit
