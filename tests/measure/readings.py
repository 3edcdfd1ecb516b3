"""Readings of windows on a machine with RAPL."""

from __future__ import annotations

from leanner.meters import EnergyDomain
from leanner.meters import Power
from leanner.meters import Reading
from leanner.meters.trace import Health
from leanner.meters.trace import Trace
from leanner.meters.uncertainty import Uncertainty


ABSENT = EnergyDomain.unknown("this machine has none", expected=False)
NO_ZONE = EnergyDomain.unknown("no RAPL zone")


def reading(
    cpu: float | None = 10.0,
    *,
    dram: float | None = None,
    window_s: float = 2.0,
    mean_w: float | None = 5.0,
    peak_w: float | None = 8.0,
    utilization: float | None = None,
) -> Reading:
    """A window of a machine with RAPL, whose CPU zone may fail."""
    energy = {
        "gpu": ABSENT,
        "cpu_package": NO_ZONE if cpu is None else EnergyDomain(cpu, "rapl", uncertainty=Uncertainty(0.05 * cpu, 0.1)),
        "cpu_core": ABSENT,
        "dram": ABSENT if dram is None else EnergyDomain(dram, "rapl", uncertainty=Uncertainty(0.2 * dram, 0.0)),
    }
    return Reading(
        window_s=window_s,
        energy=energy,
        power=Power("cpu_package", mean_w, peak_w),
        gpu_utilization_pct=utilization,
        peak_host_mb=100.0,
        peak_vram_mb=None,
        peak_vram_allocated_mb=None,
        quality=(),
        suspect=False,
        reasons={} if mean_w is not None else {"power": "no joules"},
        trace=Trace(0, round(window_s * 1e9), 0.1, (), Health(0, window_s, None, None)),
    )
