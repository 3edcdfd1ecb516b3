"""Documents with gold spans and predictions for them, drawn by Hypothesis or from a seed."""

from __future__ import annotations

import dataclasses

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hypothesis import strategies as st

from leanner.scoring.counts import ArticleCounts
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span
from leanner.words import word_offsets


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction

LABELS = tuple(Label)
TEXT = st.text(alphabet="aB9 -_/β𝛼\u0301(", max_size=24)


@st.composite
def span_lists(draw: st.DrawFn, text: str, *, on_words: bool = False) -> list[Span]:
    """Spans in ``text`` that do not overlap, sorted."""
    words = word_offsets(text)
    starts = [start for start, _ in words] if on_words else list(range(len(text)))
    ends = [end for _, end in words] if on_words else list(range(1, len(text) + 1))
    spans: list[Span] = []
    position = 0
    for start in starts:
        later = [end for end in ends if end > start]
        if start >= position and later and draw(st.booleans()):
            position = draw(st.sampled_from(later[:4]))
            spans.append(Span(start, position, draw(st.sampled_from(LABELS))))
    return spans


@st.composite
def tagged_sentences(draw: st.DrawFn, *, on_words: bool = False) -> tuple[Sentence, tuple[Span, ...]]:
    """A sentence and spans predicted for it: some of its own, some moved, some others."""
    text = draw(TEXT)
    gold = draw(span_lists(text, on_words=on_words))
    others = draw(span_lists(text, on_words=on_words))
    if on_words:
        predicted = others if draw(st.booleans()) else [span for span in gold if draw(st.booleans())]
    else:
        predicted = [span for span in gold if draw(st.booleans())] + others
    if draw(st.booleans()):
        predicted = [dataclasses.replace(span, label=draw(st.sampled_from(LABELS))) for span in predicted]
    return Sentence(text, 0, tuple(gold)), tuple(predicted)


@st.composite
def tagged_documents(
    draw: st.DrawFn, *, on_words: bool = False, max_size: int = 8
) -> list[tuple[Document, Prediction]]:
    """Documents of a few corpora and articles, each with a prediction."""
    tagged: list[tuple[Document, Prediction]] = []
    for number in range(draw(st.integers(0, max_size))):
        pairs = draw(st.lists(tagged_sentences(on_words=on_words), max_size=3))
        document = Document(
            id=str(number),
            corpus=draw(st.sampled_from("AB")),
            article=draw(st.sampled_from("xyz")),
            labels=frozenset(draw(st.sets(st.sampled_from(LABELS)))),
            sentences=tuple(sentence for sentence, _ in pairs),
        )
        tagged.append((document, tuple(predicted for _, predicted in pairs)))
    return tagged


def counts_of(rows: list[tuple[str, str, list[tuple[int, int, int]]]]) -> ArticleCounts:
    """Counts as given: corpus, article, and tp, fp, fn for each label."""
    rows = sorted(rows)
    return ArticleCounts(
        keys=tuple((corpus, article) for corpus, article, _ in rows),
        matches=np.array([matches for _, _, matches in rows], dtype=np.int64).reshape(len(rows), 3, 3),
        annotated=np.ones((len(rows), 3), dtype=np.bool_),
        labels=frozenset(Label),
    )


def simulated_counts(
    articles: int, *, seed: int, recalls: tuple[float, float], corpora: int = 5, mentions: float = 20
) -> tuple[ArticleCounts, ArticleCounts]:
    """Two taggers on the same articles, of which they find the given shares; no false positives."""
    first, second = simulated_taggers(articles, seed=seed, recalls=recalls, corpora=corpora, mentions=mentions)
    return first, second


def simulated_taggers(
    articles: int, *, seed: int, recalls: Sequence[float], corpora: int = 5, mentions: float = 20
) -> list[ArticleCounts]:
    """As many taggers as there are shares."""
    random = np.random.default_rng(seed)
    gold = random.poisson(mentions, size=(articles, 3)) + 1
    # The same draw decides for all taggers: they miss much the same mentions, as real ones do.
    keys = tuple(sorted((f"corpus{i % corpora}", f"article{i:06d}") for i in range(articles)))
    both = []
    luck = [[random.random(number) for number in row] for row in gold.tolist()]
    for recall in recalls:
        found = np.array([[int((chance < recall).sum()) for chance in row] for row in luck])
        matches = np.stack([found, np.zeros_like(found), gold - found], axis=2)
        both.append(ArticleCounts(keys, matches, np.ones((articles, 3), dtype=np.bool_), frozenset(Label)))
    return both
