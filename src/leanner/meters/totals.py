"""Joules of several windows and domains together, with their interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leanner.meters.reading import ADDED
from leanner.meters.uncertainty import interval
from leanner.meters.uncertainty import over_windows


if TYPE_CHECKING:
    from leanner.meters.reading import Reading
    from leanner.meters.uncertainty import Interval
    from leanner.meters.uncertainty import Uncertainty


def domain_uncertainty(name: str, readings: Sequence[Reading]) -> Uncertainty | None:
    """Return the uncertainty of one domain's joules over all windows; ``None`` if one of them has none.

    Args:
        name: One of ``reading.DOMAINS``.
        readings: One for each window.
    """
    parts = [reading.energy[name].uncertainty for reading in readings]
    known = [part for part in parts if part is not None]
    return over_windows(known) if parts and len(known) == len(parts) else None


def domain_interval(name: str, readings: Sequence[Reading]) -> Interval | None:
    """Return one domain's joules over all windows with their interval; ``None`` if they or it are unknown."""
    uncertainty = domain_uncertainty(name, readings)
    joules = [reading.energy[name].j for reading in readings]
    if uncertainty is None or None in joules:
        return None
    return interval(sum(j for j in joules if j is not None), [uncertainty])


def total_interval(readings: Sequence[Reading]) -> tuple[Interval | None, str | None]:
    """Return ``total_j`` over all windows with its interval, or ``None`` and why.

    The domains are those of ``Reading.total_j``. Each has a sensor of its own: what the windows of one share adds up,
    what those of several sensors have does not (``uncertainty.half_width_j``).

    Args:
        readings: One for each window.
    """
    if not readings:
        return None, "there is no window"
    reason = next((reading.total_reason for reading in readings if reading.total_reason is not None), None)
    if reason is not None:
        return None, reason
    names = [name for name in ADDED if any(reading.energy[name].j is not None for reading in readings)]
    sensors: list[Uncertainty] = []
    for name in names:
        uncertainty = domain_uncertainty(name, readings)
        if uncertainty is None:
            return None, f"{name}: {why_none(name, readings)}"
        sensors.append(uncertainty)
    return interval(sum(reading.total_j or 0.0 for reading in readings), sensors), None


def why_none(name: str, readings: Sequence[Reading]) -> str:
    """Return why the joules of a domain have no interval."""
    for reading in readings:
        domain = reading.energy[name]
        if domain.j is None:
            return domain.reason or "unknown"
        if domain.source == "estimate":
            return "joules are estimated, and nothing is known of how far an estimate is off"
    return "too few power samples to tell how far the joules are off: lengthen the window or shorten the interval"
