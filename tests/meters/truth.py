"""A machine whose joules are known: a power curve, and sensors that see it as real ones do.

Nothing here knows how the meters estimate anything; the sensors follow what is documented of them
(``leanner.meters.sensors`` cites it).
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final
from typing import Literal

import numpy as np

from leanner.meters.combine import Equipment
from leanner.meters.device import Gpu
from leanner.meters.device import PowerField
from leanner.meters.nvml import COUNTER
from leanner.meters.nvml import GAUGES
from leanner.meters.rapl import SOURCE as RAPL
from leanner.meters.trace import Health
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace
from leanner.meters.zones import Zone
from leanner.meters.zones import Zones
from meters.fake_sysfs import DRAM_RANGE_UJ
from meters.fake_sysfs import RANGE_UJ


if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

#: Resolution of the power curve.
STEP_S: Final = 0.002

#: Seconds of the curve before the window.
BEFORE_S: Final = 3.0

INTERVAL_S: Final = 0.1

_AFTER_S: Final = 1.0
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Curve:
    """Watts, constant in each ``STEP_S``, from ``BEFORE_S`` before the window's begin.

    Attributes:
        watts: One for each step.
        window_s: Length of the window, which begins at 0 s.
        energy_j: Energy up to the begin of each step, one more than ``watts``.
    """

    watts: Floats
    window_s: float
    energy_j: Floats = field(init=False)

    def __post_init__(self) -> None:
        joules = np.concatenate(([0.0], np.cumsum(self.watts) * STEP_S))
        object.__setattr__(self, "energy_j", joules)

    def until_j(self, t_s: Floats) -> Floats:
        """Return the energy from the begin of the curve to ``t_s``."""
        at = np.clip((t_s + BEFORE_S) / STEP_S, 0.0, len(self.watts))
        step = np.minimum(at.astype(np.int64), len(self.watts) - 1)
        joules: Floats = self.energy_j[step] + (at - step) * self.watts[step] * STEP_S
        return joules

    @property
    def true_j(self) -> float:
        """The joules of the window."""
        begin, end = self.until_j(np.array([0.0, self.window_s]))
        return float(end - begin)


#: What a device does before a window: what it does within it; nothing; or something else, then nothing for a moment.
Before = Literal["busy", "idle", "pause"]


def curve(rng: Generator, window_s: float = 10.0, *, before: Before = "busy") -> Curve:
    """Return a random curve: a level, with steps, ramps and bursts.

    Args:
        rng: What it is drawn with.
        window_s: Length of the window.
        before: What the device does until the window begins.
    """
    base_w = rng.uniform(150.0, 400.0)
    watts = np.full(_step(window_s + _AFTER_S), base_w)
    begins_s = rng.uniform(-BEFORE_S, window_s, 16).tolist()
    sizes = rng.uniform(-1.0, 1.0, 16).tolist()
    for _ in range(rng.integers(0, 4)):
        watts[_step(begins_s.pop()) :] += 0.1 * sizes.pop() * base_w
    if rng.random() < 0.5:
        begin, length = _step(begins_s.pop()), _step(rng.uniform(1.0, 8.0)) - _step(0.0)
        rise = np.minimum(np.arange(len(watts) - begin) / length, 1.0)
        watts[begin:] += 0.15 * sizes.pop() * base_w * rise
    for length_s in rng.uniform(0.01, 0.3, rng.integers(0, 12)).tolist():
        begin = begins_s.pop()
        watts[_step(begin) : _step(begin + length_s)] += 0.2 * sizes.pop() * base_w
    if before != "busy":
        begin = 0
        if before == "pause":
            # What stopped is a round of the same work or a rival's.
            watts[: _step(0.0)] *= rng.uniform(0.5, 1.5)
            begin = _step(-rng.uniform(0.05, 1.0))
        watts[begin : _step(0.0)] = rng.uniform(0.15, 0.4) * base_w
    return Curve(watts, window_s)


def _step(t_s: float) -> int:
    return round((t_s + BEFORE_S) / STEP_S)


@dataclass(frozen=True, slots=True)
class Reads:
    """When a source is read: at both edges and at ticks, some of which are late, skipped or fail."""

    t_s: Floats
    failed: NDArray[np.bool_]


def reads(
    rng: Generator, window_s: float, *, fail: float = 0.01, interval_s: float = INTERVAL_S, edge_s: float = 0.0005
) -> Reads:
    """Return the reads of one source; the edges never fail.

    Args:
        rng: What they are drawn with.
        window_s: Length of the window.
        fail: Probability that a tick fails.
        interval_s: Seconds between two ticks.
        edge_s: How far from the window's edges they are read, at most.
    """
    due_s = np.arange(1, round(window_s / interval_s)) * interval_s
    late_s = rng.exponential(0.002, len(due_s)) + (rng.random(len(due_s)) < 0.005) * rng.uniform(0.0, 0.4, len(due_s))
    t_s = due_s + late_s
    # One thread reads: a tick that comes late holds up the next one, and those that it overtakes are not made up for.
    t_s = t_s[(t_s < window_s) & (np.diff(np.concatenate(([0.0], np.maximum.accumulate(t_s)))) > 0.0)]
    edges_s = rng.uniform(0.0, edge_s, 2)
    times = np.concatenate(([-edges_s[0]], t_s, [window_s + edges_s[1]]))
    failed = rng.random(len(times)) < fail
    failed[[0, -1]] = False
    return Reads(times, failed)


def counter(energy: Curve, at: Reads, rng: Generator, *, gain: float, period_s: float, unit_j: float) -> Floats:
    """Return a counter's units at each read: updated every ``period_s`` at a phase of its own, in whole units."""
    phase_s = rng.uniform(0.0, period_s)
    updated_s = np.floor((at.t_s - phase_s) / period_s) * period_s + phase_s
    units: Floats = np.floor(gain * energy.until_j(updated_s) / unit_j)
    return units


def power(
    energy: Curve, at: Reads, rng: Generator, *, gain: float, mean_s: float, noise: float = 0.01, refresh_s: float = 0.1
) -> Floats:
    """Return watts at each read: the mean of the last ``mean_s`` at each refresh, with relative noise."""
    phase_s = rng.uniform(0.0, refresh_s)
    number = np.floor((at.t_s - phase_s) / refresh_s).astype(np.int64)
    shown_s = number * refresh_s + phase_s
    mean_w = (energy.until_j(shown_s) - energy.until_j(shown_s - mean_s)) / mean_s
    # A refresh that is read twice shows the same noise twice.
    scatter = rng.standard_normal(int(number[-1] - number[0]) + 1)[number - number[0]]
    seen: Floats = gain * mean_w * (1.0 + noise * scatter)
    return seen


def samples(source: str, channel: str, at: Reads, values: Floats) -> list[Sample]:
    """Return the samples of a source with one channel."""
    times = np.round((at.t_s + BEFORE_S) * _NS).astype(np.int64).tolist()
    moments = [Moment.START, *[Moment.TICK] * (len(times) - 2), Moment.STOP]
    return [
        Sample(source, moment, t, {}, {channel: "driver busy"})
        if failed
        else Sample(source, moment, t, {channel: value}, {})
        for t, moment, failed, value in zip(times, moments, at.failed.tolist(), values.tolist(), strict=True)
    ]


def trace(window_s: float, *sources: list[Sample], interval_s: float = INTERVAL_S) -> Trace:
    """Return the trace of a window."""
    merged = tuple(sorted((sample for source in sources for sample in source), key=lambda sample: sample.t_ns))
    start_ns = round(BEFORE_S * _NS)
    return Trace(start_ns, start_ns + round(window_s * _NS), interval_s, merged, Health(0, 0.0, None, None))


def gpu(*, has_counter: bool, averaged_s: float = 0.0) -> Equipment:
    """Return a machine whose GPU does the work."""
    name = "nvmlDeviceGetPowerUsage" if averaged_s else "NVML_FI_DEV_POWER_INSTANT"
    device = Gpu(
        handle=None,
        uuid="GPU-truth",
        model="NVIDIA L4",
        counter=has_counter,
        power=PowerField(name, "gpu", lambda: 0, averaged_s),
        shared=None,
    )
    return Equipment("auto", "cuda", None, "none", None, device, None, None, synchronized=True)


PACKAGE: Final = Zone("intel-rapl:0", "cpu_package", 0, Path("package"), RANGE_UJ, None)
DRAM: Final = Zone("intel-rapl:0:0", "dram", 0, Path("dram"), DRAM_RANGE_UJ, None)


def cpu(*zones: Zone) -> Equipment:
    """Return a machine whose CPU does the work."""
    return Equipment("auto", "cpu", Zones(zones), None, 1, None, "no GPU", None, synchronized=False)


def counted_gpu(energy: Curve, rng: Generator, *, gain: float) -> Trace:
    """Return a window of a GPU with a counter, updated every 20 to 100 ms, and instant power."""
    at = reads(rng, energy.window_s)
    units = counter(energy, at, rng, gain=gain, period_s=rng.uniform(0.02, 0.1), unit_j=1e-3)
    gauge = reads(rng, energy.window_s)
    watts = power(energy, gauge, rng, gain=gain, mean_s=0.025)
    return trace(
        energy.window_s,
        samples(COUNTER, "energy_mj", at, 7e6 + units),
        samples(GAUGES, "power_mw", gauge, np.round(1000.0 * watts)),
    )


def sampled_gpu(energy: Curve, rng: Generator, *, gain: float, mean_s: float) -> Trace:
    """Return a window of a GPU that shows power alone: of the last ``mean_s``, refreshed every 100 ms."""
    at = reads(rng, energy.window_s)
    watts = power(energy, at, rng, gain=gain, mean_s=mean_s)
    return trace(energy.window_s, samples(GAUGES, "power_mw", at, np.round(1000.0 * watts)))


def rapl(energy: Curve, rng: Generator, *, gain: float, zone: Zone = PACKAGE) -> list[Sample]:
    """Return the samples of a zone whose counter wraps within or near the window."""
    assert zone.range_uj is not None
    at = reads(rng, energy.window_s)
    units = counter(energy, at, rng, gain=gain, period_s=0.001, unit_j=2.0**-14)
    begin_uj = zone.range_uj - rng.uniform(0.0, 1.5) * 1e6 * energy.true_j
    return samples(RAPL, zone.key, at, np.floor(begin_uj + units * 2.0**-14 * 1e6) % zone.range_uj)
