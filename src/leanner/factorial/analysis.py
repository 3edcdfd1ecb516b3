"""A run as a factorial: the effects on F1, time, joules and memory, and what they do not tell."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.factorial.cells import CellsError
from leanner.factorial.cells import records_of
from leanner.factorial.cells import require_alike
from leanner.factorial.responses import of_energy
from leanner.factorial.responses import of_f1
from leanner.factorial.responses import of_memory
from leanner.factorial.responses import of_time
from leanner.factorial.sessions import over_sessions
from leanner.report.record import Verdict


if TYPE_CHECKING:
    from leanner.factorial.design import Design
    from leanner.factorial.responses import Response
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run

#: Half-width of the median round, in percent of it, above which a reader is told.
_LOOSE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Analysis:
    """What came of a factorial.

    Attributes:
        design: Its factors and cells.
        records: Of the cells in the first session, in the order of the design.
        sessions: Number of them.
        responses: F1, time, joules, memory of the host, and that of the GPU if the cells ran on one.
        remarks: What a reader must know of all of it.
    """

    design: Design
    records: tuple[CaseRecord, ...]
    sessions: int
    responses: tuple[Response, ...]
    remarks: tuple[str, ...]

    @property
    def device(self) -> str:
        """What the cells ran on."""
        return self.records[0].device


def analyse(runs: Sequence[Run], design: Design, device: str | None = None) -> Analysis:
    """Return the effects of the factors on what the cells were measured to cost and to find.

    Args:
        runs: Sessions with all cells each. F1 is that of the first, which needs its corpus if F1 is to have intervals.
        design: Which configuration is which cell.
        device: Of the cells; may be ``None`` if the runs have them on one only.

    Raises:
        CellsError: A cell is missing, broken or suspect, or cells or sessions cannot be compared.
        ValueError: Stored spans have another F1 than the report says.
    """
    sessions = [records_of(run, design, device) for run in runs]
    require_alike(sessions)
    for number, run in enumerate(runs):
        if any(run.report.data == other.report.data for other in runs[:number]):
            raise CellsError(f"{run.path}: expected each session once, found one again: it would count twice")
    first = sessions[0]
    costs = ["time", "energy", "host", *(["vram"] if first[0].device != "cpu" else [])]
    if len(sessions) > 1:
        responses = [over_sessions(metric, design, sessions) for metric in costs]
    else:
        responses = [of_time(design, first, seed=first[0].seed or 0), of_energy(design, first)]
        responses += [of_memory(metric, design, first) for metric in costs[2:]]
    responses.insert(0, of_f1(design, runs[0], first))
    return Analysis(design, first, len(sessions), tuple(responses), tuple(_remarks(design, sessions)))


def _remarks(design: Design, sessions: Sequence[tuple[CaseRecord, ...]]) -> Iterator[str]:
    """Yield what all the numbers share, then what is to be said of cells, each once for all sessions."""
    yield (
        f"{len(design.cells)} cells give a mean and {len(design.effects)} effects: nothing is left over from which an "
        "error could be told. Intervals come from what was repeated, and each has 95 % on its own."
    )
    if len(sessions) == 1:
        yield (
            "One session, cells measured one after another: what differs from case to case or between sessions is in "
            "the effects on time, joules and memory, and not in their intervals. They are too narrow; give several "
            "reports."
        )
    else:
        yield (
            f"{len(sessions)} sessions: what differs between them is in the intervals, what is the same in each of "
            "them, as the order of the cells, is not. F1 is that of the first."
        )
    records = [record for each in sessions for record in each]
    if loose := [
        _scatter(record, record.time.half_width_pct)
        for record in records
        if record.time is not None and (record.time.half_width_pct or 0.0) > _LOOSE
    ]:
        yield f"the median round is known to no better than so much: {', '.join(loose)}; was the machine left alone?"
    if failed := dict.fromkeys(record.configuration for record in records if record.verdict is Verdict.FAIL):
        yield f"F1 loss above the bound, and analysed all the same: {', '.join(failed)}"
    for number, name in enumerate(design.cells):
        if len({each[number].files.get("spans_sha256") for each in sessions}) > 1:
            yield f"{name} did not give the same spans in all sessions"
    runtimes = dict.fromkeys(record.runtime for record in records)
    if len(runtimes) > 1:
        yield f"cells run in different runtimes, which is in the effects: {', '.join(runtimes)}"
    memory = [record.memory for record in records if record.memory is not None]
    if len({each.isolated for each in memory}) > 1:
        yield "some cells had a process of their own and some had not, which is in the effects on memory"
    if any(each.left_behind_host_mb for each in memory):
        yield (
            "Cells shared a process: what earlier cases left is subtracted from their peaks, and what of it they used "
            "again is not in them (--leanner-isolate avoids it)."
        )


def _scatter(record: CaseRecord, half_width_pct: float | None) -> str:
    return f"{record.configuration} ±{half_width_pct:.1f} %"


def to_json(analysis: Analysis) -> dict[str, Any]:
    """Return it as JSON-ready built-ins."""
    design = analysis.design
    return {
        "leanner_factorial": 1,
        "device": analysis.device,
        "sessions": analysis.sessions,
        "factors": [{"low": factor.low, "high": factor.high} for factor in design.factors],
        "cells": [
            {
                "configuration": record.configuration,
                "levels": list(design.levels(number)),
                "verdict": str(record.verdict),
                **{response.metric: response.cells[number] for response in analysis.responses},
            }
            for number, record in enumerate(analysis.records)
        ],
        "responses": [_response_json(design, response) for response in analysis.responses],
        "remarks": list(analysis.remarks),
    }


def _response_json(design: Design, response: Response) -> dict[str, Any]:
    effects = [
        {
            "factors": [design.factors[place].high for place in effect.factors],
            "value": effect.value,
            "low": effect.low,
            "high": effect.high,
        }
        for effect in response.effects
    ]
    return {
        "metric": response.metric,
        "unit": response.unit,
        "scale": str(response.scale),
        "mean": response.mean,
        "effects": effects,
        "basis": response.basis,
        "reason": response.reason,
    }
