from __future__ import annotations

import pytest

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from leanner.meters.student import t_quantile


@given(st.floats(0.01, 0.999), st.integers(1, 200))
def test_quantiles_are_those_of_scipy(level: float, freedom: int) -> None:
    assert t_quantile(level, freedom) == pytest.approx(t.ppf(0.5 + 0.5 * level, freedom), rel=1e-7)


def test_the_table_of_every_textbook() -> None:
    assert [round(t_quantile(0.95, f), 3) for f in (1, 2, 3, 10, 30)] == [12.706, 4.303, 3.182, 2.228, 2.042]


@pytest.mark.parametrize(("level", "freedom"), [(0.0, 3), (1.0, 3), (0.95, 0)])
def test_out_of_range_is_refused(level: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="expected a level between 0 and 1"):
        t_quantile(level, freedom)
