"""How much the power of a domain wandered within a window."""

from __future__ import annotations

import math
import statistics

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.arithmetic import integrate
from leanner.meters.clock import NS_PER_S
from leanner.meters.clock import seconds
from leanner.meters.nvml import COUNTER
from leanner.meters.nvml import GAUGES
from leanner.meters.rapl import risen_j
from leanner.meters.student import t_quantile
from leanner.meters.uncertainty import NORMAL_95


if TYPE_CHECKING:
    from leanner.meters.combine import Equipment
    from leanner.meters.trace import Trace


#: Fewer have no spread.
_LEAST_BATCHES: Final = 2

#: Length of a batch: what a window's mean may be made of, independent for all one knows.
BATCH_S: Final = 1.0


def spread_w(equipment: Equipment, trace: Trace, name: str) -> tuple[float | None, str | None]:
    """Return the standard error of a domain's mean watts in a window, or ``None`` and why.

    The method of batch means (Law, Simulation Modeling and Analysis, 9.5.3): means over a second each differ by what
    power wanders, and by little of what single samples scatter. So few batches do not know their spread well: the
    error is widened such that ``NORMAL_95`` of it are the half-width of Student's t with 95 %.

    Args:
        equipment: What was measured with.
        trace: What it gave.
        name: One of ``reading.DOMAINS``.
    """
    if trace.health.failure is not None:
        return None, f"its spread is unknown: {trace.health.failure}"
    count = int(trace.window_s / BATCH_S)
    if name == "gpu":
        means = _of_gpu(equipment, trace, count)
    else:
        means = [] if equipment.zones is None else _of_counter(risen_j(name, equipment.zones, trace), trace, count)
    if len(means) < _LEAST_BATCHES:
        return None, (
            f"its spread is unknown: {len(means)} whole seconds of {trace.window_s:.3g} s have a mean, "
            f"{_LEAST_BATCHES} are needed (--leanner-idle gives them time)"
        )
    wider = t_quantile(0.95, len(means) - 1) / NORMAL_95
    return wider * statistics.stdev(means) / math.sqrt(len(means)), None


def _of_gpu(equipment: Equipment, trace: Trace, count: int) -> list[float]:
    """Return means from instant power; from the counter where power is an average, which wanders less, or unknown."""
    power = None if equipment.gpu is None else equipment.gpu.power
    counted = [(t, energy_mj / 1000.0) for t, energy_mj in trace.series(COUNTER, "energy_mj")]
    if counted and (power is None or power.averaged_s > 0.0):
        return _of_counter(counted, trace, count)
    return _of_gauge(trace, count)


def _bounds(trace: Trace, count: int) -> list[int]:
    length = (trace.end_ns - trace.start_ns) / max(count, 1)
    return [trace.start_ns + round(k * length) for k in range(count + 1)]


def _of_gauge(trace: Trace, count: int) -> list[float]:
    points = trace.series(GAUGES, "power_mw")
    times = [t for t, _ in points]
    return [
        integrate(points, a, b) / 1000.0 / seconds(b - a)
        for a, b in pairwise(_bounds(trace, count))
        # What lies between two samples beyond it is a line, and no mean of its own.
        if bisect_left(times, a) < bisect_left(times, b)
    ]


def _of_counter(risen: Sequence[tuple[int, float]], trace: Trace, count: int) -> list[float]:
    """Return the mean watts of each batch; a batch begins and ends at the read next to its bounds."""
    times = [t for t, _ in risen]
    last = len(risen) - 1
    at = sorted({min(bisect_left(times, bound), last) for bound in _bounds(trace, count)} if risen else set())
    # Batches that a pause has left much shorter than the others would count as much as they.
    return [
        (risen[b][1] - risen[a][1]) / pause_s
        for a, b in pairwise(at)
        if (pause_s := seconds(times[b] - times[a])) >= 0.5 * (trace.end_ns - trace.start_ns) / count / NS_PER_S
    ]
