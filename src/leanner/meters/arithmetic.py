"""From counters and power samples to joules; every doubt is an error with its reason, never a number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.clock import seconds
from leanner.meters.errors import UnmeasurableError


if TYPE_CHECKING:
    from leanner.meters.trace import Trace


#: Failed reads that are borne, as a share of all reads of a channel.
GAP_BUDGET: Final = 0.1

#: A pause longer than this many sampling intervals is a gap.
GAP_INTERVALS: Final = 2.5

# Counters move in steps (RAPL about every millisecond, NVML's every 20 to 100): a
# whole step may fall between two reads that are microseconds apart.
_STEP_S: Final = 0.1


def counter_increase(points: Sequence[tuple[int, float]], *, modulus: float | None, ceiling_per_s: float) -> float:
    """Return by how much a counter rose, wraps included.

    Each step between two successive samples is taken modulo ``modulus``, so any number
    of wraps is right as long as no two of them fall between two samples.

    Args:
        points: Time in nanoseconds and value of one counter, in the order of time.
        modulus: Where it wraps, in its own unit; ``None`` if it never does or this is unknown.
        ceiling_per_s: More than it can rise in a second: what tells a wrap from a reset.

    Raises:
        UnmeasurableError: The counter went backwards without a known range, rose faster than it
            can (it was reset), or was not read for so long that it may have wrapped unseen.
    """
    total = 0.0
    for (earlier_ns, earlier), (later_ns, later) in pairwise(points):
        pause_s = seconds(later_ns - earlier_ns)
        if modulus is None and later < earlier:
            raise UnmeasurableError(
                f"the counter went backwards, from {earlier:.0f} to {later:.0f}: reset, or reloaded"
            )
        if modulus is not None and pause_s * ceiling_per_s >= modulus:
            raise UnmeasurableError(f"no reading for {pause_s:.1f} s, in which the counter may have wrapped unseen")
        step = later - earlier if modulus is None or later >= earlier else (later - earlier) % modulus
        if step > (pause_s + _STEP_S) * ceiling_per_s:
            raise UnmeasurableError(
                f"the counter went from {earlier:.0f} to {later:.0f} in {pause_s:.3f} s, "
                "more than the hardware can draw: it was reset"
            )
        total += step
    return total


def integrate(points: Sequence[tuple[int, float]], start_ns: int, end_ns: int) -> float:
    """Return the integral over ``[start_ns, end_ns]`` by the trapezoid rule, in value times seconds.

    Values at the edges are interpolated; before the first and behind the last point they
    are taken as constant.

    Args:
        points: Time in nanoseconds and value, in the order of time; at least one.
        start_ns: Begin of the window.
        end_ns: End of the window.
    """
    inner = [(t, value) for t, value in points if start_ns < t < end_ns]
    clipped = [(start_ns, _at(points, start_ns)), *inner, (end_ns, _at(points, end_ns))]
    return sum(0.5 * (a + b) * seconds(t_b - t_a) for (t_a, a), (t_b, b) in pairwise(clipped))


def _at(points: Sequence[tuple[int, float]], t: int) -> float:
    before = next((point for point in reversed(points) if point[0] <= t), None)
    after = next((point for point in points if point[0] >= t), None)
    if before is None or after is None:
        outside = after if before is None else before
        if outside is None:
            raise UnmeasurableError("there is no sample")
        return outside[1]
    if before[0] == after[0]:
        return before[1]
    return before[1] + (after[1] - before[1]) * (t - before[0]) / (after[0] - before[0])


def require_edges(trace: Trace, source: str, channel: str) -> list[tuple[int, float]]:
    """Return the series of a counter, certain to span the window and not to begin or end farther from it than need be.

    Raises:
        UnmeasurableError: The window has no length, or it could not be read at an edge or failed more often than
            ``GAP_BUDGET``.
    """
    if trace.end_ns <= trace.start_ns:
        raise UnmeasurableError("the window has no length")
    points = trace.series(source, channel)
    gaps = trace.gaps(source, channel)
    why = f": {gaps[-1]}" if gaps else ""
    if not points or points[0][0] > trace.start_ns:
        raise UnmeasurableError(f"could not be read at the begin of the window{why}")
    if points[-1][0] < trace.end_ns:
        raise UnmeasurableError(f"could not be read at the end of the window{why}")
    require_few_gaps(len(gaps), len(gaps) + len(points), why)
    # An edge is read again where another channel failed: the read next to the window is the one that counts.
    begin = max(k for k, (t, _) in enumerate(points) if t <= trace.start_ns)
    end = min(k for k, (t, _) in enumerate(points) if t >= trace.end_ns)
    return points[begin : end + 1]


def beside_window_s(points: Sequence[tuple[int, float]], trace: Trace) -> float:
    """Return the seconds between the window's edges and the reads that stand for them, both edges together."""
    return seconds(trace.start_ns - points[0][0]) + seconds(points[-1][0] - trace.end_ns)


def require_few_gaps(failed: int, reads: int, why: str) -> None:
    """Check the gap budget; one failed read is always borne.

    Raises:
        UnmeasurableError: More reads failed than the budget bears.
    """
    if failed > max(1.0, GAP_BUDGET * reads):
        raise UnmeasurableError(f"{failed} of {reads} reads failed{why}")


def require_dense(points: Sequence[tuple[int, float]], trace: Trace) -> None:
    """Check that power samples cover the window.

    Raises:
        UnmeasurableError: Pauses longer than ``GAP_INTERVALS`` intervals make up more than
            ``GAP_BUDGET`` of the window.
    """
    edges = [trace.start_ns, *(t for t, _ in points if trace.start_ns < t < trace.end_ns), trace.end_ns]
    limit_s = GAP_INTERVALS * trace.spacing_s
    missing_s = sum(pause for a, b in pairwise(edges) if (pause := seconds(b - a)) > limit_s)
    if missing_s > GAP_BUDGET * trace.window_s:
        raise UnmeasurableError(
            f"{missing_s:.2f} s of the window's {trace.window_s:.2f} s have no power sample every {limit_s:.2f} s"
        )
