"""The answer in a sentence: what to run here, what it gains and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leanner.report.record import CaseRecord
from leanner.report.record import Verdict
from leanner.types import Label


#: What stands before the reason for which a sentence has no joules.
NO_METER: Final = "no meter here: "


def answer(records: Sequence[CaseRecord]) -> str:
    """Return the sentence, for instance ``bf16: 1.8× faster, 0.1 pt F1, no meter here: …``.

    It names the fastest case that keeps its F1 bound and is faster than the baseline
    beyond the interval of the ratio; where this one loses more than the text's size could
    hide, also the fastest of which that is not so.
    """
    held = [
        record
        for record in records
        if record.verdict is Verdict.PASS and record.speedup is not None and record.speedup.low > 1.0
    ]
    if held:
        best = max(held, key=_speedup)
        careful = max(filter(_may_lose_nothing, held), key=_speedup, default=best)
        other = (
            ""
            if careful is best or _may_lose_nothing(best)
            else f" (without a loss that this text shows: {_title(careful)}, {_gain(careful)}, {_interval(careful)})"
        )
        worst = _worst_label(best, records)
        return f"{_title(best)}: {_gain(best)}, {_cost(best)}{worst}{other}, {_joules(best, records)}"
    baseline = next(filter(_is_unchanged, records), None)
    measured = [record for record in records if record.speedup is not None and not _is_unchanged(record)]
    if not measured and any(record.time is not None and not _is_unchanged(record) for record in records):
        return "nothing to compare: the baseline was not timed among the cases"
    if not measured:
        return "nothing to compare: no case but the baseline was measured"
    best = max(measured, key=_speedup)
    return (
        f"{_title(baseline) if baseline else 'fp32'}: nothing measured is both faster and within its F1 bound; "
        f"fastest was {_title(best)}: {_gain(best)}, {_cost(best)} ({best.verdict}), {_joules(best, records)}"
    )


def _worst_label(record: CaseRecord, records: Sequence[CaseRecord]) -> str:
    """Return the label that loses more than a point beyond what all of them lose together; empty if none does."""
    baseline = next((r for r in records if _is_unchanged(r) and r.device == record.device), None)
    if baseline is None or not baseline.f1 or not record.f1 or record.f1_drop is None:
        return ""
    losses = {
        label.value: 100.0 * (before - after)
        for label in Label
        if (before := baseline.f1.get(label.value)) is not None and (after := record.f1.get(label.value)) is not None
    }
    label = max(losses, key=losses.__getitem__, default=None)
    if label is None or losses[label] <= record.f1_drop.points + 1.0:
        return ""
    return f", {_tenths(losses[label])} of {label}"


def _is_unchanged(record: CaseRecord) -> bool:
    return not record.passes and record.served is None


def _speedup(record: CaseRecord) -> float:
    return record.speedup.value if record.speedup else 0.0


def _may_lose_nothing(record: CaseRecord) -> bool:
    return record.f1_drop is not None and record.f1_drop.low is not None and record.f1_drop.low <= 0.0


def _interval(record: CaseRecord) -> str:
    drop = record.f1_drop
    assert drop is not None
    assert drop.low is not None
    assert drop.high is not None
    return f"{_cost(record)} [{_tenths(drop.low)}, {_tenths(drop.high)}]"


def _title(record: CaseRecord) -> str:
    return record.configuration if record.device == "cpu" else f"{record.configuration} on {record.device}"


def _gain(record: CaseRecord) -> str:
    assert record.speedup is not None
    value = record.speedup.value
    return f"{value:.1f}× faster" if value >= 1 else f"{1 / value:.1f}× slower"


def _cost(record: CaseRecord) -> str:
    if record.f1_drop is None:
        return "F1 loss unknown"
    return f"{_tenths(record.f1_drop.points)} pt F1"


def _tenths(points: float) -> str:
    # A gain too small for the digits is no "-0.0".
    return f"{round(points, 1) + 0.0:.1f}"


def _joules(record: CaseRecord, records: Sequence[CaseRecord]) -> str:
    energy = record.energy
    if energy is not None and energy.per_1000_sentences_j is not None:
        estimated = " (estimate)" if "estimate" in energy.sources else ""
        baseline = next((r.energy for r in records if _is_unchanged(r) and r.device == record.device), None)
        if baseline is not None and baseline.per_1000_sentences_j:
            share = 100 * (1 - energy.per_1000_sentences_j / baseline.per_1000_sentences_j)
            return f"{share:.0f} % fewer joules{estimated}" if share >= 0 else f"{-share:.0f} % more joules{estimated}"
        return f"{energy.per_1000_sentences_j:.3g} J per 1,000 sentences{estimated}"
    return f"{NO_METER}{record.unknown.get('energy', 'joules unknown')}"
