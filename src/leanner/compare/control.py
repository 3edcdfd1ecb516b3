"""The A/A control: the baseline held against its own repetition, by the gate that other cases pass."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

from scipy import stats

from leanner.compare.comparing import compare
from leanner.compare.comparison import Session
from leanner.compare.comparison import to_json as comparison_to_json
from leanner.compare.conditions import has_result
from leanner.compare.outcome import Outcome
from leanner.compare.relabelling import Windows
from leanner.compare.relabelling import interleaved
from leanner.compare.relabelling import one_after_the_other
from leanner.configurations import BASELINE
from leanner.configurations import CONTROL


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.compare.comparison import Comparison
    from leanner.compare.evidence import Evidence
    from leanner.compare.thresholds import Gates
    from leanner.report.record import CaseRecord
    from leanner.types import Document


#: Device and metric.
Gate = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of so many comparisons alarmed: said worse."""

    alarms: int
    trials: int

    @property
    def interval(self) -> tuple[float, float]:
        """The share's 95 % interval, if the trials are independent.

        Clopper and Pearson 1934, The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial,
        Biometrika 26(4).
        """
        missed = self.trials - self.alarms
        low = float(stats.beta.ppf(0.025, self.alarms, missed + 1)) if self.alarms else 0.0
        high = float(stats.beta.ppf(0.975, self.alarms + 1, missed)) if missed else 1.0
        return low, high


@dataclass(frozen=True, slots=True)
class Control:
    """What came of the control.

    Attributes:
        comparison: The baseline against its repetition, as if they were two runs.
        between: By device, what the rounds of the baseline that lie between those of the repetition tell of time.
        relabelled: By gate, how many ways to exchange the windows of both alarm, without Holm's adjustment.
        stored: By gate, in how many sessions of this machine, this one among them, the pair alarmed.
        sessions: In how many of them any gate did.
    """

    comparison: Comparison
    between: Mapping[str, Evidence]
    relabelled: Mapping[Gate, Rate]
    stored: Mapping[Gate, Rate]
    sessions: Rate


def control(
    report: Report, stored: Sequence[Session], gates: Gates, documents: Callable[[], Sequence[Document]]
) -> Control | None:
    """Hold the baseline of a report against its repetition; ``None`` where no device has both.

    Args:
        report: With the control among its cases.
        stored: Other sessions of the same machine under the same conditions; those without the control are left out.
        gates: What is gated.
        documents: See ``compare``.
    """
    sides = pair(report)
    if sides is None:
        return None
    this = compare([sides[0]], [sides[1]], gates, documents)
    pairs = [found for session in stored if not _is(session, report) and (found := pair(session.report)) is not None]
    comparisons = [compare([before], [after], gates, documents) for before, after in pairs]
    judged = {(change.device, change.metric.name) for change in this.changes if change.adjusted is not None}
    relabelled: dict[Gate, Rate] = {}
    between: dict[str, Evidence] = {}
    for (_, device), before in sides[0].cases.items():
        windows = interleaved(sides[1].cases[BASELINE, device])
        if windows is not None:
            between[device] = windows.evidence()
        for each in (windows, one_after_the_other(before, sides[1].cases[BASELINE, device])):
            if each is not None and (device, each.metric.name) in judged:
                relabelled[device, each.metric.name] = _relabelled(each, gates)
    return Control(this, between, relabelled, *_rates([this, *comparisons]))


def pair(report: Report) -> tuple[Session, Session] | None:
    """Return the baseline and its repetition as two runs, the latter by the baseline's name.

    Peaks of memory are left out: the repetition holds the baseline's tagger beside its own.

    Returns:
        ``None`` where no device has a result of both.
    """
    found: dict[str, dict[str, tuple[str, CaseRecord]]] = {BASELINE: {}, CONTROL: {}}
    for nodeid, record in report.cases.items():
        if record.configuration in found and has_result(record):
            found[record.configuration][record.device] = nodeid, record
    devices = [device for device in found[BASELINE] if device in found[CONTROL]]
    if not devices:
        return None
    before, after = (
        Session(name, replace(report, cases=dict(_alone(*found[name][device]) for device in devices)))
        for name in (BASELINE, CONTROL)
    )
    return before, after


def to_json(control: Control) -> dict[str, Any]:
    """Return it as JSON-ready built-ins."""
    return {
        "comparison": comparison_to_json(control.comparison),
        "sessions": _rate_json(control.sessions),
        "gates": [
            {
                "device": device,
                "metric": metric,
                "relabelled": _rate_json(control.relabelled.get((device, metric))),
                "sessions": _rate_json(rate),
            }
            for (device, metric), rate in control.stored.items()
        ],
    }


def _rate_json(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    low, high = rate.interval
    return {"alarms": rate.alarms, "trials": rate.trials, "low": low, "high": high}


def _alone(nodeid: str, record: CaseRecord) -> tuple[str, CaseRecord]:
    memory = None if record.memory is None else replace(record.memory, peak_host_mb=None, peak_vram_mb=None)
    return nodeid, replace(record, configuration=BASELINE, memory=memory)


def _is(session: Session, report: Report) -> bool:
    return session.is_of(Session("", report))


def _relabelled(windows: Windows, gates: Gates) -> Rate:
    threshold = gates.of(BASELINE, windows.metric)
    assert threshold is not None
    outcomes = list(windows.outcomes(threshold))
    return Rate(outcomes.count(Outcome.WORSE), len(outcomes))


def _rates(comparisons: Sequence[Comparison]) -> tuple[dict[Gate, Rate], Rate]:
    """Return how many comparisons alarmed, by gate among those with a p, and by any gate."""
    found: dict[Gate, list[bool]] = {}
    for comparison in comparisons:
        for change in comparison.changes:
            if change.adjusted is not None:
                found.setdefault((change.device, change.metric.name), []).append(change.outcome is Outcome.WORSE)
    rates = {gate: Rate(sum(alarms), len(alarms)) for gate, alarms in found.items()}
    return rates, Rate(sum(bool(comparison.failing) for comparison in comparisons), len(comparisons))
