"""What a run costs: joules, watts and peak memory of a stretch of time, with where each number comes from."""

from __future__ import annotations

from leanner.meters.combine import Mode
from leanner.meters.cuda import CudaHooks
from leanner.meters.cuda import cuda_hooks
from leanner.meters.errors import MeterError
from leanner.meters.idle import Idle
from leanner.meters.idle import measure_idle
from leanner.meters.idle import net_energy
from leanner.meters.meter import EnergyMeter
from leanner.meters.meter import Window
from leanner.meters.opening import open_meter
from leanner.meters.reading import EnergyDomain
from leanner.meters.reading import Power
from leanner.meters.reading import Reading


__all__ = [
    "CudaHooks",
    "EnergyDomain",
    "EnergyMeter",
    "Idle",
    "MeterError",
    "Mode",
    "Power",
    "Reading",
    "Window",
    "cuda_hooks",
    "measure_idle",
    "net_energy",
    "open_meter",
]
