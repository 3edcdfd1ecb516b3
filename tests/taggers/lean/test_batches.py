from __future__ import annotations

from itertools import pairwise

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.taggers.lean.batches import equal_runs
from leanner.taggers.lean.batches import token_batches


LENGTHS = st.lists(st.integers(1, 40), max_size=60)


@given(LENGTHS, st.integers(1, 100))
def test_every_row_is_in_one_batch_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(token_batches(lengths, budget))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or sum(lengths[row] for row in batch) <= budget
    order = [lengths[row] for batch in batches for row in batch]
    assert order == sorted(order, reverse=True)


@given(LENGTHS, st.integers(1, 100))
def test_no_two_neighbours_fit_into_one_batch(lengths: list[int], budget: int) -> None:
    batches = [[lengths[row] for row in batch] for batch in token_batches(lengths, budget)]
    assert all(sum(batch) + following[0] > budget for batch, following in pairwise(batches))


@given(LENGTHS, st.integers(1, 100))
def test_padding_counts_where_rows_are_padded(lengths: list[int], budget: int) -> None:
    batches = [[lengths[row] for row in batch] for batch in token_batches(lengths, budget, padded=True)]
    assert sorted(length for batch in batches for length in batch) == sorted(lengths)
    assert all(len(batch) == 1 or len(batch) * max(batch) <= budget for batch in batches)
    assert all((len(batch) + 1) * max(batch) > budget for batch in batches[:-1])


@given(LENGTHS)
def test_runs_are_as_long_as_they_can_be(lengths: list[int]) -> None:
    runs = list(equal_runs(lengths))
    assert [length for rows, length in runs for _ in range(rows)] == lengths
    assert all(a[1] != b[1] for a, b in pairwise(runs))


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a budget of at least one sub-token, found 0"):
        next(token_batches([3], 0))
