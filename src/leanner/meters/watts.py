"""Watts over the time of a window, as its samples tell them: to look at; joules are those of the reading."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from leanner.meters.clock import seconds
from leanner.meters.nvml import COUNTER
from leanner.meters.nvml import GAUGES
from leanner.meters.rapl import risen_j


if TYPE_CHECKING:
    from leanner.meters.combine import Equipment
    from leanner.meters.trace import Trace


@dataclass(frozen=True, slots=True)
class Watts:
    """Watts of the device that does the work.

    Attributes:
        points: Seconds since the window began, and watts.
        source: What they were read from.
    """

    points: tuple[tuple[float, float], ...]
    source: str


def watts_of(equipment: Equipment, trace: Trace) -> Watts | None:
    """Return the watts of a window; ``None`` where no sample tells any.

    A GPU's are its samples of power, or the steps of its energy counter where it gives no power; a CPU's the steps of
    the package counters. A step is put in the middle of its time; steps of less than half an interval are left out.
    """
    if not equipment.on_gpu:
        counted = [] if equipment.zones is None else risen_j("cpu_package", equipment.zones, trace)
        return _steps(counted, trace, "steps of RAPL's package counters")
    if equipment.gpu is None or equipment.gpu.shared is not None:
        return None
    gauged = [(t_ns, milliwatts / 1000) for t_ns, milliwatts in trace.series(GAUGES, "power_mw")]
    inside = [(t_ns, watts) for t_ns, watts in gauged if trace.start_ns <= t_ns <= trace.end_ns]
    if inside:
        points = tuple((seconds(t_ns - trace.start_ns), watts) for t_ns, watts in inside)
        name = "power" if equipment.gpu.power is None else equipment.gpu.power.name
        return Watts(points, f"samples of NVML's {name}")
    counted = [(t_ns, millijoules / 1000) for t_ns, millijoules in trace.series(COUNTER, "energy_mj")]
    return _steps(counted, trace, "steps of NVML's energy counter")


def _steps(counted: list[tuple[int, float]], trace: Trace, source: str) -> Watts | None:
    points = tuple(
        (seconds((earlier_ns + later_ns) // 2 - trace.start_ns), (later_j - earlier_j) / pause_s)
        for (earlier_ns, earlier_j), (later_ns, later_j) in pairwise(counted)
        if (pause_s := seconds(later_ns - earlier_ns)) >= 0.5 * trace.interval_s and later_j >= earlier_j
    )
    return Watts(points, source) if points else None
