"""A text as a document, and a document's spans as those of its text."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

from leanner.corpora.segmentation import sentence_offsets
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span


def document_of(text: str, passages: Iterable[tuple[int, int]] | None = None, name: str = "") -> Document:
    """Return ``text`` in sentences, split as those of the corpora are.

    Args:
        text: Any.
        passages: Characters that no sentence crosses, ``(start, end)``; the whole text if ``None``.
        name: Of the document.
    """
    sentences = tuple(Sentence(text[start:end], start) for start, end in sentence_offsets(text, passages))
    return Document(name, "", name, frozenset(Label), sentences)


def spans_in_text(document: Document, prediction: Iterable[Iterable[Span]]) -> Iterator[Span]:
    """Yield the spans of a document with their places in its text, in order.

    Args:
        document: In sentences.
        prediction: Spans by sentence, offsets relative to the sentence's text.
    """
    for sentence, spans in zip(document.sentences, prediction, strict=True):
        for span in spans:
            yield Span(sentence.start + span.start, sentence.start + span.end, span.label)
