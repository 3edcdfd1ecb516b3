from __future__ import annotations

import random

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from corpora.synthetic import native
from corpora.synthetic import source
from leanner.corpora.merge import MergedCorpus
from leanner.corpora.sample import Survey
from leanner.types import Document
from leanner.types import Sentence


if TYPE_CHECKING:
    from leanner.corpora.native import NativeDocument


def document(corpus: str, article: str, sentences: int, number: int = 0) -> Document:
    return Document(f"{article}-{number}", corpus, article, frozenset(), (Sentence("A mouse."),) * sentences)


_SIZES = st.dictionaries(
    st.sampled_from(["bioid", "tmvar", "variome"]), st.lists(st.integers(0, 9), min_size=1, max_size=12), min_size=1
)


@given(_SIZES, st.integers(1, 200), st.integers(0, 5))
def test_sample_reaches_its_size_with_one_article_a_corpus_to_spare(
    sizes: dict[str, list[int]], asked: int, seed: int
) -> None:
    survey = Survey(seed)
    for corpus, articles in sizes.items():
        for number, sentences in enumerate(articles):
            survey.add(document(corpus, f"a{number}", sentences))
    sample = survey.draw(asked)
    total = sum(map(sum, sizes.values()))
    drawn = {
        corpus: [size for number, size in enumerate(articles) if sample.holds(corpus, f"a{number}")]
        for corpus, articles in sizes.items()
    }
    assert sum(map(sum, drawn.values())) >= min(asked, total)
    for corpus, articles in drawn.items():
        assert articles, corpus
        share = asked * sum(sizes[corpus]) / max(total, 1)
        assert sum(articles) < share + max(articles) or sum(articles) == 0


@given(_SIZES, st.integers(1, 50), st.integers(1, 50))
def test_larger_sample_holds_the_smaller(sizes: dict[str, list[int]], one: int, other: int) -> None:
    survey = Survey(3)
    names = [(corpus, f"a{n}", size) for corpus, articles in sizes.items() for n, size in enumerate(articles)]
    for name in names:
        survey.add(document(*name))
    small, large = survey.draw(min(one, other)), survey.draw(max(one, other))
    assert all(large.holds(c, a) for c, a, _ in names if small.holds(c, a))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), min_size=1, max_size=30), st.randoms())
def test_order_of_documents_changes_nothing(documents: list[tuple[int, int]], generator: random.Random) -> None:
    def draw(order: list[tuple[int, int]]) -> list[bool]:
        survey = Survey(0)
        for article, sentences in order:
            survey.add(document("bioid", f"a{article}", sentences))
        sample = survey.draw(10)
        return [sample.holds("bioid", f"a{number}") for number in range(7)]

    shuffled = documents.copy()
    generator.shuffle(shuffled)
    assert draw(documents) == draw(shuffled)


def articles(prefix: str, number: int, size: int = 3) -> list[NativeDocument]:
    return [
        native(f"Gene {prefix} {n} is lost. Mice die {panel} times.", name=f"{n}-{panel}", article=f"{n}")
        for n in range(number)
        for panel in range(size)
    ]


def test_articles_are_drawn_whole() -> None:
    sources = [source("bioid", articles("a", 40)), source("tmvar", articles("b", 20))]
    corpus = MergedCorpus(sources, sentences=60, seed=1)
    sampled = Counter((each.corpus, each.article) for each in corpus)
    assert set(sampled.values()) == {3}
    # 2 of 3 articles are Bio-ID's; an article has 6 sentences
    by_corpus = Counter(name for name, _ in sampled)
    assert by_corpus == {"bioid": 7, "tmvar": 4}
    assert corpus.statistics().total.sentences == 66


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_same_seed_same_sample(seed: int) -> None:
    sources = [source("bioid", articles("a", 30))]
    first = MergedCorpus(sources, sentences=30, seed=seed)
    assert list(first) == list(first) == list(MergedCorpus(sources, sentences=30, seed=seed))


def test_sample_is_in_the_digest() -> None:
    sources = [source("bioid", articles("a", 30))]
    digests = {
        MergedCorpus(sources, sentences=sentences, seed=seed).sha256()
        for sentences, seed in [(None, 0), (30, 0), (31, 0), (30, 1)]
    }
    assert len(digests) == 4
    assert MergedCorpus(sources, seed=0).sha256() == MergedCorpus(sources, seed=1).sha256()


def test_seeds_draw_different_articles() -> None:
    sources = [source("bioid", articles("a", 30))]
    drawn = {tuple(each.id for each in MergedCorpus(sources, sentences=30, seed=seed)) for seed in range(5)}
    assert len(drawn) == 5


def test_sample_of_everything_is_everything() -> None:
    sources = [source("bioid", articles("a", 5)), source("tmvar", articles("b", 5))]
    assert list(MergedCorpus(sources, sentences=10_000)) == list(MergedCorpus(sources))


@pytest.mark.parametrize("sentences", [0, -1])
def test_sample_of_nothing_is_refused(sentences: int) -> None:
    with pytest.raises(ValueError, match="at least 1 sentence"):
        MergedCorpus([source("bioid", [])], sentences=sentences)
