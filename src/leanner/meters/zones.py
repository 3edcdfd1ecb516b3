"""The RAPL counters of this machine, found through powercap, each once.

``psys`` contains the packages and is left out, a package that both the MSR and the MMIO
driver show is read through the MSR one, and dies that repeat their package's counter count
as one (facts of the kernel's ``intel_rapl`` drivers).
"""

from __future__ import annotations

import re

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leanner.meters.errors import UnmeasurableError


POWERCAP: Final = Path("/sys/class/powercap")

PERMISSION: Final = (
    "energy_uj is readable by root only since Linux 5.10 (CVE-2020-8694, power side channel); to allow it until the "
    "next boot: `sudo chmod a+r /sys/class/powercap/*rapl*/energy_uj`, for good: a udev rule "
    '`SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj"`'
)

NO_POWERCAP: Final = (
    "this machine shows no RAPL zone under {root}: a virtual machine, a container that hides it, a CPU without RAPL, "
    "or the module is not loaded (`sudo modprobe intel_rapl_msr`)"
)

# Two counters of one package this close, in microjoules, are one counter read twice: counters
# that wrap at 65 kJ or more agree to 0.1 J by chance about three times in a million.
_SAME_COUNTER_UJ: Final = 100_000

_PACKAGE: Final = re.compile(r"package-(\d+)(?:-die-(\d+))?$")

#: Reads a file of sysfs.
ReadText = Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Zone:
    """One energy counter.

    Attributes:
        key: Name of the folder, ``intel-rapl:0:1``; the channel in a trace.
        domain: ``cpu_package``, ``cpu_core`` or ``dram``.
        package: Number of the package it belongs to; ``None`` if its name does not say.
        path: The counter, in microjoules.
        range_uj: Where it wraps; ``None`` if this cannot be read.
        reason: Why the counter cannot be read; ``None`` if it can.
    """

    key: str
    domain: str
    package: int | None
    path: Path
    range_uj: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Zones:
    """The counters of this machine, each once, and what was left out."""

    found: tuple[Zone, ...]
    notes: tuple[str, ...] = ()

    def of(self, domain: str) -> tuple[Zone, ...]:
        """Return the zones of ``domain``."""
        return tuple(zone for zone in self.found if zone.domain == domain)


def read_text(path: Path) -> str:
    """Return the content of a file of sysfs."""
    return path.read_text(encoding="ascii")


def discover(root: Path = POWERCAP, read: ReadText = read_text) -> Zones:
    """Find the zones under ``root``.

    Raises:
        UnmeasurableError: There is none.
    """
    folders = {path.name: path for path in _folders(root)}
    names: dict[str, str] = {}
    notes: list[str] = []
    for key, folder in sorted(folders.items()):
        try:
            names[key] = read(folder / "name").strip()
        except (OSError, ValueError) as error:
            notes.append(f"RAPL zone {key} left out: its name cannot be read ({why(error)})")
    packages = {key: match for key, name in names.items() if (match := _PACKAGE.match(name))}
    msr = {int(match[1]) for key, match in packages.items() if not _is_mmio(key)}
    zones: list[Zone] = []
    for key, name in names.items():
        top = ":".join(key.split(":")[:2])
        package = int(packages[top][1]) if top in packages else None
        domain = "cpu_package" if key in packages else {"core": "cpu_core", "dram": "dram"}.get(name)
        if domain is None or (_is_mmio(key) and package in msr):
            continue
        zones.append(_zone(key, domain, package, folders[key], read))
    if not zones:
        raise UnmeasurableError(NO_POWERCAP.format(root=root))
    kept, repeated = _without_repeats(zones, read)
    return Zones(tuple(kept), (*notes, *repeated))


def _folders(root: Path) -> list[Path]:
    try:
        flat = list(root.glob("*rapl*:*"))
        # A container may be given the control type alone, without the flat links.
        return flat or [*root.glob("*rapl*/*rapl*:*"), *root.glob("*rapl*/*rapl*:*/*rapl*:*")]
    except OSError:
        return []


def _is_mmio(key: str) -> bool:
    return "mmio" in key


def _zone(key: str, domain: str, package: int | None, folder: Path, read: ReadText) -> Zone:
    path = folder / "energy_uj"
    reason = None
    try:
        int(read(path))
    except (OSError, ValueError) as error:
        reason = f"{key}: {why(error)}"
    try:
        range_uj: int | None = int(read(folder / "max_energy_range_uj"))
    except (OSError, ValueError):
        range_uj = None
    return Zone(key, domain, package, path, range_uj or None, reason)


def _without_repeats(zones: Sequence[Zone], read: ReadText) -> tuple[list[Zone], list[str]]:
    """Drop dies that show their package's counter again (AMD since the kernel knows CCDs)."""
    kept: list[Zone] = []
    notes: list[str] = []
    for zone in zones:
        twin = next((other for other in kept if _shows_the_same(zone, other, read)), None)
        if twin is None:
            kept.append(zone)
        else:
            notes.append(f"RAPL zone {zone.key} repeats the counter of {twin.key} and is counted once")
    return kept, notes


def _shows_the_same(zone: Zone, other: Zone, read: ReadText) -> bool:
    if (zone.domain, zone.package) != (other.domain, other.package) or zone.reason or other.reason:
        return False
    if zone.package is None:
        return False
    try:
        looks = [(int(read(zone.path)), int(read(other.path))) for _ in range(2)]
    except (OSError, ValueError):
        return False
    return all(abs(a - b) < _SAME_COUNTER_UJ for a, b in looks)


def why(error: Exception) -> str:
    """Return in words why a file of sysfs gave no number, with the remedy where there is one."""
    if isinstance(error, PermissionError):
        return f"permission denied; {PERMISSION}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"not a number ({error})"
