"""Whether the interval of a window's joules is as narrow as long windows promise: said where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.uncertainty import interval


if TYPE_CHECKING:
    from leanner.meters.reading import EnergyDomain


#: Windows from which on something is promised, in seconds.
FROM_S: Final = 10.0
#: Half of the interval, in percent of the joules.
MOST_PCT: Final = 6.0
#: Its random part.
MOST_RANDOM_PCT: Final = 1.0
#: The devices that do the work. What DRAM's sensor is off by is more than this.
_OF: Final = ("cpu_package", "gpu")


def notes(energy: Mapping[str, EnergyDomain], window_s: float) -> list[str]:
    """Return what a reader must know of intervals that are wider than promised.

    Args:
        energy: Of a window, by domain.
        window_s: Its length.
    """
    return [] if window_s < FROM_S else [note for name in _OF for note in _of(name, energy[name])]


def _of(name: str, domain: EnergyDomain) -> list[str]:
    if domain.j is None or domain.j <= 0.0 or domain.uncertainty is None:
        return []
    found = interval(domain.j, [domain.uncertainty])
    half_pct, random_pct = 100.0 * (found.high_j - found.j) / found.j, found.random_pct or 0.0
    if half_pct <= MOST_PCT and random_pct <= MOST_RANDOM_PCT:
        return []
    note = (
        f"{name}: joules to ±{half_pct:.1f} %, of which ±{random_pct:.1f} % are random, where windows of {FROM_S:g} s "
        f"promise {MOST_PCT:g} and {MOST_RANDOM_PCT:g}: power changed between samples, or the sampler paused"
    )
    return [note]
