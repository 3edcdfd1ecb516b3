"""The part of the corpus that rounds tag: F1 wants all of the text, a time wants many rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanner.corpora.sample import Survey
from leanner.words import word_offsets


if TYPE_CHECKING:
    from leanner.types import Document


@dataclass(frozen=True, slots=True)
class TimedPart:
    """Documents that every round tags.

    Attributes:
        documents: In the order of the corpus.
        sentences: In them.
        tokens: Words of these sentences, as the corpus counts them.
    """

    documents: tuple[Document, ...]
    sentences: int
    tokens: int


def timed_part(documents: Sequence[Document], sentences: int, seed: int) -> TimedPart:
    """Draw whole articles from each corpus, in its share of the sentences.

    Args:
        documents: The corpus.
        sentences: About how many to draw, not fewer; 0 for all.
        seed: Seed of the draw.
    """
    chosen = tuple(documents)
    if 0 < sentences < sum(len(document.sentences) for document in documents):
        survey = Survey(seed)
        for document in documents:
            survey.add(document)
        sample = survey.draw(sentences)
        chosen = tuple(document for document in documents if sample.holds(document.corpus, document.article))
    texts = [sentence.text for document in chosen for sentence in document.sentences]
    return TimedPart(chosen, len(texts), sum(len(word_offsets(text)) for text in texts))
