"""Which cases nothing beats: the Pareto front over F1 loss, time, joules and memory."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

from leanner.report.columns import reason_of


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


@dataclass(frozen=True, slots=True)
class Axis:
    """Something of which less is better.

    Attributes:
        name: As a heading has it, with the unit.
        value: Of a case; ``None`` if unknown.
        interval: Its ends with 95 %; ``None`` if unknown.
        field: Where the reason stands if it is unknown.
    """

    name: str
    value: Callable[[CaseRecord], float | None]
    interval: Callable[[CaseRecord], tuple[float, float] | None]
    field: str


def _seconds(record: CaseRecord) -> float | None:
    """Return the seconds for 1,000 sentences: rounds of different runs tag different parts."""
    time = record.time
    return 1000 * time.median_s / time.sentences if time and time.median_s is not None and time.sentences else None


def _seconds_interval(record: CaseRecord) -> tuple[float, float] | None:
    time = record.time
    if time is None or time.low_s is None or time.high_s is None or not time.sentences:
        return None
    return 1000 * time.low_s / time.sentences, 1000 * time.high_s / time.sentences


def _joules(record: CaseRecord) -> float | None:
    return record.energy.per_1000_sentences_j if record.energy else None


def _joules_interval(record: CaseRecord) -> tuple[float, float] | None:
    energy = record.energy
    if energy is None or energy.low_j is None or energy.high_j is None or not energy.total_j:
        return None
    joules = energy.per_1000_sentences_j
    return None if joules is None else (joules * energy.low_j / energy.total_j, joules * energy.high_j / energy.total_j)


def _loss_interval(record: CaseRecord) -> tuple[float, float] | None:
    drop = record.f1_drop
    return None if drop is None or drop.low is None or drop.high is None else (drop.low, drop.high)


LOSS: Final = Axis("F1 loss, pt", lambda r: r.f1_drop.points if r.f1_drop else None, _loss_interval, "f1_drop")
TIME: Final = Axis("s per 1,000 sentences", _seconds, _seconds_interval, "time")
JOULES: Final = Axis("J per 1,000 sentences", _joules, _joules_interval, "energy")
HOST: Final = Axis(
    "peak host MB", lambda r: r.memory.peak_host_mb if r.memory else None, lambda _: None, "memory.peak_host_mb"
)
VRAM: Final = Axis(
    "peak VRAM MB", lambda r: r.memory.peak_vram_mb if r.memory else None, lambda _: None, "memory.peak_vram_mb"
)


def axes(device: str) -> tuple[Axis, ...]:
    """Return what counts on a device: its own memory."""
    return LOSS, TIME, JOULES, VRAM if device.startswith("cuda") else HOST


@dataclass(frozen=True, slots=True)
class Standing:
    """How a case stands to the others of its device.

    Attributes:
        record: The case.
        dominated_by: Those that are nowhere worse and somewhere better, in the order given.
        unknown: Reasons by axis that others of the device have and this case has not: it is then compared with none.
    """

    record: CaseRecord
    dominated_by: tuple[CaseRecord, ...]
    unknown: dict[str, str]

    @property
    def on_front(self) -> bool:
        """Whether all of it is known and nothing dominates it."""
        return not self.dominated_by and not self.unknown


@dataclass(frozen=True, slots=True)
class Front:
    """The measured cases of one device.

    Attributes:
        device: Torch device.
        used: What they were compared in.
        left_out: What no case of the device knows, and why.
        standings: Of each case, in the order given.
    """

    device: str
    used: tuple[Axis, ...]
    left_out: dict[str, str]
    standings: tuple[Standing, ...]


def fronts(records: Sequence[CaseRecord]) -> list[Front]:
    """Return a front for each device, of the cases that have a result.

    Points are compared, not intervals: of two cases that noise cannot tell apart, one may dominate the other. So the
    baseline's repetition, the second case without a pass that ``--leanner-aa`` adds, is left out.
    """
    first = {record.device: record for record in reversed(records) if record.f1 is not None and _is_unchanged(record)}
    measured = [r for r in records if r.f1 is not None and (not _is_unchanged(r) or r is first[r.device])]
    devices = dict.fromkeys(record.device for record in measured)
    return [_front(device, [record for record in measured if record.device == device]) for device in devices]


def _is_unchanged(record: CaseRecord) -> bool:
    return not record.passes and record.served is None


def _front(device: str, records: list[CaseRecord]) -> Front:
    used = tuple(axis for axis in axes(device) if any(axis.value(record) is not None for record in records))
    left_out = {axis.name: _why(records[0], axis) for axis in axes(device) if axis not in used}
    points = [[axis.value(record) for axis in used] for record in records]
    standings = []
    for record, point in zip(records, points, strict=True):
        unknown = {axis.name: _why(record, axis) for axis, value in zip(used, point, strict=True) if value is None}
        better = [other for other, theirs in zip(records, points, strict=True) if dominates(theirs, point)]
        standings.append(Standing(record, tuple(better), unknown))
    return Front(device, used, left_out, tuple(standings))


def dominates(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    """Whether ``one`` is nowhere worse (more) and somewhere better than ``other``; never where a value is unknown."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    if len(pairs) < len(one):
        return False
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _why(record: CaseRecord, axis: Axis) -> str:
    return reason_of(record, axis.field) or "the report does not say why"
