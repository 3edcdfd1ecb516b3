"""What came of comparing two runs: case by case, metric by metric, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from leanner.compare.evidence import Basis
from leanner.compare.metrics import Kind
from leanner.compare.outcome import Outcome


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.compare.evidence import Evidence
    from leanner.compare.metrics import Metric
    from leanner.compare.thresholds import Threshold
    from leanner.report.record import CaseRecord


#: A case: configuration and device.
Key = tuple[str, str]


class CannotCompareError(ValueError):
    """Two runs cannot be compared; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Session:
    """A run that takes part: what it is called, and its report."""

    name: str
    report: Report

    @property
    def cases(self) -> dict[Key, CaseRecord]:
        """The records by configuration and device."""
        return {(record.configuration, record.device): record for record in self.report.cases.values()}

    def is_of(self, other: Session) -> bool:
        """Whether both are the same run, wherever their reports lie."""
        return self.report.data == other.report.data


@dataclass(frozen=True, slots=True)
class Stored:
    """A session of the store, and which accepted level it belongs to."""

    session: Session
    level: int


@dataclass(frozen=True, slots=True)
class Change:
    """A metric of a case, held against the baseline's.

    Attributes:
        configuration: Of the case.
        device: Likewise.
        metric: That changed.
        evidence: ``None`` where one side has no number.
        threshold: ``None`` where it is not gated.
        adjusted: p after Holm over all that is gated; ``None`` without one.
        outcome: What is said of it.
        note: Why it is inconclusive, and what would settle it; empty if nothing is to be said.
    """

    configuration: str
    device: str
    metric: Metric
    evidence: Evidence | None
    threshold: Threshold | None
    adjusted: float | None
    outcome: Outcome
    note: str


@dataclass(frozen=True, slots=True)
class Case:
    """A case that is on one side only, or has no baseline: why."""

    configuration: str
    device: str
    outcome: Outcome
    note: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing.

    Attributes:
        before: Names of the sessions of the baseline.
        after: Names of the new ones.
        changes: In the order of the new run's cases, and of the metrics.
        cases: That could not be compared.
        marks: What a reader must know of all of it: other machines, too few stored sessions, unchecked files.
        tests: Gated metrics with a p, over which Holm's procedure went.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    changes: tuple[Change, ...]
    cases: tuple[Case, ...]
    marks: tuple[str, ...]
    tests: int

    @property
    def failing(self) -> tuple[Change | Case, ...]:
        """What is worse, or removed."""
        return tuple(each for each in self._all if each.outcome.fails)

    @property
    def unjudged(self) -> str:
        """Why no gated cost of any case could be judged; empty if one could, or if none is gated."""
        costs = [
            each
            for each in self.changes
            if each.threshold is not None and each.metric.kind not in (Kind.EXACT, Kind.F1)
        ]
        if not costs or any(each.evidence is not None for each in costs):
            return ""
        reasons = "; ".join(dict.fromkeys(each.note for each in costs))
        return f"no gated cost of any case could be judged: {reasons}"

    @property
    def pending(self) -> tuple[Change, ...]:
        """What lies beyond its gate undecided: numbers that a session has one of, while their spread is not known."""
        return tuple(
            each
            for each in self.changes
            if each.outcome is Outcome.INCONCLUSIVE
            and each.metric.kind is Kind.SINGLE
            and each.threshold is not None
            and each.evidence is not None
            and each.evidence.basis is Basis.WITHIN
            and abs(each.evidence.worse_by) > each.threshold.limit(each.evidence.before)
        )

    @property
    def exit_code(self) -> int:
        """1 if something is worse or removed, 2 if no gated cost could be judged, else 0."""
        return 1 if self.failing else 2 if self.unjudged else 0

    def count(self, outcome: Outcome) -> int:
        """Return how many metrics and cases have this outcome."""
        return sum(each.outcome is outcome for each in self._all)

    @property
    def _all(self) -> tuple[Change | Case, ...]:
        return (*self.changes, *self.cases)


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return it as JSON-ready built-ins."""
    return {
        "leanner_compare": 1,
        "before": list(comparison.before),
        "after": list(comparison.after),
        "exit_code": comparison.exit_code,
        "tests": comparison.tests,
        "marks": list(comparison.marks),
        "cases": [
            {"configuration": c.configuration, "device": c.device, "outcome": str(c.outcome), "note": c.note}
            for c in comparison.cases
        ],
        "changes": [_change_json(change) for change in comparison.changes],
    }


def _change_json(change: Change) -> dict[str, Any]:
    evidence = change.evidence
    numbers = ("before", "after", "worse_by", "low", "high", "p")
    return {
        "configuration": change.configuration,
        "device": change.device,
        "metric": change.metric.name,
        "unit": change.metric.unit,
        "outcome": str(change.outcome),
        **{name: None if evidence is None else getattr(evidence, name) for name in numbers},
        "adjusted_p": change.adjusted,
        "basis": None if evidence is None else str(evidence.basis),
        "threshold": None if change.threshold is None else str(change.threshold),
        "note": change.note,
    }
