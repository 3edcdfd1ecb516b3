"""In what state the GPU was during a window: temperature, throttling, who else was on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.nvml import GAUGES


if TYPE_CHECKING:
    from leanner.meters.device import Gpu
    from leanner.meters.trace import Trace


#: Clock event reasons that slow a run down, by bit (nvml.h, ``nvmlClocksEventReason…``).
THROTTLING: Final[Mapping[int, str]] = {
    0x04: "software power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}

#: Degrees that a GPU may warm by within a window before this is said: warmer silicon leaks more.
WARMING_C: Final = 10


@dataclass(frozen=True, slots=True)
class GpuState:
    """The device under test during a window.

    Attributes:
        uuid: As NVML names it.
        power_field: What watts were read from; ``None`` if they cannot be.
        scope: ``gpu``, or ``module`` where the power field covers more (Grace Hopper).
        temperature_min_c: Degrees Celsius, lowest sample.
        temperature_max_c: Highest sample.
        throttled: Share of the samples by reason, empty if none; ``None`` if NVML does not tell.
        foreign_pids: Processes beside the measured ones that were on it, empty if none; ``None`` if they cannot be
            listed, or not told apart.
        reasons: Why ``throttled`` or ``foreign_pids`` is ``None``, by its name.
    """

    uuid: str
    power_field: str | None
    scope: str | None
    temperature_min_c: float | None
    temperature_max_c: float | None
    throttled: Mapping[str, float] | None
    foreign_pids: tuple[int, ...] | None
    reasons: Mapping[str, str] = field(default_factory=dict)


def gpu_state(gpu: Gpu, trace: Trace) -> tuple[GpuState, list[str]]:
    """Return the state of the GPU, and what of it a reader must know.

    Args:
        gpu: The device.
        trace: Samples of a ``GaugeSource``.
    """
    degrees = [value for _, value in trace.series(GAUGES, "temperature_c")]
    events = [int(value) for _, value in trace.series(GAUGES, "clock_events")]
    counts = {name: sum(bool(seen & bit) for seen in events) for bit, name in THROTTLING.items()}
    beside = strangers(trace)
    told_apart = ours(trace)
    reasons: dict[str, str] = {}
    if not events:
        reasons["throttled"] = last_gap(trace, "clock_events")
    if (unlisted := _unlisted(trace, beside, told_apart=told_apart)) is not None:
        reasons["foreign_pids"] = unlisted
    state = GpuState(
        uuid=gpu.uuid,
        power_field=None if gpu.power is None else gpu.power.name,
        scope=None if gpu.power is None else gpu.power.scope,
        temperature_min_c=min(degrees, default=None),
        temperature_max_c=max(degrees, default=None),
        throttled={name: count / len(events) for name, count in counts.items() if count} if events else None,
        foreign_pids=tuple(sorted(beside)) if unlisted is None else None,
        reasons=reasons,
    )
    notes = [f"GPU throttled: {name} in {count} of {len(events)} samples" for name, count in counts.items() if count]
    if degrees and max(degrees) - min(degrees) > WARMING_C:
        notes.append(f"GPU temperature moved from {min(degrees):.0f} to {max(degrees):.0f} °C within the window")
    if beside:
        pids = ", ".join(map(str, sorted(beside)))
        who = (
            "foreign processes on the GPU"
            if told_apart
            else "processes on the GPU that cannot be told from this one (a container's ids are not the host's)"
        )
        notes.append(f"{who}: {pids}")
    return state, notes


def _unlisted(trace: Trace, beside: frozenset[int], *, told_apart: bool) -> str | None:
    """Return why it is not known who else was on the device; ``None`` if it is."""
    if not trace.series(GAUGES, "processes"):
        return last_gap(trace, "vram_b")
    if not told_apart:
        if beside:
            return "no process on the GPU has a process id of this tree: in a container, NVML counts the host's"
        return "NVML shows no process on the GPU, not even of this tree: it may not show those of others either"
    # One that fails still at the end, at every try, and not once in between.
    failures = list(trace.of(GAUGES))[-1].failures
    for channel, who in (("graphics", "graphics processes"), ("mps", "clients of the Multi-Process Service")):
        if channel in failures:
            return f"NVML does not list {who}: {failures[channel]}"
    return None


def last_gap(trace: Trace, channel: str) -> str:
    """Return why a gauge has no sample."""
    gaps = trace.gaps(GAUGES, channel)
    return gaps[-1] if gaps else f"NVML gave no {channel}"


def strangers(trace: Trace) -> frozenset[int]:
    """Return the ids of the processes on the device that are not of the measured tree."""
    return frozenset(
        int(channel.removeprefix("foreign."))
        for sample in trace.of(GAUGES)
        for channel in sample.values
        if channel.startswith("foreign.")
    )


def ours(trace: Trace) -> bool:
    """Return whether a process of the measured tree was seen on the device: ids can be told apart."""
    return any(count for _, count in trace.series(GAUGES, "processes"))
