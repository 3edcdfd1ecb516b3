"""CPU joules from RAPL: package, core and DRAM, each counter modulo its own range."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from leanner.meters.arithmetic import beside_window_s
from leanner.meters.arithmetic import counter_increase
from leanner.meters.arithmetic import require_edges
from leanner.meters.clock import seconds
from leanner.meters.errors import UnmeasurableError
from leanner.meters.noise import phase_sd_j
from leanner.meters.reading import EnergyDomain
from leanner.meters.sensors import RAPL_UNIT_J
from leanner.meters.sensors import RAPL_UPDATE_S
from leanner.meters.sensors import UPDATES
from leanner.meters.sensors import gain_bound
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from leanner.meters.trace import Trace
from leanner.meters.uncertainty import Uncertainty
from leanner.meters.uncertainty import over_windows
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
    if reason is None and domain == "dram":
        reason = _dram_missing(zones)
    if reason is not None:
        return EnergyDomain.unknown(reason)
    parts: list[tuple[float, Uncertainty]] = []
    for zone in mine:
        try:
            points = require_edges(trace, SOURCE, zone.key)
            joules = _increase_j(zone, points)
            _require_movement(joules, trace.window_s)
            parts.append((joules, _uncertainty(domain, joules, beside_window_s(points, trace), trace.window_s)))
        except UnmeasurableError as error:
            return EnergyDomain.unknown(f"{zone.key}: {error}")
    total_j = sum(joules for joules, _ in parts)
    if total_j == 0.0:
        return EnergyDomain.unknown(f"the counter did not move within the window of {trace.window_s:.3f} s")
    return EnergyDomain(
        total_j,
        "rapl",
        detail=", ".join(zone.key for zone in mine),
        # Sockets of one kind share their gain: their bounds add up, as those of windows do.
        uncertainty=over_windows([uncertainty for _, uncertainty in parts]),
    )


def _dram_missing(zones: Zones) -> str | None:
    """Return why DRAM zones do not tell all of the memory; ``None`` if every package has one."""
    packages, dram = ({zone.package for zone in zones.of(domain)} for domain in ("cpu_package", "dram"))
    if packages == dram:
        return None
    return (
        f"expected DRAM zones of the same packages as the package zones ({_numbers(packages)}), "
        f"found those of {_numbers(dram)}: the sum would miss joules"
    )


def _numbers(packages: set[int | None]) -> str:
    named = [str(number) for number in sorted(number for number in packages if number is not None)]
    return ", ".join([*named, *(["unknown"] if None in packages else [])]) or "none"


def _require_movement(joules: float, window_s: float) -> None:
    """Check that a counter moved, where its window is long enough for it: what is on draws something.

    Raises:
        UnmeasurableError: It stands still.
    """
    if joules == 0.0 and window_s >= UPDATES * RAPL_UPDATE_S:
        raise UnmeasurableError(f"the counter did not move within the window of {window_s:.3f} s")


def _uncertainty(domain: str, joules: float, beside_s: float, window_s: float) -> Uncertainty:
    mean_w = joules / window_s
    return Uncertainty(
        systematic_j=gain_bound(domain) * joules + beside_s * mean_w + RAPL_UNIT_J,
        random_j=phase_sd_j(mean_w, RAPL_UPDATE_S),
    )


def _increase_j(zone: Zone, points: Sequence[tuple[int, float]]) -> float:
    try:
        rise = counter_increase(points, modulus=zone.range_uj, ceiling_per_s=CEILING_W * _UJ_PER_J)
    except UnmeasurableError as error:
        unread = "" if zone.range_uj else "; max_energy_range_uj cannot be read, so a wrap cannot be told from a reset"
        raise UnmeasurableError(f"{error}{unread}") from error
    return rise / _UJ_PER_J


def peak_w(zones: Zones, trace: Trace) -> float | None:
    """Return the highest package watts between two samples at least half an interval apart."""
    return max(
        (
            (later_j - earlier_j) / pause_s
            for (earlier_ns, earlier_j), (later_ns, later_j) in pairwise(risen_j("cpu_package", zones, trace))
            if (pause_s := seconds(later_ns - earlier_ns)) >= 0.5 * trace.interval_s
        ),
        default=None,
    )


def risen_j(domain: str, zones: Zones, trace: Trace) -> list[tuple[int, float]]:
    """Return the joules of a domain since its first sample, over time, where all of its zones were read.

    No check of anything: the joules of a window are those of ``energies``.
    """
    ranges = {zone.key: zone.range_uj for zone in zones.of(domain) if zone.reason is None}
    seen = [sample for sample in trace.of(SOURCE) if all(key in sample.values for key in ranges)] if ranges else []
    risen = [(sample.t_ns, 0.0) for sample in seen[:1]]
    for earlier, later in pairwise(seen):
        steps = [(later.values[key] - earlier.values[key], span) for key, span in ranges.items()]
        step_uj = sum(step % span if step < 0 and span else step for step, span in steps)
        risen.append((later.t_ns, risen[-1][1] + step_uj / _UJ_PER_J))
    return risen
