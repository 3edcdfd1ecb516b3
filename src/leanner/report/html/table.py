"""The section with the table of all cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final

from leanner.report.columns import COST
from leanner.report.columns import reason_of
from leanner.report.html.section import Section
from leanner.report.numbers import UNKNOWN
from leanner.report.numbers import Cell
from leanner.report.numbers import Notes
from leanner.report.numbers import number
from leanner.report.numbers import with_interval
from leanner.report.record import Verdict
from leanner.report.table import title


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


#: What the headings mean, for those that do not say it themselves.
MEANINGS: Final = {
    "verdict": "how the loss's interval stands to the bound",
    "F1": "strict micro F1: character span and label",
    "loss pt": "fp32's F1 less this one's, in percentage points, with 95 %",
    "bound": "the largest loss that the configuration promises",
    "s/round": "median seconds of a round",
    "s ±%": "half the width of the median's 95 % interval, in percent",
    "sent/s": "sentences a second at the median",
    "faster": "median time of fp32 over that of this case",
    "theory": "the same if time were operations, and zeros cost nothing",
    "p50 ms": "median milliseconds for one sentence at a time",
    "p99 ms": "99th percentile of the same",
    "J/1k sent": "joules per 1,000 sentences; ~ is an estimate",
    "J ±%": "half the width of the joules' interval, in percent",
    "peak MB": "peak of the process tree's memory in a round",
    "VRAM MB": "peak on the device",
    "weights MB": "weights as stored",
}


def section(records: Sequence[CaseRecord]) -> Section:
    """Return the section of a run's cases; an unknown value has a footnote that says why."""
    notes = Notes()
    headings = ["verdict", "F1", "loss pt", "bound", *(column.heading for column in COST)]
    rows = [(title(record), [*_loss(record, notes), *_cost(record, notes)]) for record in records]
    columns = [(heading, MEANINGS.get(heading, "")) for heading in headings]
    return Section("table", "Table", {"columns": columns, "rows": rows, "notes": notes.texts})


def _loss(record: CaseRecord, notes: Notes) -> list[Cell]:
    explained = record.verdict not in (Verdict.PASS, Verdict.RECORDED)
    f1 = record.f1["micro"] if record.f1 else None
    drop = record.f1_drop
    points = drop.points if drop else None
    bound = drop.bound if drop else None
    return [
        Cell(
            str(record.verdict),
            str(record.verdict),
            notes.number("; ".join(record.reasons)) if explained else None,
            f"verdict {record.verdict}",
        ),
        Cell(number(f1, ".4f"), f1, None if f1 is not None else _note(record, "f1", notes)),
        Cell(
            with_interval(points, (drop.low, drop.high) if drop else None, ".2f"),
            points,
            None if drop is not None and drop.low is not None else _note(record, _missing(record), notes),
        ),
        Cell(number(bound, ".1f"), bound, None if bound is not None else _note(record, "f1_drop.bound", notes)),
    ]


def _missing(record: CaseRecord) -> str:
    return "f1_drop" if record.f1_drop is None else "f1_drop.low"


def _cost(record: CaseRecord, notes: Notes) -> list[Cell]:
    is_estimate = record.energy is not None and "estimate" in record.energy.sources
    cells = []
    for column in COST:
        value = column.value(record)
        if value is None:
            cells.append(Cell(UNKNOWN, None, _note(record, column.field, notes)))
        else:
            sign = "~" if column.is_energy and is_estimate else ""
            cells.append(Cell(sign + number(value, column.form), value))
    return cells


def _note(record: CaseRecord, field: str, notes: Notes) -> int | None:
    return notes.number(reason_of(record, field) or "; ".join(record.reasons) or "the report does not say why")
