"""Documents, sentences and spans: the nouns every room shares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Label(StrEnum):
    """An entity type of the merged corpus."""

    GENE = "GENE"
    SPECIES = "SPECIES"
    DISEASE = "DISEASE"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A mention: character offsets into its sentence's text, end exclusive.

    Raises:
        ValueError: The offsets are negative, empty or reversed.
    """

    start: int
    end: int
    label: Label

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"expected 0 <= start < end, found start={self.start}, end={self.end}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a document, with its gold spans.

    Attributes:
        text: The sentence as it stands in the document.
        start: Character offset of ``text`` in the document.
        spans: Gold mentions, offsets relative to ``text``, sorted, not overlapping.

    Raises:
        ValueError: A span ends behind the text, or two spans overlap or are unsorted.
    """

    text: str
    start: int = 0
    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        position = 0
        for span in self.spans:
            if span.start < position:
                raise ValueError(f"expected sorted spans without overlap, found {span} before {position}")
            position = span.end
        if position > len(self.text):
            raise ValueError(f"expected spans within {len(self.text)} characters, found {self.spans[-1]}")


@dataclass(frozen=True, slots=True)
class Document:
    """A text that was annotated as a whole.

    Attributes:
        id: Identifier, unique within the corpus.
        corpus: Name of the corpus it comes from.
        article: Article it belongs to (figure legends and paragraphs share one):
            the unit of sampling and of the bootstrap.
        labels: Labels annotated here. A label that is missing is unknown, not absent.
        sentences: Sentences in reading order.
    """

    id: str
    corpus: str
    article: str
    labels: frozenset[Label]
    sentences: tuple[Sentence, ...]
