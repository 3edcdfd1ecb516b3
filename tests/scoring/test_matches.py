from __future__ import annotations

import math

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.scoring.matches import Matches


COUNT = st.integers(0, 10**9)


def test_ratios_of_a_known_case() -> None:
    matches = Matches(tp=6, fp=2, fn=4)

    assert matches.precision == 0.75
    assert matches.recall == 0.6
    assert matches.f1 == pytest.approx(2 / 3)


def test_nothing_found_is_zero_but_nothing_to_find_is_unknown() -> None:
    assert Matches(0, 0, 3) == Matches(fn=3)
    assert (Matches(fn=3).precision, Matches(fn=3).recall, Matches(fn=3).f1) == (None, 0.0, 0.0)
    assert (Matches(fp=3).precision, Matches(fp=3).recall, Matches(fp=3).f1) == (0.0, None, 0.0)
    assert (Matches().precision, Matches().recall, Matches().f1) == (None, None, None)


@given(COUNT, COUNT, COUNT)
def test_f1_is_the_harmonic_mean(tp: int, fp: int, fn: int) -> None:
    matches = Matches(tp, fp, fn)
    if matches.precision and matches.recall:
        assert matches.f1 is not None
        assert math.isclose(matches.f1, 2 / (1 / matches.precision + 1 / matches.recall), rel_tol=1e-12)
