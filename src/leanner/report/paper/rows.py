"""The numbers of a case side by side, with their intervals, for CSV."""

from __future__ import annotations

import csv
import io

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from leanner.report.pareto import JOULES
from leanner.report.pareto import TIME
from leanner.report.pareto import fronts
from leanner.report.table import title


if TYPE_CHECKING:
    from leanner.report.pareto import Axis
    from leanner.report.pareto import Standing
    from leanner.report.record import CaseRecord


def as_csv(records: Sequence[CaseRecord]) -> str:
    """Return a line for each case; unknown is empty, with its reason in the last column.

    Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    standings = {id(each.record): each for front in fronts(records) for each in front.standings}
    rows = [_row(record, standings.get(id(record))) for record in records]
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


def _row(record: CaseRecord, standing: Standing | None) -> dict[str, Any]:
    f1, drop, speedup = record.f1 or {}, record.f1_drop, record.speedup
    memory, latency, energy = record.memory, record.latency_ms, record.energy
    labels = {f"f1_{name.lower()}": f1.get(name) for name in ("micro", "GENE", "SPECIES", "DISEASE")}
    return {
        "configuration": record.configuration,
        "device": record.device,
        "family": record.family,
        "verdict": str(record.verdict),
        "suspect": record.suspect,
        **labels,
        "f1_loss_pt": drop and drop.points,
        "f1_loss_low_pt": drop and drop.low,
        "f1_loss_high_pt": drop and drop.high,
        "bound_pt": drop and drop.bound,
        **_with_ends("s_per_1000_sentences", TIME, record),
        "speedup": speedup and speedup.value,
        "speedup_low": speedup and speedup.low,
        "speedup_high": speedup and speedup.high,
        "speedup_theory": record.flops and record.flops.ratio,
        "latency_p50_ms": latency and latency.p50,
        "latency_p99_ms": latency and latency.p99,
        **_with_ends("j_per_1000_sentences", JOULES, record),
        "j_sources": " ".join(energy.sources) if energy and energy.sources else None,
        "peak_host_mb": memory and memory.peak_host_mb,
        "peak_vram_mb": memory and memory.peak_vram_mb,
        "weights_mb": memory and memory.weights_mb,
        "weights_parameters": memory and memory.weights_parameters,
        "sparsity_asked": record.sparsity and record.sparsity.asked,
        "sparsity_found": record.sparsity and record.sparsity.weights,
        "on_pareto_front": standing and standing.on_front,
        "dominated_by": standing and " ".join(title(other) for other in standing.dominated_by),
        "unknown": "; ".join(f"{place}: {reason}" for place, reason in record.unknown.items()),
    }


def _with_ends(name: str, axis: Axis, record: CaseRecord) -> dict[str, float | None]:
    low, high = axis.interval(record) or (None, None)
    return {name: axis.value(record), f"{name}_low": low, f"{name}_high": high}


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
