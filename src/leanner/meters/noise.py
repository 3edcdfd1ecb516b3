"""How much the readings of one window scatter, from the readings themselves."""

from __future__ import annotations

import math
import statistics

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from leanner.meters.arithmetic import GAP_INTERVALS
from leanner.meters.clock import NS_PER_S
from leanner.meters.clock import seconds
from leanner.meters.lag import STALE_NS
from leanner.meters.lag import steepest_w_per_s
from leanner.meters.sensors import NVML_UPDATE_S
from leanner.meters.sensors import POWER_REFRESH_S
from leanner.meters.student import t_quantile
from leanner.meters.uncertainty import NORMAL_95


# Samples nearer to each other are one: no source is read as fast, but a stored trace may show a step that way.
_SAME_NS: Final = 1_000

#: Fewer changes of a counter do not tell how often it is updated.
_LEAST_CHANGES: Final = 10

#: Share of reads that found a counter unchanged, from which on they were faster than it and not just out of step.
_TELLING: Final = 0.2

#: Fewer second differences do not tell how much power samples scatter.
_LEAST_DIFFERENCES: Final = 3


def update_period_s(points: Sequence[tuple[int, float]]) -> float:
    """Return the seconds between two updates of NVML's energy counter, as far as its samples tell.

    Where many reads found the counter unchanged they were faster than it, and the mean time between two changes is
    its period. Where most found it changed, that time is an upper bound, and so is ``NVML_UPDATE_S``. Few changes do
    not tell a period below that; but a counter that stood still longer, or changed more seldom, is slower.

    Args:
        points: Time in nanoseconds and counter, in the order of time.
    """
    changes = [t for (_, before), (t, after) in pairwise(points) if after != before]
    unchanged = len(points) - 1 - len(changes)
    if len(changes) < _LEAST_CHANGES:
        if unchanged <= 0:
            return NVML_UPDATE_S
        span_s = seconds(points[-1][0] - points[0][0])
        return max(NVML_UPDATE_S, _longest_still_s(points), span_s / (len(changes) + 1))
    if unchanged >= _TELLING * (len(points) - 1):
        return seconds(changes[-1] - changes[0]) / (len(changes) - 1)
    return min(NVML_UPDATE_S, statistics.median(seconds(b - a) for a, b in pairwise(changes)))


def _longest_still_s(points: Sequence[tuple[int, float]]) -> float:
    """Return the longest time from the first to the last read of one value."""
    longest_ns, (first_ns, shown) = 0, points[0]
    for t, value in points:
        if value != shown:
            first_ns, shown = t, value
        longest_ns = max(longest_ns, t - first_ns)
    return seconds(longest_ns)


def phase_sd_j(watts: float, period_s: float) -> float:
    """Return the standard deviation of a counter's rise, for not knowing how old its values are.

    At each edge the counter is behind by the energy since its last update, whose age φ is uniform on (0, period). The
    rise is off by watts·(φ1 − φ2), with the variance watts²·2·period²/12 (JCGM 100:2008, 4.3.7).
    """
    return watts * period_s / math.sqrt(6.0)


def integral_sd(
    points: Sequence[tuple[int, float]], start_ns: int, end_ns: int, interval_s: float, *, averaged_s: float = 0.0
) -> float | None:
    """Return the standard deviation of ``integrate`` over the window, in value times seconds.

    The trapezoid rule is a weighted sum of the samples, so that independent errors with variances s² add up to Σw²s².
    Each s² is estimated from the sample's distance to the line between its neighbours, the second difference (Gasser,
    Sroka and Jennen-Steinmetz 1986, Biometrika 73, 625–633, for unequal spacing). What that distance also holds, the
    curvature between samples, is what the rule errs by: steps and bursts shorter than the spacing count as noise.
    Samples that show one refresh of the sensor share its error, so that they are one sample here. Few distances do not
    know s² well: the result is widened such that ``NORMAL_95`` of it are the half-width of Student's t with 95 %.

    A pause of more than ``GAP_INTERVALS`` intervals has no samples to tell: its mean may lie anywhere within the range
    of the samples around it, a uniform distribution; that of an average only as far from a straight line as its slopes
    allow. Where the window begins before the first sample or ends behind
    the last one, work may have begun or ended meanwhile: its mean may lie anywhere from nothing to the highest sample.

    Args:
        points: Time in nanoseconds and value, in the order of time.
        start_ns: Begin of the window.
        end_ns: End of the window.
        interval_s: Seconds between samples, as asked for.
        averaged_s: What a sample averages over; 0 for instant power.

    Returns:
        ``None`` if there are too few samples to tell.
    """
    limit_s = GAP_INTERVALS * interval_s
    points = _apart(points)
    scatter = list(_scatter(points, limit_s))
    variances = [
        (0.5 * (min(after.middle_s, seconds(end_ns)) - max(before.middle_s, seconds(start_ns)))) ** 2 * variance
        for before, after, variance in scatter
    ]
    old = sum(before.first_ns < start_ns + STALE_NS for before, _, _ in scatter)
    within = _without_edges(variances, old)
    if len(within) < _LEAST_DIFFERENCES:
        return None
    # Neighbouring distances share samples: about half as many are independent.
    wider = t_quantile(0.95, max(1, len(within) // 2)) / NORMAL_95
    noise = wider**2 * sum(within) * (len(variances) + 2) / len(within)
    gaps = sum(_gap_variance(points, k, (start_ns, end_ns), limit_s, averaged_s) for k in range(len(points) - 1))
    return math.sqrt(noise + gaps + _edge_variance(points, start_ns, end_ns))


def reading_sd(points: Sequence[tuple[int, float]], interval_s: float) -> float | None:
    """Return the standard deviation of a single power sample, in its unit, from its distance to its neighbours.

    Args:
        points: Time in nanoseconds and value, in the order of time.
        interval_s: Seconds between samples, as asked for.

    Returns:
        ``None`` if there are too few samples to tell.
    """
    variances = _without_edges([variance for _, _, variance in _scatter(_apart(points), GAP_INTERVALS * interval_s)])
    return math.sqrt(statistics.fmean(variances)) if len(variances) >= _LEAST_DIFFERENCES else None


def _without_edges(variances: list[float], old: int = 1) -> list[float]:
    """Return what is left without the first ``old`` and the last, if it suffices.

    They have a reading that may show what was drawn before the window, or one at its end: a step that the lag stands
    for already.
    """
    return variances[old:-1] if len(variances) >= _LEAST_DIFFERENCES + old + 1 else variances


def _apart(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    return [*(a for a, b in pairwise(points) if b[0] - a[0] > _SAME_NS), *points[-1:]]


@dataclass(slots=True)
class _Refresh:
    """Samples that show one value for no longer than a refresh takes."""

    first_ns: int
    last_ns: int
    value: float

    @property
    def middle_s(self) -> float:
        return 0.5 * (seconds(self.first_ns) + seconds(self.last_ns))


def _scatter(points: Sequence[tuple[int, float]], limit_s: float) -> Iterator[tuple[_Refresh, _Refresh, float]]:
    """Yield the neighbours of each refresh that are no farther than ``limit_s``, and the variance that they show."""
    refreshes = _refreshes(points)
    for before, at, after in zip(refreshes, refreshes[1:], refreshes[2:], strict=False):
        if max(seconds(at.first_ns - before.last_ns), seconds(after.first_ns - at.last_ns)) > limit_s:
            continue
        before_s, after_s = at.middle_s - before.middle_s, after.middle_s - at.middle_s
        share = after_s / (before_s + after_s)
        distance = share * before.value + (1.0 - share) * after.value - at.value
        yield before, after, distance**2 / (share**2 + (1.0 - share) ** 2 + 1.0)


def _refreshes(points: Sequence[tuple[int, float]]) -> list[_Refresh]:
    found: list[_Refresh] = []
    for t, value in points:
        if found and value == found[-1].value and seconds(t - found[-1].first_ns) < POWER_REFRESH_S:
            found[-1].last_ns = t
        else:
            found.append(_Refresh(t, t, value))
    return found


def _edge_variance(points: Sequence[tuple[int, float]], start_ns: int, end_ns: int) -> float:
    """Return the variance of the integral outside of the points, where they are taken to go on as they are."""
    highest = max(value for _, value in points)
    if highest <= 0.0:
        return 0.0
    (first_ns, first), (last_ns, last) = points[0], points[-1]
    return sum(
        # The mean square of the distance from ``value``, uniform on (0, highest).
        seconds(max(0, pause_ns)) ** 2 * (value**3 + (highest - value) ** 3) / (3.0 * highest)
        for pause_ns, value in ((first_ns - start_ns, first), (end_ns - last_ns, last))
    )


def _gap_variance(
    points: Sequence[tuple[int, float]], k: int, window_ns: tuple[int, int], limit_s: float, averaged_s: float
) -> float:
    """Return the variance of the integral between points ``k`` and ``k + 1`` if they are far apart, else 0."""
    a, b = max(points[k][0], window_ns[0]), min(points[k + 1][0], window_ns[1])
    pause_ns = b - a
    if seconds(pause_ns) <= limit_s:
        return 0.0
    # Readings of before the window tell nothing of a pause within it, but for one that the pause begins at.
    since_ns = max(a - pause_ns, min(a, window_ns[0] + STALE_NS))
    around = [points[k][1], *(value for t, value in points if since_ns <= t <= b + pause_ns), points[k + 1][1]]
    off = 0.5 * (max(around) - min(around)) * seconds(pause_ns)
    if seconds(pause_ns) <= averaged_s:
        off = min(off, _bend(points, k, averaged_s))
    return off**2 / 3.0


def _bend(points: Sequence[tuple[int, float]], k: int, averaged_s: float) -> float:
    """Return how far an average's integral between points ``k`` and ``k + 1`` may be from that of a straight line.

    What changes in a pause that is no longer than the average, the average goes on showing behind it: its slope in
    the pause is that behind it less what was yet to come, both of which the samples show, unless what happens an
    average later makes up for it. So it is taken to be no more than twice the steepest, S. Between values D apart, in
    a time g, a line of slopes 2S and −2S is farthest from the straight one: by g²·S/2·(1 − (D/(2S·g))²), the area of a
    triangle.
    """
    (a, value), (b, later) = points[k], points[k + 1]
    memory_ns = round(averaged_s * NS_PER_S)
    pause_s = seconds(b - a)
    most = 2.0 * 1000.0 * steepest_w_per_s(points, a - memory_ns, b + memory_ns) * pause_s
    return 0.0 if most <= 0.0 else 0.25 * pause_s * most * (1.0 - min(1.0, abs(later - value) / most) ** 2)
