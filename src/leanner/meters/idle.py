"""What the machine draws when it does nothing, and joules without it.

Measured three times: bare, before anything is loaded and without a CUDA context, which the record shows; and with the
tagger loaded, before and after the rounds. ``between`` takes the mean of these two, which is subtracted.
Each time, the machine is left alone first until a power reading has nothing of the work before.
"""

from __future__ import annotations

import math
import time

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from leanner.meters.combine import settling_s
from leanner.meters.reading import ADDED
from leanner.meters.reading import Reading
from leanner.meters.sensors import gain_bound
from leanner.meters.spread import spread_w
from leanner.meters.totals import domain_uncertainty
from leanner.meters.totals import why_none
from leanner.meters.uncertainty import Interval
from leanner.meters.uncertainty import Uncertainty
from leanner.meters.uncertainty import interval


if TYPE_CHECKING:
    from leanner.meters.combine import Equipment
    from leanner.meters.meter import Meter
    from leanner.meters.meter import WindowKind


@dataclass(frozen=True, slots=True)
class Idle:
    """Mean watts by domain while nothing was asked of the machine.

    Attributes:
        window_s: Seconds of the measurement.
        watts: By domain; ``None`` where unknown.
        reasons: Why, by domain; also why ``random_w`` is, where ``watts`` are known.
        random_w: Standard deviation of ``watts``, sensor and spread: by domain, where known.
        drift_w: How far two measurements of it lie apart: by domain, where it was measured twice.
        lag_w: Bound of what is off beside the gain, above all the lag of an averaged reading: by domain, where known.
        quality: What a reader must know of the windows.
        suspect: Whether something in it puts the watts in doubt.
    """

    window_s: float
    watts: Mapping[str, float | None]
    reasons: Mapping[str, str]
    random_w: Mapping[str, float] = field(default_factory=dict)
    drift_w: Mapping[str, float] = field(default_factory=dict)
    lag_w: Mapping[str, float] = field(default_factory=dict)
    quality: tuple[str, ...] = ()
    suspect: bool = False


def measure_idle(
    meter: Meter,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    *,
    kind: WindowKind = "idle-after",
) -> Idle:
    """Measure ``seconds`` of idleness; load the tagger before if its presence is to count as idle.

    Args:
        meter: Measures the window.
        seconds: How long it is to be.
        sleep: Waits, before the window until the readings have settled (``settling_s``), and within it.
        kind: What the window is.

    Raises:
        MeterError: A window of ``meter`` is open.
    """
    if (settling := settling_s(meter.equipment)) > 0.0:
        sleep(settling)
    with meter.window(kind, rounds=0) as window:
        sleep(seconds)
    return idle_of(window.reading, meter.equipment)


def idle_of(reading: Reading, equipment: Equipment) -> Idle:
    """Return the idle power of a window in which nothing was asked of the machine.

    Args:
        reading: What was measured.
        equipment: What it was measured with.
    """
    watts: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    random_w: dict[str, float] = {}
    lag_w: dict[str, float] = {}
    for name, domain in reading.energy.items():
        if domain.j is None or domain.source == "estimate":
            watts[name] = None
            reasons[name] = domain.reason or "an estimate from CPU time knows no idle power"
            continue
        watts[name] = domain.j / reading.window_s
        if domain.uncertainty is not None:
            sensor_w = domain.uncertainty.random_j / reading.window_s
            lag_w[name] = _beside_gain_j(name, domain.j, domain.uncertainty) / reading.window_s
            spread, why = spread_w(equipment, reading.trace, name)
            if spread is None:
                reasons[name] = why or "its spread is unknown"
                continue
            random_w[name] = math.hypot(sensor_w, spread)
    return Idle(
        reading.window_s, watts, reasons, random_w, lag_w=lag_w, quality=reading.quality, suspect=reading.suspect
    )


def between(before: Idle, after: Idle) -> Idle:
    """Return the mean of the idle power before and after the rounds, with its drift."""
    watts: dict[str, float | None] = {}
    random_w: dict[str, float] = {}
    drift_w: dict[str, float] = {}
    lag_w: dict[str, float] = {}
    for name, first in before.watts.items():
        second = after.watts.get(name)
        if first is None or second is None:
            watts[name] = None
            continue
        watts[name] = 0.5 * (first + second)
        drift_w[name] = abs(second - first)
        if name in before.random_w and name in after.random_w:
            random_w[name] = 0.5 * math.hypot(before.random_w[name], after.random_w[name])
        if name in before.lag_w and name in after.lag_w:
            # The same sensor lags both times: bounds add up.
            lag_w[name] = 0.5 * (before.lag_w[name] + after.lag_w[name])
    return Idle(
        before.window_s + after.window_s,
        watts,
        {**after.reasons, **before.reasons},
        random_w,
        drift_w,
        lag_w,
        tuple(dict.fromkeys((*before.quality, *after.quality))),
        before.suspect or after.suspect,
    )


def net_energy(reading: Reading, idle: Idle) -> tuple[float | None, str | None]:
    """Return the joules above idle, or ``None`` and why.

    The domains are those of ``total_j``; a net below zero is returned as it is: it says
    that the idle power drifted.
    """
    if reading.total_j is None:
        return None, reading.total_reason
    net_j = 0.0
    for name in ADDED:
        joules = reading.energy[name].j
        if joules is None:
            continue
        watts = idle.watts[name]
        if watts is None:
            return None, f"idle power of {name} is unknown: {idle.reasons[name]}"
        net_j += joules - watts * reading.window_s
    return net_j, None


def net_interval(readings: Sequence[Reading], idle: Idle) -> tuple[Interval | None, str | None]:
    """Return the joules above idle over all windows with their interval, or ``None`` and why.

    One gain scales load and idle alike, so that it bounds the net and not the total; what else is off in the same way
    in all windows, the lag of an averaged reading, adds up over both. Idle power is taken to lie
    anywhere between its two measurements: half their distance bounds the error of the mean, a uniform distribution
    with the variance bound²/3 (JCGM 100:2008, 4.3.7). It differs from case to case, so it is of the random part.

    Args:
        readings: One for each window of the case.
        idle: From ``between``.
    """
    if not readings:
        return None, "there is no window"
    nets = [net_energy(reading, idle) for reading in readings]
    reason = next((reason for _, reason in nets if reason is not None), None)
    if reason is not None:
        return None, reason
    total_s = sum(reading.window_s for reading in readings)
    sensors: list[Uncertainty] = []
    for name in ADDED:
        joules = [reading.energy[name].j for reading in readings]
        if None in joules:
            continue
        loaded = domain_uncertainty(name, readings)
        if loaded is None:
            return None, f"{name}: {why_none(name, readings)}"
        if name not in idle.drift_w or name not in idle.random_w:
            why = idle.reasons.get(name, "it was not measured twice: its drift and spread are unknown")
            return None, f"idle power of {name}: {why}"
        sensors.append(_net_uncertainty(name, sum(j or 0.0 for j in joules), loaded, idle, total_s))
    return interval(sum(j or 0.0 for j, _ in nets), sensors), None


def _net_uncertainty(name: str, joules: float, loaded: Uncertainty, idle: Idle, total_s: float) -> Uncertainty:
    """Return the uncertainty of one domain's joules above idle."""
    net_j = joules - (idle.watts[name] or 0.0) * total_s
    lag_j = _beside_gain_j(name, joules, loaded) + idle.lag_w.get(name, 0.0) * total_s
    drift_j = 0.5 * idle.drift_w[name] * total_s
    return Uncertainty(
        systematic_j=gain_bound(name) * abs(net_j) + lag_j,
        random_j=math.hypot(loaded.random_j, idle.random_w[name] * total_s, drift_j / math.sqrt(3.0)),
    )


def _beside_gain_j(name: str, joules: float, uncertainty: Uncertainty) -> float:
    """Return the bound of what is off in every window beside the gain."""
    return max(0.0, uncertainty.systematic_j - gain_bound(name) * joules)
