from __future__ import annotations

import numpy as np

from hypothesis import given
from hypothesis import strategies as st

from leanner.taggers.engines.padding import padded
from leanner.taggers.engines.padding import rectangles
from leanner.taggers.rows import Row


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    result, word = [], 0
    for number in range(draw(st.integers(1, 8))):
        ids = draw(st.lists(st.integers(1, 99), min_size=1, max_size=9))
        wanted = sorted(draw(st.sets(st.integers(0, len(ids) - 1))))
        # The first row has one: a batch without any is left out.
        wanted = wanted or ([0] if number == 0 else [])
        words = range(word, word + len(wanted))
        word += len(wanted)
        result.append(Row(np.array(ids), np.array(wanted, dtype=np.int64), np.array(words, dtype=np.int64)))
    return result


@given(rows())
def test_each_wanted_position_is_where_its_sub_token_is(given_rows: list[Row]) -> None:
    batch = padded(given_rows)
    flat = batch.ids.reshape(-1)
    expected = [int(row.ids[position]) for row in given_rows for position in row.positions]
    assert flat[batch.wanted].tolist() == expected
    assert batch.words.tolist() == [int(word) for row in given_rows for word in row.words]
    for row, ids, length in zip(given_rows, batch.ids, batch.lengths, strict=True):
        assert ids[:length].tolist() == row.ids.tolist()
        assert not ids[length:].any()
    assert batch.ids.shape[1] == max(len(row.ids) for row in given_rows)


@given(rows(), st.integers(1, 30))
def test_batches_hold_every_word_once_and_no_more_sub_tokens_than_asked(given_rows: list[Row], budget: int) -> None:
    batches = list(rectangles(given_rows, budget))
    words = np.concatenate([batch.words for batch in batches])
    assert sorted(words.tolist()) == [int(word) for row in given_rows for word in row.words]
    assert all(batch.lengths.sum() <= budget or len(batch.lengths) == 1 for batch in batches)
    assert all(batch.ids.size <= 2 * budget or len(batch.lengths) == 1 for batch in batches)


def test_one_long_row_does_not_pad_hundreds_of_short_ones() -> None:
    first = np.zeros(1, dtype=np.int64)
    many = [Row(np.ones(length, dtype=np.int64), first, first) for length in (500, *[3] * 500)]
    assert [batch.ids.shape for batch in rectangles(many, 2048)] == [(8, 500), (493, 3)]


def test_a_batch_in_which_nothing_is_wanted_is_left_out() -> None:
    nothing = Row(np.array([3, 4]), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert list(rectangles([nothing], 10)) == []
