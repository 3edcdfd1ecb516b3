"""seqeval as a second opinion on everything that words can represent."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from leanner.scoring.counts import LABELS
from leanner.scoring.matches import Matches
from leanner.words import word_offsets


if TYPE_CHECKING:
    from leanner.types import Document
    from leanner.types import Label
    from leanner.types import Span


_MICRO: Final = "micro avg"


@dataclass(frozen=True, slots=True)
class Agreement:
    """seqeval's strict scores on word tags, beside our counts of the same spans.

    Attributes:
        micro: seqeval's F1; ``None`` where there is neither gold nor prediction.
        labels: seqeval's F1 by label, ``None`` likewise.
        gold: Gold spans compared.
        gold_left_out: Gold spans that word tags cannot represent: an end within a word.
        predicted_left_out: Predicted spans that word tags cannot represent: an end
            within a word, or words that an earlier span has.
        exact: Whether seqeval's precision, recall and support are exactly ours, for
            every label and micro.
    """

    micro: float | None
    labels: dict[Label, float | None]
    gold: int
    gold_left_out: int
    predicted_left_out: int
    exact: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "micro": self.micro,
            **{label.value: self.labels[label] for label in LABELS},
            "gold": self.gold,
            "gold_left_out": self.gold_left_out,
            "predicted_left_out": self.predicted_left_out,
            "exact": self.exact,
        }


def second_opinion(
    documents: Iterable[Document],
    predictions: Iterable[Sequence[Iterable[Span]]],
    labels: Collection[Label] = LABELS,
) -> Agreement:
    """Score the spans that fall on words with seqeval, ``mode="strict"``, scheme IOB2.

    As in ``count_matches``, only labels that the document annotates are looked at. The
    word tags of all sentences are held at once.

    Args:
        documents: With gold spans.
        predictions: For each document one sequence, for each of its sentences the spans.
        labels: The labels that the tagger can give; the others are not scored.

    Raises:
        ValueError: The numbers of documents or sentences differ.
    """
    gold_tags: list[list[str]] = []
    predicted_tags: list[list[str]] = []
    gold_left_out = predicted_left_out = 0
    ours = dict.fromkeys(LABELS, Matches())
    for document, prediction in zip(documents, predictions, strict=True):
        scored = document.labels.intersection(labels)
        for sentence, spans in zip(document.sentences, prediction, strict=True):
            words = word_offsets(sentence.text)
            gold, gold_missed = _on_words(words, sentence.spans, scored)
            predicted, predicted_missed = _on_words(words, spans, scored)
            gold_left_out += gold_missed
            predicted_left_out += predicted_missed
            gold_tags.append(_tags(len(words), gold))
            predicted_tags.append(_tags(len(words), predicted))
            for label in scored:
                truth, guess = ({words_ for words_ in chosen if words_[2] == label} for chosen in (gold, predicted))
                hits = len(truth & guess)
                ours[label] += Matches(hits, len(guess) - hits, len(truth) - hits)
    total = sum(ours.values(), Matches())
    if total.f1 is None:
        # seqeval averages over no label then, and warns about NaN.
        return Agreement(None, dict.fromkeys(LABELS), 0, gold_left_out, predicted_left_out, exact=True)
    theirs = classification_report(
        gold_tags, predicted_tags, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
    )
    compared = [(theirs[_MICRO], total)]
    compared += [(theirs[label.value], ours[label]) for label in LABELS if label.value in theirs]
    return Agreement(
        micro=float(theirs[_MICRO]["f1-score"]),
        labels={label: float(theirs[label.value]["f1-score"]) if label.value in theirs else None for label in LABELS},
        gold=total.tp + total.fn,
        gold_left_out=gold_left_out,
        predicted_left_out=predicted_left_out,
        exact=all(_same(report, matches) for report, matches in compared)
        and all((label.value in theirs) == (ours[label].f1 is not None) for label in LABELS),
    )


def _on_words(
    words: list[tuple[int, int]], spans: Iterable[Span], scored: frozenset[Label]
) -> tuple[list[tuple[int, int, Label]], int]:
    """Return spans as ``(first word, word behind, label)``, and how many are no whole words."""
    first = {start: index for index, (start, _) in enumerate(words)}
    behind = {end: index + 1 for index, (_, end) in enumerate(words)}
    kept: list[tuple[int, int, Label]] = []
    left_out = 0
    free = 0
    for span in sorted({span for span in spans if span.label in scored}):
        if span.start in first and span.end in behind and first[span.start] >= free:
            free = behind[span.end]
            kept.append((first[span.start], free, span.label))
        else:
            left_out += 1
    return kept, left_out


def _tags(length: int, spans: list[tuple[int, int, Label]]) -> list[str]:
    tags = ["O"] * length
    for start, end, label in spans:
        tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return tags


def _same(report: dict[str, Any], matches: Matches) -> bool:
    """Compare with seqeval's report, in which an undefined ratio is 0."""
    return (float(report["precision"]), float(report["recall"]), int(report["support"])) == (
        matches.precision or 0.0,
        matches.recall or 0.0,
        matches.tp + matches.fn,
    )
