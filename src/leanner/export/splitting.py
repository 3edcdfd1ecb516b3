"""What splits words, as a file names it, and again; and what splits a text into sentences."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.segmentation import sentence_offsets
from leanner.export.manifest import WordSplitting
from leanner.taggers.errors import TaggerError
from leanner.taggers.splitters import SegtokWords
from leanner.taggers.splitters import SpacedWords
from leanner.taggers.splitters import Splitter
from leanner.taggers.splitters import VisibleWords
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction


_PLAIN: Final[tuple[type[VisibleWords | SpacedWords], ...]] = (VisibleWords, SpacedWords)
_NAMES: Final = tuple(kind().name for kind in (VisibleWords, SegtokWords, SpacedWords))


def named_splitting(splitter: Splitter) -> WordSplitting:
    """Return how a file names ``splitter``.

    Raises:
        TaggerError: It needs more than an export has.
    """
    # A tokenizer of Flair's knows what does the same without Flair.
    plain = getattr(splitter, "splitter", splitter)
    if isinstance(plain, SegtokWords):
        return WordSplitting(plain.name, plain.split_characters)
    if isinstance(plain, _PLAIN):
        return WordSplitting(plain.name)
    raise TaggerError(
        f"expected words that are split by one of {', '.join(_NAMES)}, found {splitter.name}, which an export cannot "
        "do without Flair; export a tagger that splits them otherwise"
    )


def splitter_of(splitting: WordSplitting) -> Splitter:
    """Return what a file names.

    Raises:
        TaggerError: There is nothing of that name.
    """
    if splitting.name == SegtokWords().name:
        return SegtokWords(splitting.split_characters)
    for kind in _PLAIN:
        if splitting.name == kind().name:
            return kind()
    raise TaggerError(
        f"expected words that are split by one of {', '.join(_NAMES)}, found {splitting.name}; update leanner"
    )


def document_of(text: str, passages: Iterable[tuple[int, int]] | None = None, name: str = "") -> Document:
    """Return ``text`` in sentences, split as those of the corpora are.

    Args:
        text: Any.
        passages: Characters that no sentence crosses, ``(start, end)``; the whole text if ``None``.
        name: Of the document.
    """
    sentences = tuple(Sentence(text[start:end], start) for start, end in sentence_offsets(text, passages))
    return Document(name, "", name, frozenset(Label), sentences)


def spans_in_text(document: Document, prediction: Prediction) -> Iterator[Span]:
    """Yield the spans of a document with their places in its text, in order."""
    for sentence, spans in zip(document.sentences, prediction, strict=True):
        for span in spans:
            yield Span(sentence.start + span.start, sentence.start + span.end, span.label)
