"""What a meter returns for one window: joules by domain with their source, watts, and peak memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Final
from typing import Literal
from typing import NewType
from typing import get_args


if TYPE_CHECKING:
    from leanner.meters.gpu_state import GpuState
    from leanner.meters.trace import Trace
    from leanner.meters.uncertainty import Uncertainty


#: Source of a meter from outside: ``plugged:`` and the name of its entry point.
PluggedSource = NewType("PluggedSource", str)
PLUGGED: Final = "plugged:"

_OWN = Literal["nvml-counter", "nvml-power", "rapl", "estimate", "none"]

#: Where a joule comes from.
EnergySource = _OWN | PluggedSource

#: Those of leanner's own meters.
SOURCES: Final = ("nvml-counter", "nvml-power", "rapl", "estimate", "none")

#: Every reading has these domains, known or not.
DOMAINS: Final = ("gpu", "cpu_package", "cpu_core", "dram")

#: Domains that lie beside each other. ``cpu_core`` lies inside ``cpu_package`` (RAPL's
#: PP0 plane is part of PKG) and is never added; DRAM has a plane of its own (Intel SDM
#: vol. 3B, 16.10, "RAPL Domains and Platform Specificity") and is.
ADDED: Final = ("gpu", "cpu_package", "dram")


@dataclass(frozen=True, slots=True)
class EnergyDomain:
    """Joules of one domain in one window.

    Attributes:
        j: Joules; ``None`` if unknown, never 0 instead.
        source: Where they come from.
        reason: Why ``j`` is ``None``, and the remedy where there is one.
        expected: Whether this machine, running on this device, should have the domain:
            an expected domain that is unknown makes the total unknown.
        detail: Field, scope or zones that were read.
        uncertainty: How far ``j`` may be off; ``None`` for unknown and for estimated joules.

    Raises:
        ValueError: Joules without a source, an unknown source, or no joules without a reason.
    """

    j: float | None
    source: EnergySource
    reason: str | None = None
    expected: bool = True
    detail: str | None = None
    uncertainty: Uncertainty | None = None

    def __post_init__(self) -> None:
        if (self.j is None) != (self.source == "none") or (self.j is None) != (self.reason is not None):
            raise ValueError(f"expected joules with a source, or None with source 'none' and a reason, found {self}")
        if self.source not in get_args(_OWN) and self.source.removeprefix(PLUGGED) in ("", self.source):
            raise ValueError(
                f"expected a source of {', '.join(get_args(_OWN))} or {PLUGGED}NAME, found {self.source!r}"
            )

    @classmethod
    def unknown(cls, reason: str, *, expected: bool = True) -> EnergyDomain:
        """Return a domain without joules, and why."""
        return cls(None, "none", reason, expected)


@dataclass(frozen=True, slots=True)
class Power:
    """Watts within the window, of the domain that does the work.

    Attributes:
        of: ``gpu`` or ``cpu_package``.
        mean_w: Joules over seconds.
        peak_w: Highest sample.
    """

    of: str
    mean_w: float | None
    peak_w: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One window. A field that is ``None`` has its reason in ``reasons``, a domain in itself.

    Attributes:
        window_s: Seconds between the edges.
        energy: One entry for each of ``DOMAINS``.
        power: Watts of the device under test.
        gpu_utilization_pct: Mean over the samples, in percent.
        peak_host_mb: Peak of the process tree, MB = 10^6 bytes.
        peak_vram_mb: Peak of the process tree on the device, as NVML sees it.
        peak_vram_allocated_mb: Peak of torch's allocator on the device.
        quality: What a reader must know.
        suspect: Whether something in ``quality`` puts the joules in doubt.
        reasons: Why a field is ``None``, by its name.
        trace: The raw samples, from which all of this can be computed again.
        gpu: The device under test; ``None`` where no GPU does the work or NVML does not know it.
        cgroup_peak_mb: Peak of the run's own cgroup, with the page cache and the sampler's memory.
        plugged: Joules of meters from outside, by the names of their entry points; in no total.
        replayed: Recording that the window comes from; ``None`` if it was measured.
    """

    window_s: float
    energy: Mapping[str, EnergyDomain]
    power: Power
    gpu_utilization_pct: float | None
    peak_host_mb: float | None
    peak_vram_mb: float | None
    peak_vram_allocated_mb: float | None
    quality: tuple[str, ...]
    suspect: bool
    reasons: Mapping[str, str]
    trace: Trace = field(repr=False, compare=False)
    gpu: GpuState | None = None
    cgroup_peak_mb: float | None = None
    plugged: Mapping[str, EnergyDomain] = field(default_factory=dict)
    replayed: str | None = None

    @property
    def total_j(self) -> float | None:
        """Joules of all domains, or ``None`` (then see ``total_reason``).

        The sum of the domains in ``ADDED``. A domain that this machine does not have (no
        GPU used, a CPU without a DRAM zone) is left out; one that it should have and that
        is unknown makes the total unknown. Estimated and measured joules are not added.
        """
        return None if self.total_reason is not None else self._sum()

    @property
    def total_reason(self) -> str | None:
        """Why ``total_j`` is ``None``; ``None`` if it is known."""
        for name in ADDED:
            domain = self.energy[name]
            if domain.j is None and domain.expected:
                return f"{name}: {domain.reason}"
        sources = {domain.source for domain in self._known()}
        if not sources:
            return "no domain of this machine has a meter"
        if "estimate" in sources and len(sources) > 1:
            return f"estimated joules are not added to measured ones ({', '.join(sorted(sources))})"
        return None

    def _known(self) -> list[EnergyDomain]:
        return [self.energy[name] for name in ADDED if self.energy[name].j is not None]

    def _sum(self) -> float:
        return sum(domain.j for domain in self._known() if domain.j is not None)
