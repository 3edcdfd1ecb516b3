from __future__ import annotations

from itertools import zip_longest

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.taggers.lean.windows import sentences_of
from leanner.taggers.lean.windows import windows_of


LENGTHS = st.lists(st.integers(1, 30), max_size=20)


@given(LENGTHS, st.integers(1, 60))
def test_windows_are_as_long_as_they_may_be(lengths: list[int], words: int) -> None:
    sentences = [[f"{number}-{place}" for place in range(length)] for number, length in enumerate(lengths)]

    found = [list(window) for window in windows_of(sentences, words)]

    assert [sentence for window in found for sentence in window] == sentences
    for window, following in zip_longest(found, found[1:]):
        size = sum(map(len, window))
        assert len(window) == 1 or size <= words
        assert following is None or size + len(following[0]) > words


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected windows of at least one word, found 0"):
        list(windows_of([["a"]], 0))


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), max_size=5), st.integers(0, 3))
def test_the_words_of_a_window_are_shared_out(lengths: list[list[int]], prompt: int) -> None:
    words: list[tuple[object, int]] = []
    for number, window in enumerate(lengths):
        words += [("prompt", number)] * prompt
        words += [(number, place) for place, length in enumerate(window) for _ in range(length)]

    ends, prompts = sentences_of(lengths, prompt)

    begin = 0
    places: list[tuple[int, int]] = [
        (number, place) for number, window in enumerate(lengths) for place in range(len(window))
    ]
    for end, before, place in zip(ends.tolist(), prompts, places, strict=True):
        assert words[begin : begin + before] == [("prompt", place[0])] * before
        assert all(word == place for word in words[begin + before : end])
        assert end - begin - before == lengths[place[0]][place[1]]
        begin = end
    assert begin == len(words)
