"""Strict character-span matches per article: what F1 and the bootstrap are computed from."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.scoring.matches import Matches
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span


if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Order of the labels along the second axis of ``ArticleCounts.matches``.
LABELS: Final = tuple(Label)
#: Order along its third axis.
TP, FP, FN = range(3)

_COLUMN: Final = {label: 3 * index for index, label in enumerate(LABELS)}


@dataclass(frozen=True, slots=True, eq=False)
class ArticleCounts:
    """Matches of a tagger's predictions, article by article.

    Attributes:
        keys: ``(corpus, article)``, sorted, each once.
        matches: Spans, *Shape:* ``(articles, labels, 3)``, the last axis true positives,
            false positives, false negatives.
        annotated: Whether a document of the article annotates the label (and it is
            scored), *Shape:* ``(articles, labels)``.
        labels: The labels that were scored where annotated.
    """

    keys: tuple[tuple[str, str], ...]
    matches: NDArray[np.int64]
    annotated: NDArray[np.bool_]
    labels: frozenset[Label]

    @property
    def corpora(self) -> tuple[str, ...]:
        """Names of the corpora, sorted."""
        return tuple(sorted({corpus for corpus, _ in self.keys}))

    def total(self, label: Label | None = None, corpus: str | None = None) -> Matches:
        """Sum over articles.

        Args:
            label: Of this label only; of all if ``None``.
            corpus: Of this corpus only; of all if ``None``.
        """
        chosen = self.matches[self._rows(corpus)]
        if label is not None:
            chosen = chosen[:, [LABELS.index(label)]]
        tp, fp, fn = chosen.sum(axis=(0, 1)).tolist()
        return Matches(tp, fp, fn)

    def annotates(self, label: Label, corpus: str | None = None) -> bool:
        """Whether any article (of ``corpus``) was scored on ``label``."""
        return bool(self.annotated[self._rows(corpus), LABELS.index(label)].any())

    def only(self, label: Label) -> ArticleCounts:
        """Return the counts of one label, as if no other had been scored."""
        others = [index for index, each in enumerate(LABELS) if each != label]
        matches, annotated = self.matches.copy(), self.annotated.copy()
        matches[:, others] = 0
        annotated[:, others] = False
        return ArticleCounts(self.keys, matches, annotated, self.labels & {label})

    def __add__(self, other: ArticleCounts) -> ArticleCounts:
        """Merge counts of different documents; an article in both is summed.

        Raises:
            ValueError: The two were scored on different labels.
        """
        if self.labels != other.labels:
            raise ValueError(f"expected counts of the labels {_names(self.labels)}, found {_names(other.labels)}")
        keys = tuple(sorted({*self.keys, *other.keys}))
        row = {key: index for index, key in enumerate(keys)}
        matches = np.zeros((len(keys), len(LABELS), 3), dtype=np.int64)
        annotated = np.zeros((len(keys), len(LABELS)), dtype=np.bool_)
        for part in (self, other):
            rows = [row[key] for key in part.keys]
            matches[rows] += part.matches
            annotated[rows] |= part.annotated
        return ArticleCounts(keys, matches, annotated, self.labels)

    def _rows(self, corpus: str | None) -> NDArray[np.intp]:
        return np.array([i for i, (name, _) in enumerate(self.keys) if corpus in (None, name)], dtype=np.intp)


def count_matches(
    documents: Iterable[Document],
    predictions: Iterable[Sequence[Iterable[Span]]],
    labels: Collection[Label] = LABELS,
) -> ArticleCounts:
    """Compare predictions with the gold spans of their documents.

    A predicted span is right if a gold span of its sentence has the same start, end
    and label. Equal spans of a sentence count once. A label that a document does not
    annotate is unknown there: spans of it are neither right nor wrong.

    Args:
        documents: With gold spans. Read once, one at a time.
        predictions: For each document one sequence, for each of its sentences the spans.
        labels: The labels that the tagger can give; the others are not scored.

    Raises:
        ValueError: The numbers of documents or sentences differ, or a predicted span
            ends behind its sentence.
    """
    scorable = frozenset(labels)
    rows: dict[tuple[str, str], list[int]] = {}
    annotated: dict[tuple[str, str], set[Label]] = {}
    for number, (document, prediction) in enumerate(zip_longest(documents, predictions)):
        if document is None or prediction is None:
            more = "prediction" if document is None else "document"
            raise ValueError(f"expected one prediction per document, found a {more} too many after {number} of each")
        if len(prediction) != len(document.sentences):
            raise ValueError(
                f"{document.corpus} {document.id}: expected predictions for {len(document.sentences)} sentences, "
                f"found {len(prediction)}"
            )
        scored = document.labels & scorable
        key = (document.corpus, document.article)
        row = rows.setdefault(key, [0] * (3 * len(LABELS)))
        annotated.setdefault(key, set()).update(scored)
        for sentence, spans in zip(document.sentences, prediction, strict=True):
            try:
                _add_sentence(row, sentence, spans, scored)
            except ValueError as error:
                raise ValueError(f"{document.corpus} {document.id}, sentence at {sentence.start}: {error}") from None
    keys = tuple(sorted(rows))
    return ArticleCounts(
        keys=keys,
        matches=np.array([rows[key] for key in keys], dtype=np.int64).reshape(len(keys), len(LABELS), 3),
        annotated=np.array([[label in annotated[key] for label in LABELS] for key in keys], dtype=np.bool_).reshape(
            len(keys), len(LABELS)
        ),
        labels=scorable,
    )


def _add_sentence(row: list[int], sentence: Sentence, spans: Iterable[Span], scored: frozenset[Label]) -> None:
    gold = {span for span in sentence.spans if span.label in scored}
    predicted = set()
    for span in spans:
        if span.end > len(sentence.text):
            raise ValueError(f"expected spans within {len(sentence.text)} characters, found {span}")
        if span.label in scored:
            predicted.add(span)
    for span in gold & predicted:
        row[_COLUMN[span.label] + TP] += 1
    for span in predicted - gold:
        row[_COLUMN[span.label] + FP] += 1
    for span in gold - predicted:
        row[_COLUMN[span.label] + FN] += 1


def _names(labels: frozenset[Label]) -> str:
    return ", ".join(label for label in LABELS if label in labels) or "none"
