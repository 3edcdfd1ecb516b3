"""F1 of a case on all, on each label and on each corpus, with intervals from the stored spans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.scoring.by_part import f1_interval
from leanner.scoring.by_part import loss_on
from leanner.scoring.by_part import part_of
from leanner.scoring.counts import LABELS
from leanner.scoring.counts import ArticleCounts
from leanner.scoring.counts import count_matches


if TYPE_CHECKING:
    from leanner.report.predictions import Predictions
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run
    from leanner.types import Label

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class PartScore:
    """F1 on a part of the corpus. ``None`` is unknown, with its reason.

    Attributes:
        part: ``all``, a label, or a corpus.
        f1: As the report has it.
        interval: Its ends with 95 %.
        reason: Why one of these is unknown.
        loss: Against the baseline, in percentage points, positive is worse.
        loss_interval: Its ends with 95 %.
        loss_reason: Why one of these is unknown.
    """

    part: str
    f1: float | None
    interval: tuple[float, float] | None
    reason: str | None
    loss: float | None
    loss_interval: tuple[float, float] | None
    loss_reason: str | None


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    label: Label | None = None
    corpus: str | None = None


def scores_of(run: Run, record: CaseRecord) -> tuple[tuple[PartScore, ...], str | None]:
    """Return the scores of a case, and why they have no intervals; ``None`` if they have.

    Args:
        run: With its corpus, if there are to be intervals.
        record: A case with a result.
    """
    f1: Mapping[str, Any] = record.f1 or {}
    labels = [_Part(label.value, label=label) for label in LABELS]
    parts = [_Part(ALL), *labels, *(_Part(name, corpus=name) for name in f1.get("by_corpus", {}))]
    try:
        baseline, counts = counts_of(run, run.baseline_predictions(record)), counts_of(run, run.predictions(record))
    except (OSError, ValueError) as error:
        return tuple(_told(f1, part, str(error)) for part in parts), str(error)
    return tuple(_scored(f1, part, baseline, counts, record.seed or 0) for part in parts), None


def counts_of(run: Run, predictions: Predictions) -> ArticleCounts:
    """Return the matches of stored spans on the corpus of a run.

    Raises:
        ValueError: The corpus is not there, or the spans are not on it.
    """
    if run.documents is None:
        raise ValueError(run.no_documents or "the corpus is missing")
    return count_matches(run.documents, predictions.on(run.documents), predictions.labels)


def _f1(f1: Mapping[str, Any], part: _Part) -> tuple[float | None, str | None]:
    """Return F1 as the report has it, and why it is unknown there."""
    place = part.label.value if part.label is not None else "micro"
    scores = f1 if part.corpus is None else f1["by_corpus"][part.corpus]
    reason = f1.get("reasons", {}).get(place if part.corpus is None else f"by_corpus.{part.corpus}.{place}")
    return scores.get(place), reason


def _told(f1: Mapping[str, Any], part: _Part, why: str) -> PartScore:
    value, reason = _f1(f1, part)
    return PartScore(part.name, value, None, reason or why, None, None, why)


def _scored(f1: Mapping[str, Any], part: _Part, baseline: ArticleCounts, counts: ArticleCounts, seed: int) -> PartScore:
    value, reason = _f1(f1, part)
    bounds = f1_interval(part_of(counts, label=part.label, corpus=part.corpus), seed=seed)
    loss = loss_on(baseline, counts, label=part.label, corpus=part.corpus, seed=seed)
    return PartScore(
        part=part.name,
        f1=value,
        interval=None if bounds.low is None or bounds.high is None else (bounds.low, bounds.high),
        reason=reason or bounds.reason,
        loss=loss.points,
        loss_interval=None if loss.low is None or loss.high is None else (loss.low, loss.high),
        loss_reason=loss.reason,
    )
