"""Whether `quality` has the notes that follow from the rest of a record: they are made again by what made them.

Notes of the windows are those of the traces, see ``joules``; others, such as a tagger's own, follow from nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from leanner.check.rounds import is_a_warmup
from leanner.check.rounds import warmup_of
from leanner.configurations import is_interleaved
from leanner.measure import floor
from leanner.measure.parts import INTERLEAVED
from leanner.measure.parts import notes_on_rounds
from leanner.measure.plan import is_settled
from leanner.measure.plan import not_settled
from leanner.report.problem import Problem


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.report.record import CaseRecord


def problems(report: Report) -> Iterator[Problem]:
    """Yield notes that are missing."""
    for nodeid, record in report.measured.items():
        for note, why in _expected(record, report.options):
            if note not in record.quality:
                yield Problem("quality", f"expected {note!r} among them, {why}; found none such").under(nodeid)


def _expected(record: CaseRecord, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield notes, and where each follows from."""
    warmup_s = warmup_of(record)
    if is_a_warmup(warmup_s) and not is_settled(warmup_s[1:]):
        yield not_settled(len(warmup_s)), "from time.warmup_s"
    if record.time is not None:
        for note in notes_on_rounds(record.time.rounds_s, options["precision_pct"]):
            yield note, "from time.rounds_s"
    if is_interleaved(record.configuration, interleave=options["interleave"]):
        yield INTERLEAVED, "the run's option"
    if record.memory is not None:
        behind = floor.Held(record.memory.left_behind_host_mb, record.memory.left_behind_vram_mb)
        if (left := floor.note(behind)) is not None:
            yield left, "from memory.left_behind_host_mb and left_behind_vram_mb"
