"""What is compared of a case: its numbers, their units, and what is known of their error."""

from __future__ import annotations

import math

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import numpy as np

from leanner.measure.statistics import hodges_lehmann
from leanner.types import Label


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


class Kind(StrEnum):
    """What one session knows of the error of its own number."""

    ROUNDS = "rounds"
    JOULES = "joules"
    LINE = "line"
    SINGLE = "single"
    EXACT = "exact"
    F1 = "f1"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of a record.

    Attributes:
        name: As users write it.
        unit: Of its value.
        kind: What one session knows of its error.
        value: Takes it from a record, ``None`` where it is unknown.
        field: Where the record says why it is unknown.
        label: For F1, the label; ``None`` for micro F1.
    """

    name: str
    unit: str
    kind: Kind
    value: Callable[[CaseRecord], float | None]
    field: str
    label: Label | None = None

    @property
    def is_cost(self) -> bool:
        """Whether more of it is worse."""
        return self.kind is not Kind.F1

    def logarithm(self, record: CaseRecord) -> float | None:
        """Return the logarithm of the number by which sessions are compared; ``None`` if it has none.

        Of rounds it is their Hodges-Lehmann location, which scatters less than the median that the record states.
        """
        value = self.value(record)
        if value is None or value <= 0.0:
            return None
        if self.kind is Kind.ROUNDS and record.time is not None and record.time.rounds_s:
            return float(hodges_lehmann(np.log(record.time.rounds_s)))
        return math.log(value)

    def why_unknown(self, record: CaseRecord) -> str:
        """Return why the record has no value."""
        if self.name in ("energy", "marginal") and is_estimated(record):
            return "its joules are estimated, and estimates are gated as `estimate` only"
        reason = record.unknown.get(self.field) or record.unknown.get(self.field.partition(".")[0])
        return reason or "the record has none"


def _f1(name: str, label: Label | None) -> Metric:
    key = "micro" if label is None else label.value

    def value(record: CaseRecord) -> float | None:
        scores: Mapping[str, Any] = record.f1 or {}
        return None if scores.get(key) is None else 100.0 * scores[key]

    return Metric(name, "pt", Kind.F1, value, f"f1.{key}", label)


def is_estimated(record: CaseRecord) -> bool:
    """Whether the joules of a case are estimated, and no meter's."""
    return record.energy is not None and "estimate" in record.energy.sources


def _measured(record: CaseRecord) -> float | None:
    return None if record.energy is None or is_estimated(record) else record.energy.per_1000_sentences_j


def _estimated(record: CaseRecord) -> float | None:
    return record.energy.per_1000_sentences_j if record.energy is not None and is_estimated(record) else None


def _marginal(record: CaseRecord) -> float | None:
    line = None if record.energy is None or is_estimated(record) else record.energy.marginal
    return None if line is None else line.per_1000_sentences_j


#: In the order of the columns.
METRICS: Final = (
    Metric("time", "s", Kind.ROUNDS, lambda r: r.time.median_s if r.time else None, "time"),
    Metric("p99", "ms", Kind.SINGLE, lambda r: r.latency_ms.p99 if r.latency_ms else None, "latency_ms"),
    Metric("energy", "J", Kind.JOULES, _measured, "energy.per_1000_sentences_j"),
    Metric("marginal", "J", Kind.LINE, _marginal, "energy.marginal"),
    # apart from joules that were measured: the two are never held against each other
    Metric("estimate", "J", Kind.SINGLE, _estimated, "energy.per_1000_sentences_j"),
    Metric("host", "MB", Kind.SINGLE, lambda r: r.memory.peak_host_mb if r.memory else None, "memory.peak_host_mb"),
    Metric("vram", "MB", Kind.SINGLE, lambda r: r.memory.peak_vram_mb if r.memory else None, "memory.peak_vram_mb"),
    Metric("weights", "MB", Kind.EXACT, lambda r: r.memory.weights_mb if r.memory else None, "memory.weights_mb"),
    _f1("f1", None),
    *(_f1(f"f1.{label}", label) for label in Label),
)
BY_NAME: Final[Mapping[str, Metric]] = {metric.name: metric for metric in METRICS}
#: Names that stand for several metrics.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {"memory": ("host", "vram")}


def named(name: str) -> tuple[Metric, ...]:
    """Return the metrics that ``name`` stands for.

    Raises:
        ValueError: There is none of that name.
    """
    names = GROUPS.get(name, (name,))
    if any(each not in BY_NAME for each in names):
        raise ValueError(f"expected one of the metrics {', '.join([*BY_NAME, *GROUPS])}, found {name!r}")
    return tuple(BY_NAME[each] for each in names)
