"""What joules lack because a reading shows what was drawn before it, and how far that may be off."""

from __future__ import annotations

import math

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.arithmetic import integrate
from leanner.meters.clock import NS_PER_S
from leanner.meters.clock import seconds
from leanner.meters.sensors import POWER_REFRESH_S


if TYPE_CHECKING:
    from leanner.meters.trace import Trace

#: How far the seconds that a field averages over may be from the documented "1 sec", as a share of them: as much as a
#: refresh of 100 ms is of it.
_TOLERANCE: Final = 0.1

#: A reading of instant power, up to a refresh old and a mean over no more than another, shows nothing older than this.
STALE_NS: Final = round(2.0 * POWER_REFRESH_S * NS_PER_S)


@dataclass(frozen=True, slots=True)
class Lag:
    """What the lag of power samples does to their integral over a window.

    Attributes:
        lacking_j: What the integral lacks; negative if it has too much.
        bound_j: How far that may be off.
        readings_s: Seconds for which single readings stand in it: their noise times this is in it.
    """

    lacking_j: float
    bound_j: float
    readings_s: float = 0.0


def change_w(points: Sequence[tuple[int, float]], trace: Trace, averaged_s: float) -> float:
    """Return by how many watts power before the begin and at the end of a window may differ.

    An average over L seconds shows at the edges what was drawn up to L ago. Its slope tells what that was:
    P(t − L) = P(t) − L·M'(t) for the mean M. Instant power shows it up to ``STALE_NS`` behind the begin. An edge that
    was not read may have had any power that the samples allow.

    Args:
        points: Power samples, milliwatts.
        trace: The window.
        averaged_s: What a sample averages over; 0 for instant power.

    Returns:
        0 without samples.
    """
    if not points:
        return 0.0
    if _edge_is_missing(points, trace):
        return max(value for _, value in points) / 1000.0
    if averaged_s == 0.0:
        # The first one may show what was before a pause, and the next one the pause.
        before = [value for t, value in points if t < trace.start_ns + STALE_NS]
        return max(abs(points[-1][1] - value) for value in before) / 1000.0
    forgotten = _forgotten(points, trace, averaged_s)
    memory_ns = _memory_ns(averaged_s)
    begin_w_per_s = steepest_w_per_s(points, trace.start_ns, trace.start_ns + memory_ns)
    end_w_per_s = steepest_w_per_s(points, trace.end_ns - memory_ns, trace.end_ns)
    return abs(points[-1][1] - points[forgotten][1]) / 1000.0 + averaged_s * (begin_w_per_s + end_w_per_s)


def lag_of(
    points: Sequence[tuple[int, float]], trace: Trace, averaged_s: float, *, documented: bool = True
) -> Lag | None:
    """Return what the lag of power samples does to their integral over a window.

    A sample M that averages over L seconds and is refreshed every u has forgotten after T = L + u what was drawn before
    a window: M(T)·T is what was drawn until then, and M(end)·T what was drawn in the last T. What the samples up to T
    have less than that is of the power before; at the end likewise. Between T behind the begin and T before the end
    the integral lacks T/2 times the change of the samples, the lag of a moving average. Where these two
    overlap, power may differ from its mean by L times the steepest slope of the samples, up or down.

    The bound is what 10 % more or less of L would do, or no average at all where it is not documented.

    Args:
        points: Power samples, milliwatts.
        trace: The window.
        averaged_s: What a sample averages over; 0 for instant power, whose lag is known in size and not in sign.
        documented: Whether it is known that a sample averages over so much.

    Returns:
        ``None`` if no sample of the window has forgotten what was before it, or none tells of its end.
    """
    if averaged_s == 0.0:
        return Lag(0.0, 0.5 * POWER_REFRESH_S * change_w(points, trace, averaged_s))
    memory_ns = _memory_ns(averaged_s)
    if not points or trace.end_ns - trace.start_ns < memory_ns or points[-1][0] < trace.end_ns - memory_ns:
        return None
    memory_s = seconds(memory_ns)
    share = _TOLERANCE if documented else 1.0
    forgotten = _forgotten(points, trace, averaged_s)
    forgotten_ns = min(points[forgotten][0], trace.end_ns)
    begin_mj = _apart_mj(points, trace.start_ns, forgotten_ns, points[forgotten][1])
    left_ns = trace.end_ns - forgotten_ns
    last = points[-1][1]
    if left_ns < memory_ns:
        between_mj = 0.5 * memory_s * (last - points[forgotten][1])
        slope_w_per_s = steepest_w_per_s(points, forgotten_ns, trace.end_ns)
        end_j = abs(between_mj) / 1000.0 + seconds(left_ns) * memory_s * slope_w_per_s
        return Lag(begin_mj / 1000.0, share * abs(begin_mj) / 1000.0 + end_j, memory_s)
    before_end = bisect_left(points, (trace.end_ns - memory_ns,))
    end_mj = _apart_mj(points, trace.end_ns - memory_ns, trace.end_ns, last)
    end_mj += 0.5 * memory_s * (points[before_end][1] - points[forgotten][1])
    return Lag(
        (begin_mj + end_mj) / 1000.0,
        share * (abs(begin_mj) + abs(end_mj)) / 1000.0,
        # The last reading stands for T; the one at T, and the one at T before the end, for half of it.
        memory_s * math.sqrt(1.5),
    )


def _edge_is_missing(points: Sequence[tuple[int, float]], trace: Trace) -> bool:
    return points[0][0] > trace.start_ns or points[-1][0] < trace.end_ns


def _memory_ns(averaged_s: float) -> int:
    return round((averaged_s + POWER_REFRESH_S) * NS_PER_S)


def _forgotten(points: Sequence[tuple[int, float]], trace: Trace, averaged_s: float) -> int:
    """Return which sample is the first one that shows nothing from before the window; the last one if none is."""
    return min(bisect_left(points, (trace.start_ns + _memory_ns(averaged_s),)), len(points) - 1)


def _apart_mj(points: Sequence[tuple[int, float]], start_ns: int, end_ns: int, level: float) -> float:
    """Return the integral of how far power samples lie below ``level``."""
    return level * seconds(end_ns - start_ns) - integrate(points, start_ns, end_ns)


def steepest_w_per_s(points: Sequence[tuple[int, float]], start_ns: int, end_ns: int) -> float:
    """Return the largest slope between samples about a refresh apart: closer ones may show none or a whole one.

    Args:
        points: Power samples, milliwatts.
        start_ns: From the sample before this.
        end_ns: To the sample behind this.
    """
    near = points[max(0, bisect_left(points, (start_ns,)) - 1) : bisect_left(points, (end_ns,)) + 1]
    steepest, later = 0.0, 0
    for first, (t_a, a) in enumerate(near[:-1]):
        later = max(later, first + 1)
        due_ns = t_a + round(POWER_REFRESH_S * NS_PER_S)
        while later + 1 < len(near) and abs(near[later + 1][0] - due_ns) <= abs(near[later][0] - due_ns):
            later += 1
        t_b, b = near[later]
        steepest = max(steepest, abs(b - a) / 1000.0 / max(seconds(t_b - t_a), POWER_REFRESH_S))
    return steepest
