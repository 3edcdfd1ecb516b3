"""From the evidence for a change to what is said of it."""

from __future__ import annotations

import math

from enum import StrEnum
from statistics import NormalDist
from typing import TYPE_CHECKING
from typing import Final

from leanner.compare.evidence import ALPHA
from leanner.compare.evidence import Basis


if TYPE_CHECKING:
    from leanner.compare.evidence import Evidence
    from leanner.compare.thresholds import Threshold


#: Beyond so many times what there was, a number is no advice.
_MOST: Final = 100


class Outcome(StrEnum):
    """What came of a metric, or of a case."""

    WORSE = "worse"
    REMOVED = "removed"
    BETTER = "better"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
    NEW = "new"
    NOT_GATED = "not gated"

    @property
    def fails(self) -> bool:
        """Whether it turns the light red."""
        return self in (Outcome.WORSE, Outcome.REMOVED)


def decide(evidence: Evidence, adjusted: float | None, threshold: Threshold | None) -> Outcome:
    """Return what is said of a change.

    ``worse`` or ``better`` if the estimate lies beyond the threshold and the adjusted p is below its α; ``same`` if
    the whole interval lies within the threshold on both sides.

    Args:
        evidence: For the change.
        adjusted: Its p, adjusted for all that are gated; ``None`` without one.
        threshold: ``None`` where the metric is not gated.
    """
    if threshold is None:
        return Outcome.NOT_GATED
    limit = threshold.limit(evidence.before)
    if adjusted is not None and adjusted < evidence.alpha:
        if evidence.worse_by > limit:
            return Outcome.WORSE
        if -evidence.worse_by > limit:
            return Outcome.BETTER
    if evidence.low is not None and evidence.high is not None and -limit <= evidence.low <= evidence.high <= limit:
        return Outcome.SAME
    return Outcome.INCONCLUSIVE


def outlook(evidence: Evidence, threshold: Threshold, tests: int) -> str:
    """Return what would settle an inconclusive change, at the same estimate.

    An interval shrinks with the square root of what there is of it. A change within the threshold is settled when its
    interval is too; one beyond it when p is small enough for one of ``tests``.

    Args:
        evidence: For the change.
        threshold: Of its gate.
        tests: Number of gated tests.
    """
    if evidence.p is None or evidence.low is None or evidence.high is None:
        return evidence.reason or "its error is unknown"
    limit = threshold.limit(evidence.before)
    size = abs(evidence.worse_by)
    if size > limit:
        reach, room = (evidence.high - evidence.low) / 2.0, size
        normal = NormalDist()
        reach *= normal.inv_cdf(1.0 - evidence.alpha / 2.0 / max(tests, 1)) / normal.inv_cdf(1.0 - ALPHA / 2.0)
    else:
        end = evidence.high if evidence.worse_by >= 0.0 else -evidence.low
        reach, room = end - size, limit - size
    growth = math.inf if room <= 0.0 else (reach / room) ** 2
    if growth > _MOST:
        return f"the change lies at the threshold: no practical number of {evidence.units} would settle it"
    needed = math.ceil(max(growth, 1.0) * evidence.number + (growth <= 1.0))
    each = "" if evidence.basis is Basis.ARTICLES else " of each run"
    return f"about {needed:,} {evidence.units}{each} would settle it"
