"""A gauge by bins of time: means that keep its integral, and its extremes."""

from __future__ import annotations

import math

from bisect import bisect_left
from bisect import bisect_right
from collections.abc import Iterator
from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from itertools import pairwise
from operator import or_
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from leanner.meters.trace import Series


def flags(points: Series, bins: Sequence[int]) -> Iterator[tuple[int, float]]:
    """Yield the OR of the values of each bin that has some, at its begin."""
    for begin, inside in zip(bins, _series_by_bin(points, bins), strict=False):
        if inside:
            yield begin, reduce(or_, (int(value) for _, value in inside))


def means(points: Series, bins: Sequence[int]) -> Iterator[tuple[int, float]]:
    """Yield points with the same integral by trapezoid; nothing is put where a bin has no point.

    Extremes are spikes of a nanosecond, which weigh nothing.
    """
    until = _Integral(points).until
    cells = _series_by_bin(points, bins)
    # A bin ends where it ends if there are values on both sides, else at its own last one.
    before = [points[0][0] <= bins[0], *(bool(inside) for inside in cells[:-1])]
    behind = [*(bool(inside) for inside in cells[1:]), points[-1][0] >= bins[-1]]
    for number, inside in enumerate(cells):
        if not inside:
            continue
        begin = bins[number] if before[number] else inside[0][0]
        end = bins[number + 1] if behind[number] else inside[-1][0]
        if end - begin < 8:
            yield from inside
            continue
        exact = (until(end) - until(begin)) / (end - begin)
        highest, lowest = max(value for _, value in inside), min(value for _, value in inside)
        # A gauge that stands still is not rounded. One that stands still within the bin alone may have another mean.
        mean = highest if lowest == highest and math.isclose(exact, highest) else float(f"{exact:.7g}")
        spikes = [] if before[number] else [inside[0][1]]
        spikes += [value for value in dict.fromkeys((highest, lowest)) if value != mean]
        yield from ((begin + place, value) for place, value in enumerate([*spikes, mean]))
        yield end - 1, mean
        if not behind[number]:
            yield inside[-1]


def means_between(points: Series, bins: Sequence[int], edge_ns: int) -> Iterator[tuple[int, float]]:
    """Yield as ``means`` does, but points near the first bin's begin and the last bin's end as they are.

    Args:
        points: Time in nanoseconds and value, in the order of time.
        bins: Their boundaries.
        edge_ns: How far from these two; the first point farther away stays as well.
    """
    inside = [(t, value) for t, value in points if bins[0] <= t <= bins[-1]]
    first = next((t for t, _ in inside if t >= bins[0] + edge_ns), bins[-1])
    last = next((t for t, _ in reversed(inside) if t < bins[-1] - edge_ns), bins[0])
    if last - first < 8:
        yield from inside
        return
    yield from (point for point in inside if point[0] <= first)
    yield from means(points, [first + 1, *(boundary for boundary in bins if first + 1 < boundary < last), last])
    yield from (point for point in inside if point[0] >= last)


class _Integral:
    """The integral of a series by trapezoid, as in ``integrate``, for many windows at once."""

    def __init__(self, points: Series) -> None:
        self._times = [t for t, _ in points]
        self._values = [value for _, value in points]
        areas = (0.5 * (a + b) * (t_b - t_a) for (t_a, a), (t_b, b) in pairwise(points))
        self._sums = list(accumulate(areas, initial=0.0))

    def until(self, t: int) -> float:
        """Return the area up to ``t``, in value times nanoseconds; flat beyond the first and the last point."""
        index = bisect_right(self._times, t) - 1
        if index < 0:
            return (t - self._times[0]) * self._values[0]
        past = t - self._times[index]
        value = self._values[index]
        if index + 1 == len(self._times):
            return self._sums[index] + past * value
        slope = (self._values[index + 1] - value) / (self._times[index + 1] - self._times[index])
        return self._sums[index] + past * (value + 0.5 * slope * past)


def _series_by_bin(points: Series, bins: Sequence[int]) -> list[Series]:
    cuts = [bisect_left(points, boundary, key=lambda point: point[0]) for boundary in bins[:-1]]
    cuts.append(bisect_right(points, bins[-1], key=lambda point: point[0]))
    return [points[a:b] for a, b in pairwise(cuts)]
