"""CPU joules from RAPL: package, core and DRAM, each counter modulo its own range."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from leanner.meters.arithmetic import counter_increase
from leanner.meters.arithmetic import require_edges
from leanner.meters.clock import seconds
from leanner.meters.errors import UnmeasurableError
from leanner.meters.reading import EnergyDomain
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from leanner.meters.trace import Trace
from leanner.meters.zones import ReadText
from leanner.meters.zones import Zone
from leanner.meters.zones import Zones
from leanner.meters.zones import read_text
from leanner.meters.zones import why


SOURCE: Final = "rapl"

#: No zone draws more than this, in watts: more is a reset, not a wrap.
CEILING_W: Final = 1000.0

_UJ_PER_J: Final = 1_000_000.0


class RaplSource:
    """Reads every readable zone: one channel each, in microjoules."""

    def __init__(self, zones: Zones, read: ReadText = read_text) -> None:
        self._zones = tuple(zone for zone in zones.found if zone.reason is None)
        self._read = read

    @property
    def name(self) -> str:
        """Stands in the trace."""
        return SOURCE

    def sample(self, moment: Moment) -> Observation:  # noqa: ARG002 - edges are read like ticks
        """Read the counters; one that cannot be read now is a gap."""
        values: dict[str, float] = {}
        failures: dict[str, str] = {}
        for zone in self._zones:
            try:
                values[zone.key] = int(self._read(zone.path))
            except (OSError, ValueError) as error:
                failures[zone.key] = why(error)
        return Observation(values, failures)


def energies(zones: Zones, trace: Trace, sockets: int | None = None) -> dict[str, EnergyDomain]:
    """Return package, core and DRAM joules of a window.

    Args:
        zones: The counters, as found.
        trace: Their samples.
        sockets: CPU sockets of the machine, where known: a package without a zone is missing joules.
    """
    return {domain: _energy(domain, zones, trace, sockets) for domain in ("cpu_package", "cpu_core", "dram")}


def available(zones: Zones, sockets: int | None = None) -> str | None:
    """Return why the packages cannot be metered; ``None`` if they can."""
    packages = zones.of("cpu_package")
    if not packages:
        return "there is no package zone"
    seen = len({zone.package for zone in packages})
    if sockets is not None and seen < sockets:
        return f"{sockets} CPU sockets, but package zones of only {seen}: the sum would miss joules"
    return next((zone.reason for zone in packages if zone.reason is not None), None)


def _energy(domain: str, zones: Zones, trace: Trace, sockets: int | None) -> EnergyDomain:
    mine = zones.of(domain)
    if not mine and domain != "cpu_package":
        return EnergyDomain.unknown(f"this CPU has no {domain.removeprefix('cpu_')} zone", expected=False)
    reason = available(zones, sockets) if domain == "cpu_package" else next((z.reason for z in mine if z.reason), None)
    if reason is not None:
        return EnergyDomain.unknown(reason)
    total_j = 0.0
    for zone in mine:
        try:
            points = require_edges(trace, SOURCE, zone.key)
            total_j += _increase_j(zone, points)
        except UnmeasurableError as error:
            return EnergyDomain.unknown(f"{zone.key}: {error}")
    if total_j == 0.0:
        return EnergyDomain.unknown(f"the counter did not move within the window of {trace.window_s:.3f} s")
    return EnergyDomain(total_j, "rapl", detail=", ".join(zone.key for zone in mine))


def _increase_j(zone: Zone, points: Sequence[tuple[int, float]]) -> float:
    try:
        rise = counter_increase(points, modulus=zone.range_uj, ceiling_per_s=CEILING_W * _UJ_PER_J)
    except UnmeasurableError as error:
        unread = "" if zone.range_uj else "; max_energy_range_uj cannot be read, so a wrap cannot be told from a reset"
        raise UnmeasurableError(f"{error}{unread}") from error
    return rise / _UJ_PER_J


def peak_w(zones: Zones, trace: Trace) -> float | None:
    """Return the highest package watts between two samples at least half an interval apart."""
    packages = [zone for zone in zones.of("cpu_package") if zone.reason is None]
    ranges: Mapping[str, int | None] = {zone.key: zone.range_uj for zone in packages}
    seen = [s for s in trace.of(SOURCE) if all(key in s.values for key in ranges)]
    peak: float | None = None
    for earlier, later in pairwise(seen):
        pause_s = seconds(later.t_ns - earlier.t_ns)
        if not packages or pause_s < 0.5 * trace.interval_s:
            continue
        steps = [later.values[key] - earlier.values[key] for key in ranges]
        rises = [
            step % span if step < 0 and (span := ranges[key]) else step for key, step in zip(ranges, steps, strict=True)
        ]
        watts = sum(rises) / _UJ_PER_J / pause_s
        peak = watts if peak is None else max(peak, watts)
    return peak
