"""Watts of one busy core by CPU model, for estimates: thermal design power over physical cores.

No measurement: a core at work may draw half or twice of it. A CPU that is not here needs
``--leanner-watts-per-core``; a guess from its family would pass for a figure of its vendor.
"""

from __future__ import annotations

import re

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leanner.meters.zones import ReadText
from leanner.meters.zones import read_text


CPUINFO: Final = Path("/proc/cpuinfo")

_AMD: Final = "AMD, product specifications, default TDP"
_INTEL: Final = "Intel ARK, product specifications, TDP"


@dataclass(frozen=True, slots=True)
class Cpu:
    """One row of the table.

    Attributes:
        family: Regular expression that its name holds before ``model``.
        model: Regular expression of the model number.
        tdp_w: Thermal design power of a socket.
        cores: Physical cores of a socket.
        source: Where both figures stand.
    """

    family: str
    model: str
    tdp_w: float
    cores: int
    source: str

    @property
    def watts_per_core(self) -> float:
        """Watts of one busy core."""
        return self.tdp_w / self.cores

    def names(self, name: str) -> bool:
        """Return whether ``name``, as in /proc/cpuinfo, is of this row."""
        return re.search(rf"{self.family} {self.model}(?=\s|$)", name) is not None


def _rows(family: str, source: str, rows: dict[str, tuple[float, int]]) -> tuple[Cpu, ...]:
    return tuple(Cpu(family, model, tdp_w, cores, source) for model, (tdp_w, cores) in rows.items())


TABLE: Final[tuple[Cpu, ...]] = (
    # EPYC 9005, 9004, 7003, 7002 and 7001; a P is the same die for one socket.
    *_rows(
        r"AMD EPYC",
        _AMD,
        {
            r"9965": (500, 192),
            r"9755": (500, 128),
            r"9655P?": (400, 96),
            r"9575F": (400, 64),
            r"9555P?": (360, 64),
            r"9455P?": (300, 48),
            r"9355P?": (280, 32),
            r"9754": (360, 128),
            r"9654P?": (360, 96),
            r"9634": (290, 84),
            r"9554P?": (360, 64),
            r"9534": (280, 64),
            r"9474F": (360, 48),
            r"9454P?": (290, 48),
            r"9354P?": (280, 32),
            r"9334": (210, 32),
            r"92[25]4": (200, 24),
            r"9124": (200, 16),
            r"7763": (280, 64),
            r"7713P?": (225, 64),
            r"7643P?": (225, 48),
            r"75F3": (280, 32),
            r"7543P?": (225, 32),
            r"7513": (200, 32),
            r"7443P?": (200, 24),
            r"7413": (180, 24),
            r"7343": (190, 16),
            r"7313P?": (155, 16),
            r"7H12": (280, 64),
            r"7742": (225, 64),
            r"7702P?": (200, 64),
            r"7642": (225, 48),
            r"7542": (225, 32),
            r"7502P?": (180, 32),
            r"7452": (155, 32),
            r"7402P?": (180, 24),
            r"7302P?": (155, 16),
            r"7601": (180, 32),
            r"7551P?": (180, 32),
        },
    ),
    # Xeon Scalable of the fifth to the first generation.
    *_rows(
        r"Xeon\(R\) Platinum",
        _INTEL,
        {
            r"8592\+": (350, 64),
            r"8580": (350, 60),
            r"8570": (350, 56),
            r"8568Y\+": (350, 48),
            r"8558": (330, 48),
            r"8490H": (350, 60),
            r"8480\+": (350, 56),
            r"8470": (350, 52),
            r"8468": (350, 48),
            r"8460Y\+": (300, 40),
            r"8462Y\+": (300, 32),
            r"8380": (270, 40),
            r"8368": (270, 38),
            r"8360Y": (250, 36),
            r"8358": (250, 32),
            r"8352[SY]": (205, 32),
            r"8280L?": (205, 28),
            r"8276L?": (165, 28),
            r"8268": (205, 24),
            r"8260[LY]?": (165, 24),
            r"8180": (205, 28),
            r"8176": (165, 28),
            r"8170": (165, 26),
            r"8168": (205, 24),
            r"8160": (150, 24),
        },
    ),
    *_rows(
        r"Xeon\(R\) (?:Gold|Silver)",
        _INTEL,
        {
            r"6530": (270, 32),
            r"6430": (270, 32),
            r"6448Y": (225, 32),
            r"6438Y\+": (205, 32),
            r"6348": (235, 28),
            r"6338": (205, 32),
            r"6330": (205, 28),
            r"6258R": (205, 28),
            r"6248R": (205, 24),
            r"6248": (150, 20),
            r"6240R": (165, 24),
            r"6230R": (150, 26),
            r"6230": (125, 20),
            r"6226R": (150, 16),
            r"6152": (140, 22),
            r"6148": (150, 20),
            r"6140": (140, 18),
            r"6138": (125, 20),
            r"6130": (125, 16),
            r"4316": (150, 20),
            r"4314": (135, 16),
            r"4216": (100, 16),
            r"4214R": (100, 12),
            r"4214": (85, 12),
            r"4210R": (100, 10),
            r"4210": (85, 10),
            r"4116": (85, 12),
            r"4114": (85, 10),
        },
    ),
    # Desktops whose cores are all of one kind; of two kinds, a mean would be wrong for both.
    *_rows(
        r"Core\(TM\)",
        _INTEL,
        {
            r"i9-11900F?": (65, 8),
            r"i9-11900KF?": (125, 8),
            r"i7-11700F?": (65, 8),
            r"i7-11700KF?": (125, 8),
            r"i9-10900F?": (65, 10),
            r"i9-10900KF?": (125, 10),
            r"i7-10700F?": (65, 8),
            r"i7-10700KF?": (125, 8),
            r"i5-10400F?": (65, 6),
            r"i9-9900KF?": (95, 8),
            r"i7-9700KF?": (95, 8),
            r"i7-8700K": (95, 6),
            r"i7-8700": (65, 6),
            r"i5-8400": (65, 6),
            r"i7-7700K": (91, 4),
            r"i7-7700": (65, 4),
        },
    ),
)


def look_up(name: str) -> Cpu | None:
    """Return the row of a CPU; ``None`` if it has none.

    Args:
        name: As in /proc/cpuinfo.
    """
    return next((cpu for cpu in TABLE if cpu.names(name)), None)


def watts_of_core(stated: float | None, name: str | None) -> tuple[float | None, str]:
    """Return the watts of one busy core and where they come from: what was stated, else the CPU's row.

    Args:
        stated: By the user; ``None`` if nothing was.
        name: The CPU's; ``None`` if unknown.
    """
    cpu = None if stated is not None or name is None else look_up(name)
    if cpu is None:
        return stated, "as stated"
    return cpu.watts_per_core, (
        f"from leanner's table, not measured: {name}, {cpu.tdp_w:g} W over {cpu.cores} cores ({cpu.source})"
    )


def cpu_name(path: Path = CPUINFO, read: ReadText = read_text) -> str | None:
    """Return the CPU's name from /proc/cpuinfo; ``None`` where it does not say."""
    try:
        lines = read(path).splitlines()
    except (OSError, ValueError):
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
