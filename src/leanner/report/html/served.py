"""The section with what was seen of cases behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leanner.report.html.section import Section
from leanner.report.numbers import UNKNOWN
from leanner.report.numbers import Cell
from leanner.report.numbers import Notes
from leanner.report.served import served
from leanner.report.served import served_columns
from leanner.report.table import title


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


def section(records: Sequence[CaseRecord]) -> Section:
    """Return the section of a run's served cases; an unknown value has a footnote that says why."""
    notes = Notes()
    rows = [
        (
            title(record),
            [Cell(told.text or UNKNOWN, told.sort, notes.number(told.reason)) for told in cells],
        )
        for record, cells in served(records)
    ]
    columns = [(column.heading, column.meaning) for column in served_columns(records)]
    return Section("served", "Served", {"columns": columns, "rows": rows, "notes": notes.texts})
