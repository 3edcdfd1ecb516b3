"""Joules guessed from CPU time, only when asked for: seconds of busy cores times stated watts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from leanner.meters.arithmetic import require_edges
from leanner.meters.errors import UnmeasurableError
from leanner.meters.reading import EnergyDomain
from leanner.meters.sensors import CPU_TICK_S
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from leanner.meters.trace import Trace


SOURCE: Final = "cpu-time"


class CpuTimeSource:
    """One channel, ``cpu_s``: CPU seconds of the process tree."""

    def __init__(self, cpu_s: Callable[[], float]) -> None:
        self._cpu_s = cpu_s

    @property
    def name(self) -> str:
        """Stands in the trace."""
        return SOURCE

    def sample(self, moment: Moment) -> Observation:  # noqa: ARG002 - edges are read like ticks
        """Read the CPU seconds."""
        try:
            return Observation({"cpu_s": self._cpu_s()})
        except OSError as error:
            return Observation(failures={"cpu_s": str(error)})


def estimate(trace: Trace, watts_per_core: float, watts_from: str) -> EnergyDomain:
    """Return the package's joules as CPU seconds times watts per busy core; marked ``estimate``.

    It has no uncertainty: nothing is known of how far it is off.

    Args:
        trace: Samples of a ``CpuTimeSource``.
        watts_per_core: Watts of one busy core.
        watts_from: Where this number comes from.
    """
    try:
        points = require_edges(trace, SOURCE, "cpu_s")
    except UnmeasurableError as error:
        return EnergyDomain.unknown(f"CPU time {error}")
    seen_s, last_s = max(seconds for _, seconds in points), points[-1][1]
    if last_s < seen_s - CPU_TICK_S:
        return EnergyDomain.unknown(
            f"the CPU time of the process tree fell from {seen_s:.2f} to {last_s:.2f} s: a process has left it with "
            "what it had used, since its parent ended without waiting for it (a daemon); keep it a child of the run"
        )
    cpu_s = last_s - points[0][1]
    if cpu_s <= 0.0:
        return EnergyDomain.unknown("the process tree used no CPU time that the kernel counts (ticks of 10 ms)")
    return EnergyDomain(
        cpu_s * watts_per_core,
        "estimate",
        detail=f"{cpu_s:.2f} CPU seconds at {watts_per_core:g} W per core, {watts_from}",
    )
