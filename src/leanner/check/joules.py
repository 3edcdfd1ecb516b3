"""Whether joules, watts and memory are those of the stored traces, and what is unknown is for their reasons."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import is_dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.check import rounds
from leanner.check.compare import compare
from leanner.measure.doubts import is_suspect
from leanner.measure.doubts import notes_of
from leanner.measure.floor import without
from leanner.measure.joules import energy_of
from leanner.measure.joules import highest
from leanner.measure.joules import mean_utilization
from leanner.measure.joules import power_of
from leanner.measure.parts import gpu_of
from leanner.measure.parts import sampler_of
from leanner.measure.traces import metered_of
from leanner.meters.clock import seconds
from leanner.meters.stored import read_traces
from leanner.report.problem import Problem
from leanner.report.stored import locate
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leanner.check.report import Report
    from leanner.check.text import Text
    from leanner.measure.joules import Metered
    from leanner.meters import Reading
    from leanner.meters.stored import StoredCase
    from leanner.report.costs import Energy
    from leanner.report.costs import Gpu
    from leanner.report.costs import Power
    from leanner.report.costs import Sampler
    from leanner.report.record import CaseRecord


_WHY: Final = "from the stored traces"

#: Parts of a record whose numbers, and why one is unknown, follow from traces alone.
_PARTS: Final = ("energy", "power", "gpu_utilization_pct", "gpu", "sampler")

#: What arithmetic on traces that nobody measured can raise; a MeterError is a RuntimeError.
_UNREADABLE: Final = (OSError, ValueError, RuntimeError, ArithmeticError, LookupError)


@dataclass(frozen=True, slots=True)
class Figures:
    """What traces give of a record, and why the rest of it is unknown."""

    energy: Energy
    power: Power
    gpu_utilization_pct: float | None
    gpu: Gpu | None
    sampler: Sampler
    unknown: Mapping[str, str]


def problems(report: Report, record: CaseRecord, text: Text | None) -> list[Problem]:
    """Return what does not follow from the traces of a case; the places are within the record."""
    if record.f1 is None:
        return []
    entry = stored_files(record.files).get("traces")
    if entry is None:
        return [Problem("files.traces", "expected the traces that the joules follow from, found none")]
    try:
        stored = read_traces(locate(report.path, entry.path))
        metered = metered_of(stored)
        documents = None if text is None else text.timed.documents
        return [
            *_belonging(stored, record),
            *_figures(metered, record),
            *_doubts(stored, metered, record),
            *rounds.problems(stored.equipment, metered, record, report.options, documents),
        ]
    except _UNREADABLE as error:
        return [Problem("files.traces", f"expected traces that can be read, found others: {error}")]


def figures_of(metered: Metered, sentences: int, device: str) -> Figures:
    """Compute all of it again, in the order of ``measure.assemble``: some reasons are those of what came before.

    Args:
        metered: The windows of the case.
        sentences: Sentences that one round tags.
        device: Torch device of the case.
    """
    unknown: dict[str, str] = {}
    return Figures(
        energy=energy_of(metered, sentences, unknown),
        power=power_of(metered.readings, unknown),
        gpu_utilization_pct=mean_utilization(metered.readings, unknown),
        gpu=gpu_of(metered.readings, unknown, device),
        sampler=sampler_of(metered.readings, unknown),
        unknown=unknown,
    )


def _belonging(stored: StoredCase, record: CaseRecord) -> Iterator[Problem]:
    """Yield why the traces are not those of this case, or not of one run."""
    yield from compare("configuration", stored.case, record.configuration, "the case of the stored traces")
    if record.time is not None:
        for number, window in enumerate(stored.windows, start=1):
            if window.kind == "round" and window.sentences != record.time.sentences:
                text = f"expected rounds over {record.time.sentences} sentences, as time.sentences has it"
                yield Problem("files.traces", f"{text}; found {window.sentences} in window {number}")
    if rounds.is_replayed(record):
        return  # on whatever device, and in the order of this run
    yield from compare("device", stored.equipment.device, record.device, "that of the stored traces")
    for number, (earlier, later) in enumerate(pairwise(stored.windows), start=2):
        both_s = seconds(earlier.trace.end_ns - later.trace.start_ns)
        if both_s > 0.0:
            text = f"expected window {number} to begin when the one before has ended"
            yield Problem("files.traces", f"{text}, found it {both_s:.3f} s earlier")


def _figures(metered: Metered, record: CaseRecord) -> Iterator[Problem]:
    if record.energy is None or record.time is None or record.corpus is None:
        yield Problem("energy", "expected joules, time and corpus of a case with a result, found null")
        return
    figures = figures_of(metered, record.time.sentences, record.device)
    yield from compare("energy", _as_in_a_report(figures.energy), _as_in_a_report(record.energy), _WHY)
    for name in _PARTS[1:]:
        yield from compare(name, _plain(getattr(figures, name)), _plain(getattr(record, name)), _WHY)
    yield from compare("unknown", _of_parts(figures.unknown), _of_parts(record.unknown), _WHY)
    yield from _memory(metered.readings, record)


def _of_parts(unknown: Mapping[str, str]) -> dict[str, str]:
    return {place: reason for place, reason in unknown.items() if place.partition(".")[0] in _PARTS}


def _plain(part: Power | Gpu | Sampler | float | None) -> object:
    return asdict(part) if is_dataclass(part) else part


def _doubts(stored: StoredCase, metered: Metered, record: CaseRecord) -> Iterator[Problem]:
    if is_suspect(metered) and not record.suspect:
        yield Problem("suspect", f"expected true, {_WHY}; found false")
    if any(window.thinned_from is not None and window.kind != "rate" for window in stored.windows):
        return  # notes count samples, and doubts are of all of them
    if record.suspect and not is_suspect(metered) and not rounds.is_replayed(record):
        yield Problem("suspect", f"expected false, {_WHY}; found true")
    for note in notes_of(metered):
        if note not in record.quality:
            yield Problem("quality", f"expected {note!r} among them, {_WHY}; found none such")


def _as_in_a_report(energy: Energy) -> dict[str, Any]:
    """Return energy with its domains beside the rest; a trace does not say whether it was measured in this run."""
    content = asdict(energy)
    del content["replayed"]
    return {**content.pop("domains"), **content}


def _memory(readings: Sequence[Reading], record: CaseRecord) -> Iterator[Problem]:
    memory = record.memory
    if memory is None:
        yield Problem("memory", "expected the memory of a case with a result, found null")
        return
    behind = {
        "peak_host_mb": memory.left_behind_host_mb,
        "peak_vram_mb": memory.left_behind_vram_mb,
        "peak_vram_allocated_mb": memory.left_behind_vram_allocated_mb,
    }
    for name in ("peak_host_mb", "peak_vram_mb", "peak_vram_allocated_mb", "cgroup_peak_mb"):
        peak = highest(readings, lambda reading, name=name: getattr(reading, name))  # type: ignore[misc]
        expected = None if peak is None else without(peak, behind.get(name))
        yield from compare(f"memory.{name}", expected, getattr(memory, name), _WHY)
