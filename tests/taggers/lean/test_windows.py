from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.taggers.lean.windows import windows
from leanner.taggers.lean.windows import without_prompts


LENGTHS = st.lists(st.integers(1, 30), max_size=20)


@given(LENGTHS, st.integers(1, 60))
def test_windows_are_as_long_as_they_may_be(lengths: list[int], words: int) -> None:
    begin = 0
    for count in windows(lengths, words):
        assert count == 1 or sum(lengths[begin : begin + count]) <= words
        following = lengths[begin : begin + count + 1]
        assert len(following) == count or sum(following) > words
        begin += count
    assert begin == len(lengths)


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected windows of at least one word, found 0"):
        list(windows([1], 0))


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), max_size=5), st.integers(0, 3))
def test_prompts_are_taken_out_and_nothing_else(lengths: list[list[int]], prompt: int) -> None:
    tags, expected, ends = [], [], []
    for window in lengths:
        tags += [-1] * prompt
        for length in window:
            tags += range(length)
            expected.append(list(range(length)))
        ends.append(len(tags))

    found, found_ends = without_prompts(np.array(tags, dtype=np.int64), np.array(ends, dtype=np.int64), lengths, prompt)

    assert [part.tolist() for part in np.split(found, found_ends[:-1])] == (expected or [[]])
