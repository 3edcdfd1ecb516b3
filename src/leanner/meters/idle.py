"""What the machine draws when it does nothing, and joules without it."""

from __future__ import annotations

import time

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanner.meters.reading import ADDED
from leanner.meters.reading import Reading


if TYPE_CHECKING:
    from leanner.meters.meter import EnergyMeter


@dataclass(frozen=True, slots=True)
class Idle:
    """Mean watts by domain while nothing was asked of the machine.

    Attributes:
        window_s: Seconds of the measurement.
        watts: By domain; ``None`` where unknown.
        reasons: Why, by domain.
    """

    window_s: float
    watts: Mapping[str, float | None]
    reasons: Mapping[str, str]


def measure_idle(meter: EnergyMeter, seconds: float, sleep: Callable[[float], None] = time.sleep) -> Idle:
    """Measure ``seconds`` of idleness; load the tagger before if its presence is to count as idle.

    Raises:
        MeterError: A window of ``meter`` is open.
    """
    with meter.window() as window:
        sleep(seconds)
    reading = window.reading
    known = {name: domain.j for name, domain in reading.energy.items() if domain.source != "estimate"}
    return Idle(
        window_s=reading.window_s,
        watts={name: None if (j := known.get(name)) is None else j / reading.window_s for name in reading.energy},
        reasons={
            name: domain.reason or "an estimate from CPU time knows no idle power"
            for name, domain in reading.energy.items()
            if known.get(name) is None
        },
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
