from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leanner.measure.timed import timed_part
from measure.fakes import articles


CORPUS = articles(24)


def test_0_is_all_of_it() -> None:
    part = timed_part(CORPUS, 0, seed=3)

    assert part.documents == CORPUS
    assert (part.sentences, part.tokens) == (48, 24 * (6 + 4))


@given(st.integers(1, 60), st.integers(0, 5))
def test_it_is_whole_articles_in_their_order_and_as_many_as_asked_for(sentences: int, seed: int) -> None:
    part = timed_part(CORPUS, sentences, seed)

    assert part.documents == tuple(document for document in CORPUS if document in part.documents)
    assert min(sentences, 48) <= part.sentences <= min(sentences + 1, 48)
    assert timed_part(CORPUS, sentences, seed) == part


def test_the_seed_decides_which() -> None:
    assert len({timed_part(CORPUS, 10, seed).documents for seed in range(5)}) > 1
