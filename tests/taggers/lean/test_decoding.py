from __future__ import annotations

from itertools import accumulate

import numpy as np

from flair.data import get_spans_from_bio
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.taggers.lean.decoding import TagSet
from leanner.taggers.lean.decoding import spans_of


BIOES = ("O", *(f"{prefix}-{kind}" for kind in ("Gene", "Species", "Disease") for prefix in "SBEI"))
WITH_BORDERS = (*BIOES[:9], "<START>", "<STOP>")
OTHER = ("B-x", "", "I-x", "_", "I-y", "O", "B-y")


def flair_spans(sentences: list[list[str]]) -> list[tuple[int, int, str]]:
    spans, begin = [], 0
    for tags in sentences:
        spans += [(begin + words[0], begin + words[-1] + 1, kind) for words, _, kind in get_spans_from_bio(list(tags))]
        begin += len(tags)
    return spans


def lean_spans(sentences: list[list[str]], tags: tuple[str, ...]) -> list[tuple[int, int, str]]:
    tag_set = TagSet.of(tags)
    numbers = np.array([tags.index(tag) for sentence in sentences for tag in sentence], dtype=np.int64)
    ends = np.array(list(accumulate(map(len, sentences))), dtype=np.int64)
    first, last, kinds = spans_of(numbers, ends, tag_set)
    return [(int(a), int(b), tag_set.types[k]) for a, b, k in zip(first, last, kinds, strict=True)]


@settings(max_examples=500)
@given(st.lists(st.lists(st.sampled_from(BIOES), min_size=1, max_size=12), max_size=6))
def test_flair_reads_the_same_spans(sentences: list[list[str]]) -> None:
    assert lean_spans(sentences, BIOES) == flair_spans(sentences)


@settings(max_examples=300)
@given(st.lists(st.lists(st.sampled_from(OTHER), min_size=1, max_size=12), max_size=6))
def test_and_from_bio_and_its_names_for_outside(sentences: list[list[str]]) -> None:
    assert lean_spans(sentences, OTHER) == flair_spans(sentences)


@settings(max_examples=300)
@given(st.lists(st.lists(st.sampled_from(WITH_BORDERS), min_size=1, max_size=12), max_size=6))
def test_and_from_a_crf_whose_border_tags_stand_on_words(sentences: list[list[str]]) -> None:
    assert lean_spans(sentences, WITH_BORDERS) == flair_spans(sentences)


def test_a_span_ends_with_its_sentence() -> None:
    assert lean_spans([["B-Gene", "I-Gene"], ["I-Gene", "E-Gene"]], BIOES) == [(0, 2, "Gene"), (2, 4, "Gene")]


def test_the_first_type_wins_among_equals_and_the_begin_counts_more() -> None:
    assert lean_spans([["E-Gene", "E-Disease"]], BIOES) == [(0, 2, "Gene")]
    assert lean_spans([["B-Gene", "E-Disease", "E-Disease"]], BIOES) == [(0, 3, "Disease")]
    assert lean_spans([["B-Gene", "E-Disease"]], BIOES) == [(0, 2, "Gene")]
