"""The records of a design's cells: all there, measured, and under the same conditions."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from leanner.report.machine import MACHINE
from leanner.report.parse import shown
from leanner.report.record import Verdict


if TYPE_CHECKING:
    from leanner.factorial.design import Design
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run


class CellsError(ValueError):
    """A factorial lacks cells, or they cannot be compared; the message names them."""


def records_of(run: Run, design: Design, device: str | None = None) -> tuple[CaseRecord, ...]:
    """Return the record of each cell.

    A case whose loss is above its bound is a cell as any other: F1 is one of the answers, and to choose cells by it
    would be to choose the answer.

    Args:
        run: With the cases.
        design: Which configuration is which cell.
        device: Of the cells; may be ``None`` if the run has them on one only.

    Raises:
        CellsError: A cell is missing, did not run, broke or is suspect, or they differ in what is no factor.
    """
    candidates = [record for record in run.records if record.configuration in design.cells]
    devices = sorted({record.device for record in candidates})
    if device is None and len(devices) > 1:
        raise CellsError(f"{run.path}: expected the cells on one device, found {', '.join(devices)}; pass --device")
    by_name = {record.configuration: record for record in candidates if device in (None, record.device)}
    if problems := [f"{name} {why}" for name in design.cells if (why := _missing(by_name.get(name)))]:
        raise CellsError(
            f"{run.path}: expected all {len(design.cells)} cells{'' if device is None else f' on {device}'} with a "
            f"result, found {len(problems)} without: {'; '.join(problems)}; measure them in one run, or name other "
            "configurations as --cells"
        )
    records = tuple(by_name[name] for name in design.cells)
    if differing := list(_differences(records)):
        raise CellsError(
            f"{run.path}: expected cells that differ in their factors only, found {'; '.join(differing)}; measure them "
            "in one run"
        )
    return records


def require_alike(sessions: Sequence[Sequence[CaseRecord]]) -> None:
    """Refuse sessions of which the cells cannot be averaged.

    Args:
        sessions: The records of the cells in each, as ``records_of`` returns them.

    Raises:
        CellsError: They differ in machine, tagger, corpus or rounds.
    """
    if differing := list(_differences([records[0] for records in sessions])):
        raise CellsError(f"expected sessions on one machine, tagger and corpus, found {'; '.join(differing)}")


def _missing(record: CaseRecord | None) -> str | None:
    """Return why a cell has nothing to be analysed; ``None`` if it has."""
    if record is None:
        return "is not in the report"
    if record.verdict in (Verdict.NOT_RUN, Verdict.ERROR) or record.f1 is None:
        return f"is {record.verdict} ({'; '.join(record.reasons) or 'no reason given'})"
    if record.suspect:
        return f"is suspect ({'; '.join(record.quality) or 'no reason given'})"
    return None


def _differences(records: Sequence[CaseRecord]) -> Iterator[str]:
    """Yield in words what the records should share and do not, with the first that differs."""
    first = records[0]
    ours = _conditions(first)
    for name in ours:
        for record in records[1:]:
            theirs = _conditions(record)
            if theirs[name] != ours[name]:
                sides = f"{shown(ours[name])} of {first.configuration}, {shown(theirs[name])} of {record.configuration}"
                yield f"{name}: {sides}"
                break


def _conditions(record: CaseRecord) -> dict[str, Any]:
    return {
        **{name: record.environment.get(field) for name, field in MACHINE.items()},
        "GPU's UUID": None if record.gpu is None else record.gpu.uuid,
        "sha256 of the tagger's weights": None if record.tagger is None else record.tagger.weights_sha256,
        "sha256 of the corpus": None if record.corpus is None else record.corpus.sha256,
        "sentences of a round": None if record.time is None else record.time.sentences,
    }
