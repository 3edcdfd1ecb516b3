"""From the raw samples of a window to its reading: a function of equipment and trace alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final
from typing import Literal

from leanner.meters import gpu as gpus
from leanner.meters import rapl
from leanner.meters import sampling
from leanner.meters import width
from leanner.meters.cgroup import cgroup_peak
from leanner.meters.estimate import estimate
from leanner.meters.lost import without_ticks
from leanner.meters.memory import host_peak
from leanner.meters.reading import EnergyDomain
from leanner.meters.reading import Power
from leanner.meters.reading import Reading
from leanner.meters.sensors import CPU_TICK_S
from leanner.meters.sensors import POWER_REFRESH_S
from leanner.meters.sensors import RAPL_UPDATE_S
from leanner.meters.sensors import UPDATES
from leanner.meters.zones import Zones


if TYPE_CHECKING:
    from leanner.meters.device import Gpu
    from leanner.meters.trace import Trace


#: What is wanted: joules from the meters that are here, or an error without any, or also estimates, or none.
Mode = Literal["auto", "require", "estimate", "off"]

OFF: Final = "metering of energy is switched off"
NOT_CUDA: Final = "the tagger does not run on a CUDA device"


@dataclass(frozen=True, slots=True)
class Equipment:
    """What this machine has to measure with, as found when the meter was opened.

    Attributes:
        mode: What was asked for.
        device: Torch device that does the work.
        zones: RAPL zones; ``None`` with ``no_rapl`` saying why.
        no_rapl: Why there are no zones.
        sockets: CPU sockets, where known.
        gpu: The device as NVML knows it; ``None`` with ``no_gpu`` saying why.
        no_gpu: Why NVML does not know it.
        watts_per_core: Watts of one busy core, for an estimate.
        synchronized: Whether CUDA is waited for at the edges.
        watts_from: Where ``watts_per_core`` comes from.
        no_cgroup: Why the run's cgroup does not tell its peak; ``None`` if it does.
    """

    mode: Mode
    device: str
    zones: Zones | None
    no_rapl: str | None
    sockets: int | None
    gpu: Gpu | None
    no_gpu: str | None
    watts_per_core: float | None
    synchronized: bool
    watts_from: str = "as stated"
    no_cgroup: str | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether the GPU does the work."""
        return self.device.startswith("cuda")

    def missing(self) -> dict[str, str]:
        """Return, for each domain that should be metered and cannot be, why."""
        why: dict[str, str | None] = {"cpu_package": self.no_rapl}
        if self.zones is not None:
            why["cpu_package"] = rapl.available(self.zones, self.sockets)
        if self.on_gpu:
            why["gpu"] = self.no_gpu if self.gpu is None else gpus.available(self.gpu)
        return {domain: reason for domain, reason in why.items() if reason is not None}


def least_window_s(equipment: Equipment) -> float:
    """Return how long a window must be to hold ten updates of the sensor that meters the device at work.

    Seconds; 0 where nothing meters it, since no window is then too short.
    """
    if equipment.on_gpu:
        gpu = equipment.gpu
        return gpus.least_window_s(gpu) if gpu is not None and gpus.available(gpu) is None else 0.0
    if equipment.zones is not None and rapl.available(equipment.zones, equipment.sockets) is None:
        return UPDATES * RAPL_UPDATE_S
    return UPDATES * CPU_TICK_S if equipment.watts_per_core is not None else 0.0


def settling_s(equipment: Equipment) -> float:
    """Return how long a power reading still has what was drawn before, in seconds; 0 where none is an average."""
    power = None if equipment.gpu is None else equipment.gpu.power
    return 0.0 if power is None or power.averaged_s == 0.0 else power.averaged_s + POWER_REFRESH_S


def combine(equipment: Equipment, trace: Trace, peak_allocated_b: int | None) -> Reading:
    """Compute the reading of a window.

    Args:
        equipment: What was measured with.
        trace: What it gave.
        peak_allocated_b: Peak of torch's allocator in the window, in bytes.
    """
    memory = host_peak(trace)
    gpu = None if equipment.gpu is None else gpus.figures(equipment.gpu, trace)
    energy = {**_cpu_energy(equipment, trace), "gpu": _gpu_energy(equipment, gpu)}
    power, no_power = _power(equipment, energy, gpu, trace)
    no_gpu = OFF if equipment.mode == "off" and equipment.on_gpu else equipment.no_gpu or NOT_CUDA
    reasons: dict[str, str] = (
        {"gpu_utilization_pct": no_gpu, "peak_vram_mb": no_gpu} if gpu is None else {**gpu.reasons}
    )
    if memory.reason is not None:
        reasons["peak_host_mb"] = memory.reason
    if peak_allocated_b is None:
        reasons["peak_vram_allocated_mb"] = "torch's allocator was not asked" if equipment.on_gpu else NOT_CUDA
    if no_power is not None:
        reasons["power"] = no_power
    cgroup_peak_mb, no_cgroup = cgroup_peak(trace)
    if cgroup_peak_mb is None:
        reasons["cgroup_peak_mb"] = equipment.no_cgroup or no_cgroup
    reading = Reading(
        window_s=trace.window_s,
        energy=energy,
        power=power,
        gpu_utilization_pct=None if gpu is None else gpu.utilization_pct,
        peak_host_mb=memory.mb,
        peak_vram_mb=None if gpu is None else gpu.peak_vram_mb,
        peak_vram_allocated_mb=None if peak_allocated_b is None else peak_allocated_b / 1e6,
        quality=(*_quality(equipment, energy, trace), *memory.quality, *(() if gpu is None else gpu.quality)),
        suspect=gpu is not None and gpu.suspect,
        reasons=reasons,
        trace=trace,
        gpu=None if gpu is None else gpu.state,
        cgroup_peak_mb=cgroup_peak_mb,
    )
    lost = trace.health.failure
    return reading if lost is None else without_ticks(reading, lost, never=equipment.missing())


def _cpu_energy(equipment: Equipment, trace: Trace) -> dict[str, EnergyDomain]:
    if equipment.zones is not None:
        domains = rapl.energies(equipment.zones, trace, equipment.sockets)
    else:
        reason = equipment.no_rapl or OFF
        package = EnergyDomain.unknown(reason)
        inner = EnergyDomain.unknown(reason, expected=False)
        domains = {"cpu_package": package, "cpu_core": inner, "dram": inner}
    # For all windows or for none: where RAPL fails in one of them, that one is unknown.
    if equipment.watts_per_core is not None and "cpu_package" in equipment.missing():
        domains["cpu_package"] = estimate(trace, equipment.watts_per_core, equipment.watts_from)
    return domains


def _gpu_energy(equipment: Equipment, gpu: gpus.GpuFigures | None) -> EnergyDomain:
    if gpu is not None:
        return gpu.energy
    if not equipment.on_gpu:
        return EnergyDomain.unknown(NOT_CUDA, expected=False)
    return EnergyDomain.unknown(equipment.no_gpu or OFF)


def _power(
    equipment: Equipment, energy: Mapping[str, EnergyDomain], gpu: gpus.GpuFigures | None, trace: Trace
) -> tuple[Power, str | None]:
    """Return the watts of the domain that does the work, and why one of them is ``None``."""
    of = "gpu" if equipment.on_gpu else "cpu_package"
    domain = energy[of]
    if domain.j is None or trace.window_s <= 0.0:
        return Power(of, None, None), domain.reason or "the window has no length"
    if domain.source == "estimate":
        return Power(of, None, None), "joules are estimated, which says nothing about watts"
    peak_w = gpu.peak_w if gpu is not None else rapl.peak_w(equipment.zones or Zones(()), trace)
    why = None if peak_w is not None else "no power sample lies within the window"
    return Power(of, domain.j / trace.window_s, peak_w), why


def _quality(equipment: Equipment, energy: Mapping[str, EnergyDomain], trace: Trace) -> list[str]:
    notes = list(equipment.zones.notes) if equipment.zones is not None else []
    if energy["cpu_package"].source == "estimate":
        notes.append(f"CPU joules are an estimate: {energy['cpu_package'].detail}")
    if energy["cpu_package"].source == "rapl":
        notes.append("RAPL counts the whole package, other processes included")
        if energy["dram"].j is None and not energy["dram"].expected:
            notes.append("total without DRAM: this CPU has no DRAM zone")
    least_s = least_window_s(equipment)
    if not equipment.on_gpu and trace.window_s < least_s:
        notes.append(
            f"short window: {trace.window_s:.3f} s are less than ten updates of what counts its joules ({least_s:g} s)"
        )
    if equipment.on_gpu and not equipment.synchronized:
        notes.append("CUDA was not waited for at the window's edges: its work may lie outside")
    return notes + width.notes(energy, trace.window_s) + sampling.notes(trace)
