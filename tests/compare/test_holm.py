from __future__ import annotations

import numpy as np

from hypothesis import given
from hypothesis import strategies as st

from leanner.compare.holm import holm


P = st.lists(st.one_of(st.just(float("nan")), st.floats(0.0, 1.0)), min_size=1, max_size=12)


def step_down(p: list[float]) -> list[float]:
    """Return the adjusted p-values by Holm's own words: reject the smallest, then go on with one fewer."""
    left = sorted((value, place) for place, value in enumerate(p) if not np.isnan(value))
    adjusted, highest = [float("nan")] * len(p), 0.0
    for number, (value, place) in enumerate(left):
        highest = max(highest, min(1.0, (len(left) - number) * value))
        adjusted[place] = highest
    return adjusted


@given(P)
def test_is_holms_procedure(p: list[float]) -> None:
    np.testing.assert_allclose(holm(np.array(p)), step_down(p))


@given(st.lists(st.lists(st.floats(0.0, 1.0), min_size=5, max_size=5), min_size=1, max_size=4))
def test_rows_are_tables_of_their_own(rows: list[list[float]]) -> None:
    np.testing.assert_array_equal(holm(np.array(rows)), [holm(np.array(row)) for row in rows])
