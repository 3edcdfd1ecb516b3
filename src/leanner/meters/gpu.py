"""What NVML's samples say about the GPU: joules, watts, utilisation, memory, and what puts them in doubt."""

from __future__ import annotations

import math
import re

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.arithmetic import beside_window_s
from leanner.meters.arithmetic import counter_increase
from leanner.meters.arithmetic import integrate
from leanner.meters.arithmetic import require_dense
from leanner.meters.arithmetic import require_edges
from leanner.meters.arithmetic import require_few_gaps
from leanner.meters.clock import seconds
from leanner.meters.errors import UnmeasurableError
from leanner.meters.gpu_state import GpuState
from leanner.meters.gpu_state import gpu_state
from leanner.meters.gpu_state import last_gap
from leanner.meters.gpu_state import ours
from leanner.meters.gpu_state import strangers
from leanner.meters.lag import Lag
from leanner.meters.lag import change_w
from leanner.meters.lag import lag_of
from leanner.meters.noise import integral_sd
from leanner.meters.noise import phase_sd_j
from leanner.meters.noise import reading_sd
from leanner.meters.noise import update_period_s
from leanner.meters.nvml import COUNTER
from leanner.meters.nvml import GAUGES
from leanner.meters.reading import EnergyDomain
from leanner.meters.sensors import NVML_UNIT_J
from leanner.meters.sensors import NVML_UPDATE_S
from leanner.meters.sensors import POWER_REFRESH_S
from leanner.meters.sensors import UPDATES
from leanner.meters.sensors import gain_bound
from leanner.meters.uncertainty import Uncertainty
from leanner.meters.uncertainty import half_width_j


if TYPE_CHECKING:
    from leanner.meters.device import Gpu
    from leanner.meters.trace import Trace


#: No GPU draws more than this, in watts: more is a reset of its counter.
CEILING_W: Final = 5000.0

# A counter is taken to be slower than documented from this many times its period on: reads that are late show less.
_SLOW: Final = 1.5

_MB: Final = 1e6

# Data-centre boards of the generations that arXiv 2312.02741 found to sample power for 25 % of the time.
_PART_TIME: Final = re.compile(r"\b(A100|A800|A30|H100|H800|H200|GH200)")


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """What the samples of a window say about the GPU; ``reasons`` as in a reading."""

    energy: EnergyDomain
    peak_w: float | None
    utilization_pct: float | None
    peak_vram_mb: float | None
    state: GpuState
    quality: tuple[str, ...]
    suspect: bool
    reasons: Mapping[str, str] = field(default_factory=dict)


def figures(gpu: Gpu, trace: Trace) -> GpuFigures:
    """Compute the GPU's part of a reading.

    Args:
        gpu: The device.
        trace: Samples of a ``GaugeSource``, and of a ``CounterSource`` where it has a counter.
    """
    told_apart = ours(trace)
    state, quality = gpu_state(gpu, trace)
    reasons: dict[str, str] = {}
    if gpu.shared is not None:
        reasons |= {"gpu_utilization_pct": gpu.shared, "power": gpu.shared}
        energy, suspect = EnergyDomain.unknown(gpu.shared), False
    else:
        energy, notes, suspect = _energy(gpu, trace)
        quality += notes
    utilization = _mean(trace, "utilization_pct") if gpu.shared is None else None
    peak_mw = max((value for _, value in trace.series(GAUGES, "power_mw")), default=None)
    if utilization is None:
        reasons.setdefault("gpu_utilization_pct", last_gap(trace, "utilization_pct"))
    peak_vram_mb = _peak_vram_mb(trace) if told_apart else None
    if peak_vram_mb is None:
        reasons["peak_vram_mb"] = _no_vram(trace, told_apart=told_apart)
    return GpuFigures(
        energy=energy,
        peak_w=peak_mw / 1000.0 if peak_mw is not None and gpu.shared is None else None,
        utilization_pct=utilization,
        peak_vram_mb=peak_vram_mb,
        state=state,
        quality=tuple(quality),
        suspect=suspect or bool(state.foreign_pids),
        reasons=reasons,
    )


def available(gpu: Gpu) -> str | None:
    """Return why the GPU's joules cannot be metered; ``None`` if they can."""
    if gpu.shared is not None:
        return gpu.shared
    return None if gpu.counter or gpu.power is not None else f"{gpu.model} gives neither energy nor power through NVML"


def least_window_s(gpu: Gpu) -> float:
    """Return how many seconds hold ten updates of what gives the GPU's joules: of its counter, else of its power."""
    averaged_s = 0.0 if gpu.counter or gpu.power is None else gpu.power.averaged_s
    return UPDATES * max(NVML_UPDATE_S, averaged_s)


def _energy(gpu: Gpu, trace: Trace) -> tuple[EnergyDomain, list[str], bool]:
    """Return joules from the counter, else from power; what to know about them; whether they are in doubt."""
    notes: list[str] = []
    least_s = least_window_s(gpu)
    if trace.window_s < least_s:
        notes.append(
            f"short window: {trace.window_s:.2f} s are less than ten updates of the GPU's sensor ({least_s:g} s)"
        )
    integrated = _integrated(gpu, trace)
    if not gpu.counter:
        return integrated, [*notes, *_of_power(gpu)], False
    whole_module = gpu.power is not None and gpu.power.scope != "gpu"
    if whole_module:
        notes.append("GPU power is that of the whole module; NVML does not say whether its energy counter is, too")
    try:
        energy = _counted(gpu, trace)
    except UnmeasurableError as error:
        # A part of the window from elsewhere would be a partial total.
        return EnergyDomain.unknown(f"GPU energy counter: {error}"), notes, False
    period_s = update_period_s(trace.series(COUNTER, "energy_mj"))
    if period_s > _SLOW * NVML_UPDATE_S and trace.window_s < UPDATES * period_s:
        notes.append(
            f"short window: the GPU's energy counter was updated every {period_s:.2g} s: "
            f"{trace.window_s:.2f} s are less than ten of its updates"
        )
    apart = None if whole_module else _apart(energy, integrated)
    return energy, [*notes, *([] if apart is None else [apart])], apart is not None


def _counted(gpu: Gpu, trace: Trace) -> EnergyDomain:
    points = require_edges(trace, COUNTER, "energy_mj")
    rise_mj = counter_increase(points, modulus=None, ceiling_per_s=CEILING_W * 1000.0)
    if rise_mj == 0.0:
        raise UnmeasurableError(f"it was not updated within the window of {trace.window_s:.3f} s")
    counted_j = rise_mj / 1000.0
    mean_w = counted_j / trace.window_s
    period_s = update_period_s(points)
    # A counter is behind by half a period on average: what it misses at one edge it gains at the other, less the
    # change of power between them.
    averaged_s = 0.0 if gpu.power is None else gpu.power.averaged_s
    between_w = change_w(trace.series(GAUGES, "power_mw"), trace, averaged_s)
    edges_j = 0.5 * period_s * between_w + beside_window_s(points, trace) * mean_w
    return EnergyDomain(
        counted_j,
        "nvml-counter",
        detail=f"nvmlDeviceGetTotalEnergyConsumption of {gpu.uuid}",
        uncertainty=Uncertainty(
            systematic_j=gain_bound("gpu") * counted_j + edges_j + NVML_UNIT_J,
            random_j=phase_sd_j(mean_w, period_s),
        ),
    )


def _integrated(gpu: Gpu, trace: Trace) -> EnergyDomain:
    if gpu.power is None:
        return EnergyDomain.unknown(f"{gpu.model} gives neither energy nor power through NVML")
    points = trace.series(GAUGES, "power_mw")
    try:
        sampled_j = _integrated_j(trace, points)
    except UnmeasurableError as error:
        return EnergyDomain.unknown(f"GPU power: {error}")
    lag = lag_of(points, trace, gpu.power.averaged_s, documented=gpu.power.documented)
    joules = sampled_j if lag is None else sampled_j + lag.lacking_j
    return EnergyDomain(
        joules,
        "nvml-power",
        detail=f"{gpu.power.name}, scope {gpu.power.scope}, of {gpu.uuid}",
        uncertainty=None if lag is None else _of_integral(joules, lag, points, trace, gpu.power.averaged_s),
    )


def _integrated_j(trace: Trace, points: Sequence[tuple[int, float]]) -> float:
    gaps = trace.gaps(GAUGES, "power_mw")
    if not points:
        raise UnmeasurableError(f"there is no sample: {last_gap(trace, 'power_mw')}")
    require_few_gaps(len(gaps), len(gaps) + len(points), f": {gaps[-1]}" if gaps else "")
    require_dense(points, trace)
    return integrate(points, trace.start_ns, trace.end_ns) / 1000.0


def _of_integral(
    joules: float, lag: Lag, points: Sequence[tuple[int, float]], trace: Trace, averaged_s: float
) -> Uncertainty | None:
    """Return the uncertainty of integrated power; ``None`` if the samples do not tell.

    How old a reading is when it is taken is uniform on (0, u) for a refresh every u: the integral is off by that age
    times the change of the readings between the edges, the mean of which is of the lag.
    """
    noise_mj = integral_sd(points, trace.start_ns, trace.end_ns, trace.spacing_s, averaged_s=averaged_s)
    reading_mw = reading_sd(points, trace.spacing_s)
    if noise_mj is None or reading_mw is None:
        return None
    return Uncertainty(
        systematic_j=gain_bound("gpu") * joules + lag.bound_j,
        random_j=math.hypot(
            noise_mj / 1000.0,
            lag.readings_s * reading_mw / 1000.0,
            POWER_REFRESH_S / math.sqrt(12.0) * change_w(points, trace, averaged_s=0.0),
        ),
    )


def _apart(counted: EnergyDomain, integrated: EnergyDomain) -> str | None:
    """Return what to say if two sources of the same joules differ by more than both may be off; else ``None``."""
    if counted.j is None or integrated.j is None or counted.uncertainty is None or integrated.uncertainty is None:
        return None
    allowed_j = half_width_j([counted.uncertainty, integrated.uncertainty])
    if abs(integrated.j - counted.j) <= allowed_j:
        return None
    return (
        f"GPU counter ({counted.j:.1f} J) and integrated power ({integrated.j:.1f} J) differ by "
        f"{abs(integrated.j - counted.j):.1f} J, more than their uncertainty explains ({allowed_j:.1f} J)"
    )


def _of_power(gpu: Gpu) -> list[str]:
    """Return what to know about joules that are integrated from power."""
    if gpu.power is None:
        return []
    if gpu.power.averaged_s > 0.0:
        what = f"{gpu.power.name}, an average over the last second on Ampere and later"
        if not gpu.power.documented:
            what = f"{gpu.power.name}, taken for an average over the last second: the driver tells no architecture"
    else:
        what = "instant power samples"
    scope = "" if gpu.power.scope == "gpu" else ", of the whole module and not the GPU alone"
    notes = [f"GPU joules integrated from {what}{scope}"]
    if _PART_TIME.search(gpu.model):
        notes.append(
            f"{gpu.model} may sample power for a quarter of the time (arXiv 2312.02741): a load that keeps step with "
            "the sampling is measured wrong"
        )
    return notes


def _mean(trace: Trace, channel: str) -> float | None:
    """Mean over time of a gauge."""
    points = trace.series(GAUGES, channel)
    if not points or trace.end_ns <= trace.start_ns:
        return None
    return integrate(points, trace.start_ns, trace.end_ns) / seconds(trace.end_ns - trace.start_ns)


def _peak_vram_mb(trace: Trace) -> float | None:
    return max((value / _MB for _, value in trace.series(GAUGES, "vram_b")), default=None)


def _no_vram(trace: Trace, *, told_apart: bool) -> str:
    if gaps := trace.gaps(GAUGES, "vram_b"):
        return gaps[-1]
    if told_apart:
        return "NVML does not give the memory of single processes here"
    if strangers(trace):
        return "no process on the GPU has a process id of this tree: in a container, NVML counts the host's"
    return "no process of this tree was seen on the GPU"
