"""What a case costs, column by column: where a number is in a record, how it looks, and why it is unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final


if TYPE_CHECKING:
    from leanner.report.costs import Energy
    from leanner.report.record import CaseRecord


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers: where they are in a record, how they look, and where their reason is."""

    heading: str
    value: Callable[[CaseRecord], float | None]
    form: str
    field: str
    is_energy: bool = False


def _half_width_pct(energy: Energy | None) -> float | None:
    """Return the half-width of the joules' interval, both parts included, in percent of them."""
    if energy is None or not energy.total_j or energy.low_j is None or energy.high_j is None:
        return None
    return 50 * (energy.high_j - energy.low_j) / energy.total_j


COST: Final = (
    Column("s/round", lambda r: r.time.median_s if r.time else None, ".3g", "time"),
    Column("s ±%", lambda r: r.time.half_width_pct if r.time else None, ".1f", "time.half_width_pct"),
    Column("sent/s", lambda r: r.time.sentences_per_s if r.time else None, ".1f", "time"),
    Column("faster", lambda r: r.speedup.value if r.speedup else None, ".2f", "speedup"),
    Column("theory", lambda r: r.flops.ratio if r.flops else None, ".2f", "flops"),
    Column("p50 ms", lambda r: r.latency_ms.p50 if r.latency_ms else None, ".1f", "latency_ms"),
    Column("p99 ms", lambda r: r.latency_ms.p99 if r.latency_ms else None, ".1f", "latency_ms"),
    Column("J/1k sent", lambda r: r.energy.per_1000_sentences_j if r.energy else None, ".1f", "energy", is_energy=True),
    Column("J ±%", lambda r: _half_width_pct(r.energy), ".1f", "energy.low_j"),
    Column("peak MB", lambda r: r.memory.peak_host_mb if r.memory else None, ".0f", "memory.peak_host_mb"),
    Column("VRAM MB", lambda r: r.memory.peak_vram_mb if r.memory else None, ".0f", "memory.peak_vram_mb"),
    Column("weights MB", lambda r: r.memory.weights_mb if r.memory else None, ".1f", "memory.weights_mb"),
)


def reason_of(record: CaseRecord, field: str) -> str | None:
    """Return why the field with this path is unknown: what is unknown as a whole is unknown in its parts."""
    return record.unknown.get(field) or record.unknown.get(field.partition(".")[0])
