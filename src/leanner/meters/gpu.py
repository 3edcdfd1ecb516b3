"""What NVML's samples say about the GPU: joules, watts, utilisation, memory, and what puts them in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.arithmetic import counter_increase
from leanner.meters.arithmetic import integrate
from leanner.meters.arithmetic import require_dense
from leanner.meters.arithmetic import require_edges
from leanner.meters.arithmetic import require_few_gaps
from leanner.meters.clock import seconds
from leanner.meters.errors import UnmeasurableError
from leanner.meters.nvml import COUNTER
from leanner.meters.nvml import GAUGES
from leanner.meters.reading import EnergyDomain


if TYPE_CHECKING:
    from leanner.meters.device import Gpu
    from leanner.meters.trace import Trace


#: No GPU draws more than this, in watts: more is a reset of its counter.
CEILING_W: Final = 5000.0

#: NVML's counter and its power fields are refreshed every 20 to 100 ms; ten of these make a window.
SHORT_WINDOW_S: Final = 1.0

#: Relative difference between counter and integrated power that no sensor explains: both have ±5 % at most.
DISAGREEMENT: Final = 0.10

#: Clock event reasons that slow a run down, by bit (nvml.h, ``nvmlClocksEventReason…``).
THROTTLING: Final[Mapping[int, str]] = {
    0x04: "software power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}

_MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """What the samples of a window say about the GPU; ``reasons`` as in a reading."""

    energy: EnergyDomain
    peak_w: float | None
    utilization_pct: float | None
    peak_vram_mb: float | None
    quality: tuple[str, ...]
    suspect: bool
    reasons: Mapping[str, str] = field(default_factory=dict)


def figures(gpu: Gpu, trace: Trace) -> GpuFigures:
    """Compute the GPU's part of a reading.

    Args:
        gpu: The device.
        trace: Samples of a ``GaugeSource``, and of a ``CounterSource`` where it has a counter.
    """
    foreign = frozenset(_foreign(trace))
    ours = any(count for _, count in trace.series(GAUGES, "processes"))
    quality = [*_throttling(trace), *_warming(trace)]
    reasons: dict[str, str] = {}
    if foreign:
        quality.append(_strangers(foreign, ours=ours))
    if gpu.shared is not None:
        reasons |= {"gpu_utilization_pct": gpu.shared, "power": gpu.shared}
        energy, suspect = EnergyDomain.unknown(gpu.shared), False
    else:
        energy, notes, suspect = _energy(gpu, trace)
        quality += notes
    utilization = _mean(trace, "utilization_pct") if gpu.shared is None else None
    peak_mw = max((value for _, value in trace.series(GAUGES, "power_mw")), default=None)
    if utilization is None:
        reasons.setdefault("gpu_utilization_pct", _last_gap(trace, "utilization_pct"))
    peak_vram_mb = _peak_vram_mb(trace) if ours else None
    if peak_vram_mb is None:
        reasons["peak_vram_mb"] = _no_vram(trace, foreign, ours=ours)
    return GpuFigures(
        energy=energy,
        peak_w=peak_mw / 1000.0 if peak_mw is not None and gpu.shared is None else None,
        utilization_pct=utilization,
        peak_vram_mb=peak_vram_mb,
        quality=tuple(quality),
        suspect=suspect or (bool(foreign) and ours),
        reasons=reasons,
    )


def available(gpu: Gpu) -> str | None:
    """Return why the GPU's joules cannot be metered; ``None`` if they can."""
    if gpu.shared is not None:
        return gpu.shared
    return None if gpu.counter or gpu.power is not None else f"{gpu.model} gives neither energy nor power through NVML"


def _energy(gpu: Gpu, trace: Trace) -> tuple[EnergyDomain, list[str], bool]:
    """Return joules from the counter, else from power; what to know about them; whether they are in doubt."""
    notes: list[str] = []
    if trace.window_s < SHORT_WINDOW_S:
        notes.append(f"short window: {trace.window_s:.2f} s are less than ten updates of the GPU's sensor (1 s)")
    integrated = _integrated(gpu, trace)
    if not gpu.counter:
        if gpu.power is not None:
            notes.append(_lag(gpu))
        return integrated, notes, False
    try:
        counted = _counted_j(trace)
    except UnmeasurableError as error:
        # A part of the window from elsewhere would be a partial total.
        return EnergyDomain.unknown(f"GPU energy counter: {error}"), notes, False
    energy = EnergyDomain(counted, "nvml-counter", detail=f"nvmlDeviceGetTotalEnergyConsumption of {gpu.uuid}")
    if integrated.j is None or trace.window_s < SHORT_WINDOW_S:
        return energy, notes, False
    apart = abs(integrated.j - counted) / counted
    if apart <= DISAGREEMENT:
        return energy, notes, False
    notes.append(f"GPU counter ({counted:.1f} J) and integrated power ({integrated.j:.1f} J) differ by {apart:.0%}")
    return energy, notes, True


def _counted_j(trace: Trace) -> float:
    points = require_edges(trace, COUNTER, "energy_mj")
    rise_mj = counter_increase(points, modulus=None, ceiling_per_s=CEILING_W * 1000.0)
    if rise_mj == 0.0:
        raise UnmeasurableError(f"it was not updated within the window of {trace.window_s:.3f} s")
    return rise_mj / 1000.0


def _integrated(gpu: Gpu, trace: Trace) -> EnergyDomain:
    if gpu.power is None:
        return EnergyDomain.unknown(f"{gpu.model} gives neither energy nor power through NVML")
    try:
        joules = _integrated_j(trace)
    except UnmeasurableError as error:
        return EnergyDomain.unknown(f"GPU power: {error}")
    return EnergyDomain(joules, "nvml-power", detail=f"{gpu.power.name}, scope {gpu.power.scope}, of {gpu.uuid}")


def _integrated_j(trace: Trace) -> float:
    points = trace.series(GAUGES, "power_mw")
    gaps = trace.gaps(GAUGES, "power_mw")
    if not points:
        raise UnmeasurableError(f"there is no sample: {_last_gap(trace, 'power_mw')}")
    require_few_gaps(len(gaps), len(gaps) + len(points), f": {gaps[-1]}" if gaps else "")
    require_dense(points, trace)
    return integrate(points, trace.start_ns, trace.end_ns) / 1000.0


def _lag(gpu: Gpu) -> str:
    field = gpu.power
    if field is None or field.name == "NVML_FI_DEV_POWER_INSTANT":
        scope = "" if field is None or field.scope == "gpu" else ", of the whole module and not the GPU alone"
        return f"GPU joules integrated from instant power samples{scope}"
    return "GPU joules integrated from nvmlDeviceGetPowerUsage, an average over the last second on Ampere and later"


def _foreign(trace: Trace) -> Iterator[int]:
    for sample in trace.of(GAUGES):
        yield from (int(channel[8:]) for channel in sample.values if channel.startswith("foreign."))


def _strangers(foreign: frozenset[int], *, ours: bool) -> str:
    pids = ", ".join(map(str, sorted(foreign)))
    if ours:
        return f"foreign processes on the GPU: {pids}"
    return f"processes on the GPU that cannot be told from this one (a container's ids are not the host's): {pids}"


def _throttling(trace: Trace) -> list[str]:
    seen = [int(value) for _, value in trace.series(GAUGES, "clock_events")]
    counts = {name: sum(bool(events & bit) for events in seen) for bit, name in THROTTLING.items()}
    return [f"GPU throttled: {name} in {count} of {len(seen)} samples" for name, count in counts.items() if count]


def _warming(trace: Trace) -> list[str]:
    degrees = [value for _, value in trace.series(GAUGES, "temperature_c")]
    if not degrees or max(degrees) - min(degrees) <= 10:
        return []
    return [f"GPU temperature moved from {min(degrees):.0f} to {max(degrees):.0f} °C within the window"]


def _mean(trace: Trace, channel: str) -> float | None:
    """Mean over time of a gauge."""
    points = trace.series(GAUGES, channel)
    if not points or trace.end_ns <= trace.start_ns:
        return None
    return integrate(points, trace.start_ns, trace.end_ns) / seconds(trace.end_ns - trace.start_ns)


def _peak_vram_mb(trace: Trace) -> float | None:
    return max((value / _MB for _, value in trace.series(GAUGES, "vram_b")), default=None)


def _no_vram(trace: Trace, foreign: frozenset[int], *, ours: bool) -> str:
    if gaps := trace.gaps(GAUGES, "vram_b"):
        return gaps[-1]
    if ours:
        return "NVML does not give the memory of single processes here"
    if foreign:
        return "no process on the GPU has a process id of this tree: in a container, NVML counts the host's"
    return "no process of this tree was seen on the GPU"


def _last_gap(trace: Trace, channel: str) -> str:
    gaps = trace.gaps(GAUGES, channel)
    return gaps[-1] if gaps else f"NVML gave no {channel}"
