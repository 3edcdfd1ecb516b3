"""A powercap tree as the kernel lays it out, with counters that tests move."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Final


#: As on most Intel servers: 2**32 - 1 energy units of 61 microjoules.
RANGE_UJ: Final = 262_143_328_850
DRAM_RANGE_UJ: Final = 65_712_999_613
AMD_RANGE_UJ: Final = 65_532_610_987


@dataclass
class FakePowercap:
    """Zones in ``root/intel-rapl/intel-rapl:0/…`` with flat links in ``root``, as in ``/sys/class/powercap``.

    Attributes:
        root: What stands for ``/sys/class/powercap``.
        denied: Files that ``read`` refuses as the kernel does to all but root (a mode of 0 would not stop root).
        broken: Files that ``read`` fails on with an I/O error.
        reads: How often each file was read.
    """

    root: Path
    denied: set[Path] = field(default_factory=set)
    broken: set[Path] = field(default_factory=set)
    reads: dict[Path, int] = field(default_factory=dict)

    def add(self, key: str, name: str, *, energy_uj: int = 1_000_000, range_uj: int | None = RANGE_UJ) -> Path:
        """Make a zone; ``intel-rapl:0:1`` lies within ``intel-rapl:0``."""
        control, *numbers = key.split(":")
        folder = self.root / control
        for depth in range(1, len(numbers) + 1):
            folder /= ":".join([control, *numbers[:depth]])
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "energy_uj").write_text(f"{energy_uj}\n")
        if range_uj is not None:
            (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
        (self.root / key).symlink_to(folder)
        return folder

    def counter(self, key: str) -> Path:
        """Return the file that readers of the flat links open."""
        return self.root / key / "energy_uj"

    def spend(self, key: str, joules: float) -> None:
        """Let a zone's counter rise, and wrap where its range ends."""
        path = self.counter(key)
        span = self.root / key / "max_energy_range_uj"
        total = int(path.read_text()) + round(joules * 1e6)
        path.write_text(f"{total % int(span.read_text()) if span.exists() else total}\n")

    def set(self, key: str, energy_uj: int) -> None:
        """Set a counter, as a reset does."""
        self.counter(key).write_text(f"{energy_uj}\n")

    def read(self, path: Path) -> str:
        """Read as the kernel would answer."""
        self.reads[path] = self.reads.get(path, 0) + 1
        if path in self.denied:
            raise PermissionError(13, "Permission denied", str(path))
        if path in self.broken:
            raise OSError(5, "Input/output error", str(path))
        return path.read_text(encoding="ascii")


@dataclass
class QuickPowercap(FakePowercap):
    """Counters that rise in memory: through thousands of samples, files would be slow."""

    _uj: dict[Path, int] = field(default_factory=dict)

    def spend(self, key: str, joules: float) -> None:
        """Let a zone's counter rise, and wrap where its range ends."""
        path = self.counter(key)
        span = int(self.read(self.root / key / "max_energy_range_uj"))
        self._uj[path] = (int(self.read(path)) + round(joules * 1e6)) % span

    def read(self, path: Path) -> str:
        """Read as the kernel would answer; what rises in memory neither fails nor is counted."""
        return str(self._uj[path]) if path in self._uj else super().read(path)


def intel(root: Path) -> FakePowercap:
    """Two packages with core and DRAM each, and psys, which contains both."""
    tree = FakePowercap(root)
    for number in (0, 1):
        tree.add(f"intel-rapl:{number}", f"package-{number}", energy_uj=5_000_000_000 * (number + 1))
        tree.add(f"intel-rapl:{number}:0", "core")
        tree.add(f"intel-rapl:{number}:1", "dram", range_uj=DRAM_RANGE_UJ)
    tree.add("intel-rapl:2", "psys")
    return tree


def intel_laptop(root: Path) -> FakePowercap:
    """One package with core and uncore, psys, and the package again through the MMIO driver."""
    tree = FakePowercap(root)
    tree.add("intel-rapl:0", "package-0")
    tree.add("intel-rapl:0:0", "core")
    tree.add("intel-rapl:0:1", "uncore")
    tree.add("intel-rapl:1", "psys")
    tree.add("intel-rapl-mmio:0", "package-0", energy_uj=77_000_000_000)
    return tree


def amd(root: Path) -> FakePowercap:
    """One package with core, no DRAM."""
    tree = FakePowercap(root)
    tree.add("intel-rapl:0", "package-0", range_uj=AMD_RANGE_UJ)
    tree.add("intel-rapl:0:0", "core", range_uj=AMD_RANGE_UJ)
    return tree


def dies(root: Path, *, own_counters: bool) -> FakePowercap:
    """One package of two dies, with a counter each, or with the package's counter shown twice."""
    tree = FakePowercap(root)
    for die in (0, 1):
        energy_uj = 3_000_000_000 + (die * 700_000_000 if own_counters else die * 900)
        tree.add(f"intel-rapl:{die}", f"package-0-die-{die}", energy_uj=energy_uj)
    return tree
