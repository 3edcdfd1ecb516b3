from __future__ import annotations

from itertools import pairwise

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.measure.search.parts import FINALISTS
from leanner.measure.search.parts import articles_of
from leanner.measure.search.parts import drawn
from leanner.measure.search.parts import plan
from leanner.measure.search.parts import sentences_of
from leanner.measure.search.parts import split
from leanner.scoring.bootstrap import MIN_ARTICLES
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


SEEDS = st.integers(0, 2**32)


def corpus(name: str, sizes: list[int]) -> list[Document]:
    """Return articles of two documents each, with so many sentences in each."""
    return [
        Document(
            f"{number}.{part}", name, f"{number}", frozenset(Label), tuple(Sentence(f"{number}") for _ in range(size))
        )
        for number, size in enumerate(sizes)
        for part in range(2)
    ]


SIZES = st.lists(st.integers(1, 6), min_size=60, max_size=90)


@settings(deadline=None)
@given(SIZES, SIZES, SEEDS)
def test_halves_are_whole_articles_of_each_corpus(one: list[int], other: list[int], seed: int) -> None:
    documents = corpus("one", one) + corpus("other", other)
    halves = split(documents, seed)

    articles = [{(document.corpus, document.article) for document in half} for half in halves]
    assert not articles[0] & articles[1]
    assert sorted(document.id + document.corpus for half in halves for document in half) == sorted(
        document.id + document.corpus for document in documents
    )
    for name in ("one", "other"):
        sizes = [sentences_of([document for document in half if document.corpus == name]) for half in halves]
        # Not fewer than half, and at most one article more.
        assert 0 <= sizes[0] - sizes[1] <= 2 * 2 * 6
    assert split(documents, seed) == halves


def test_too_little_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 20 articles or more in each half of the corpora, found 1\d"):
        split(corpus("one", [2] * 35), 0)


@settings(deadline=None)
@given(SIZES, SEEDS, st.floats(1, 1e5), st.floats(1e-4, 1.0))
def test_rungs_grow_and_fit_the_budget(sizes: list[int], seed: int, budget_s: float, sentence_s: float) -> None:
    documents = corpus("one", sizes)
    planned = plan(documents, seed, budget_s=budget_s, sentence_s=sentence_s)
    texts = [drawn("calibration", documents, size, planned.timed_sentences, seed) for size in planned.rungs]

    assert all(articles_of(text.documents) >= MIN_ARTICLES for text in texts)
    assert all(set(text.timed) <= set(text.documents) for text in texts)
    for smaller, larger in pairwise(texts):
        assert set(smaller.documents) < set(larger.documents)
    assert planned.rungs[-1] <= sentences_of(documents)
    assert list(planned.ends_s) == sorted(planned.ends_s)
    assert planned.ends_s[-1] == pytest.approx(0.8 * budget_s)
    assert len(planned.ends_s) == len(planned.rungs) <= 3
    if planned.rungs[-1] > planned.rungs[0]:
        # The finalists have time to tag the last rung twice.
        assert FINALISTS * 2 * planned.rungs[-1] * sentence_s <= 0.15 * budget_s * 1.000001


def test_a_long_budget_takes_all_of_the_text() -> None:
    documents = corpus("one", [3] * 180)
    planned = plan(documents, 0, budget_s=1200, sentence_s=0.008)

    assert planned.rungs == (120, 360, 1080)
    assert planned.ends_s == pytest.approx((600, 780, 960))
    assert planned.timed_sentences == 125
