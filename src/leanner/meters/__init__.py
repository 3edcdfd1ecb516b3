"""What a run costs: joules, watts and peak memory of a stretch of time, with where each number comes from."""

from __future__ import annotations

from leanner.meters.combine import Mode
from leanner.meters.combine import least_window_s
from leanner.meters.cuda import CudaHooks
from leanner.meters.cuda import cuda_hooks
from leanner.meters.errors import MeterError
from leanner.meters.gpu_state import GpuState
from leanner.meters.idle import Idle
from leanner.meters.idle import between
from leanner.meters.idle import idle_of
from leanner.meters.idle import measure_idle
from leanner.meters.idle import net_energy
from leanner.meters.idle import net_interval
from leanner.meters.marginal import fit
from leanner.meters.meter import EnergyMeter
from leanner.meters.meter import Meter
from leanner.meters.meter import Window
from leanner.meters.meter import WindowKind
from leanner.meters.opening import open_meter
from leanner.meters.reading import EnergyDomain
from leanner.meters.reading import Power
from leanner.meters.reading import Reading
from leanner.meters.recording import RecordingMeter
from leanner.meters.replay import ReplayMeter
from leanner.meters.totals import domain_interval
from leanner.meters.totals import total_interval
from leanner.meters.uncertainty import Interval
from leanner.meters.uncertainty import Uncertainty


__all__ = [
    "CudaHooks",
    "EnergyDomain",
    "EnergyMeter",
    "GpuState",
    "Idle",
    "Interval",
    "Meter",
    "MeterError",
    "Mode",
    "Power",
    "Reading",
    "RecordingMeter",
    "ReplayMeter",
    "Uncertainty",
    "Window",
    "WindowKind",
    "between",
    "cuda_hooks",
    "domain_interval",
    "fit",
    "idle_of",
    "least_window_s",
    "measure_idle",
    "net_energy",
    "net_interval",
    "open_meter",
    "total_interval",
]
