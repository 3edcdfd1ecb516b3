"""F1 as the record holds it: micro, per label, per corpus and macro over corpora."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from leanner.scoring.counts import LABELS
from leanner.scoring.counts import ArticleCounts


if TYPE_CHECKING:
    from leanner.types import Label


@dataclass(frozen=True, slots=True)
class CorpusF1:
    """Scores on one corpus, or on all. ``None`` is unknown, its reason in ``F1Scores.reasons``.

    Attributes:
        micro: F1 over the spans of all labels.
        labels: F1 of each of the three labels.
        precision: Micro precision.
        recall: Micro recall.
    """

    micro: float | None
    labels: dict[Label, float | None]
    precision: float | None
    recall: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as the record's JSON has them."""
        by_label = {label.value: self.labels[label] for label in LABELS}
        return {"micro": self.micro, **by_label, "precision": self.precision, "recall": self.recall}


@dataclass(frozen=True, slots=True)
class F1Scores:
    """A tagger's scores on a merged corpus.

    Attributes:
        overall: Over all articles.
        by_corpus: For each corpus by itself.
        macro_over_corpora: Mean of the corpora's micro F1, those without one left out.
        reasons: Why a score is ``None``, by its place in ``to_dict``, joined with dots.
    """

    overall: CorpusF1
    by_corpus: dict[str, CorpusF1]
    macro_over_corpora: float | None
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def micro(self) -> float | None:
        """F1 over all spans of all articles."""
        return self.overall.micro

    @property
    def precision(self) -> float | None:
        """Precision over all predicted spans."""
        return self.overall.precision

    @property
    def recall(self) -> float | None:
        """Recall over all gold spans."""
        return self.overall.recall

    def to_dict(self) -> dict[str, Any]:
        """Return the record's ``f1``: plain floats or ``None``, never NaN."""
        return {
            **self.overall.to_dict(),
            "by_corpus": {name: scores.to_dict() for name, scores in self.by_corpus.items()},
            "macro_over_corpora": self.macro_over_corpora,
            "reasons": dict(self.reasons),
        }


def f1_scores(counts: ArticleCounts) -> F1Scores:
    """Compute the scores from counts of matches."""
    reasons: dict[str, str] = {}
    overall = _scores(counts, None, "", reasons)
    by_corpus = {name: _scores(counts, name, f"by_corpus.{name}.", reasons) for name in counts.corpora}
    known = [scores.micro for scores in by_corpus.values() if scores.micro is not None]
    if not known:
        reasons["macro_over_corpora"] = "no corpus has a micro F1"
    return F1Scores(overall, by_corpus, sum(known) / len(known) if known else None, reasons)


def _scores(counts: ArticleCounts, corpus: str | None, prefix: str, reasons: dict[str, str]) -> CorpusF1:
    labels: dict[Label, float | None] = {}
    for label in LABELS:
        labels[label] = counts.total(label, corpus).f1
        if label not in counts.labels:
            reasons[prefix + label] = "the tagger does not give this label"
        elif not counts.annotates(label, corpus):
            reasons[prefix + label] = "not annotated here"
        elif labels[label] is None:
            reasons[prefix + label] = "neither gold nor predicted spans"
    matches = counts.total(corpus=corpus)
    for name, value, reason in (
        ("micro", matches.f1, "neither gold nor predicted spans"),
        ("precision", matches.precision, "no predicted spans"),
        ("recall", matches.recall, "no gold spans"),
    ):
        if value is None:
            reasons[prefix + name] = reason
    return CorpusF1(matches.f1, labels, matches.precision, matches.recall)
