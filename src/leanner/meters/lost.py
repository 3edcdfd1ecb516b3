"""A reading whose sampler was lost: what the edges suffice for stays, the rest is unknown."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.reading import EnergyDomain


if TYPE_CHECKING:
    from leanner.meters.reading import Reading


#: Fields that are a peak or a mean over the ticks.
_OF_TICKS: Final = ("gpu_utilization_pct", "peak_host_mb", "peak_vram_mb")


def without_ticks(reading: Reading, why: str, never: Collection[str]) -> Reading:
    """Return ``reading`` without what needs ticks, and in doubt.

    A counter that was read at both edges still counts, and the cgroup's and the allocator's
    peaks are kept by the kernel and by torch. Power samples, means and peaks are gone.

    Args:
        reading: What the edges gave.
        why: How the sampler was lost.
        never: Domains that this machine could not have metered anyway.
    """
    energy = {name: _domain(domain, why, lost=name not in never) for name, domain in reading.energy.items()}
    gone = [name for name in _OF_TICKS if getattr(reading, name) is not None]
    power = reading.power
    if energy[power.of].j is None:
        power = replace(power, mean_w=None)
    if reading.power.mean_w is not None:
        gone.append("power")
    return replace(
        reading,
        energy=energy,
        power=replace(power, peak_w=None),
        gpu_utilization_pct=None,
        peak_host_mb=None,
        peak_vram_mb=None,
        suspect=True,
        reasons={**reading.reasons, **dict.fromkeys(gone, why)},
    )


def _domain(domain: EnergyDomain, why: str, *, lost: bool) -> EnergyDomain:
    if domain.source == "nvml-power":
        return EnergyDomain.unknown(why, expected=domain.expected)
    if domain.j is None and domain.expected and lost:
        # The counter may have wrapped meanwhile, or there were too few power samples.
        return EnergyDomain.unknown(f"{domain.reason}; {why}")
    return domain
