from __future__ import annotations

import numpy as np
import pytest

from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from leanner.scoring.interval import bca_interval
from leanner.scoring.interval import bca_p_value


NUMBERS = st.floats(-100, 100).map(lambda x: round(x, 3))


def test_is_scipys() -> None:
    """SciPy's own BCa interval of a ratio of means, other draws."""
    stats = pytest.importorskip("scipy.stats", reason="SciPy is the reference here")
    random = np.random.default_rng(2)
    data = random.exponential(size=(40, 2)) ** (2, 0.1)

    def ratio(rows: np.ndarray) -> float:
        return float(rows[:, 0].mean() / rows[:, 1].mean())

    drawn = np.array([ratio(data[random.integers(40, size=40)]) for _ in range(20_000)])
    left_out = np.array([ratio(np.delete(data, row, axis=0)) for row in range(40)])
    low, high = bca_interval(drawn, ratio(data), [left_out], 0.95)

    reference = stats.bootstrap(
        (data[:, 0], data[:, 1]),
        lambda x, y, axis=-1: x.mean(axis=axis) / y.mean(axis=axis),
        paired=True,
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(3),
    ).confidence_interval
    width = reference.high - reference.low
    assert low == pytest.approx(reference.low, abs=0.06 * width)
    assert high == pytest.approx(reference.high, abs=0.06 * width)
    # Not by chance: the percentile interval is elsewhere.
    assert abs(np.quantile(drawn, 0.975) - reference.high) > 0.1 * width


def test_without_bias_or_skewness_it_is_the_percentile_interval() -> None:
    drawn = np.linspace(-1, 1, 2_001)

    assert bca_interval(drawn, 0.0, [np.array([-1.0, 0.0, 1.0])], 0.9) == pytest.approx((-0.9, 0.9))


@given(
    st.lists(NUMBERS, min_size=1, max_size=50),
    NUMBERS,
    st.lists(st.lists(NUMBERS, min_size=1, max_size=10), max_size=4),
    st.sampled_from([0.5, 0.95, 0.99999]),
)
def test_ends_are_ordered_and_among_the_draws(
    drawn: list[float], point: float, left_out: list[list[float]], confidence: float
) -> None:
    low, high = bca_interval(np.array(drawn), point, [np.array(stratum) for stratum in left_out], confidence)

    assert min(drawn) <= low <= high <= max(drawn)


@given(st.integers(0, 2**32 - 1), st.floats(-4.0, 4.0), st.floats(0.0, 1.5))
@example(4_294_967_294, -1.703125, 0.78125)
def test_p_is_one_less_the_confidence_of_the_interval_that_reaches_the_value(
    seed: int, shift: float, skew: float
) -> None:
    rng = np.random.default_rng(seed)
    units = np.exp(skew * rng.normal(size=40)) + shift
    drawn = rng.choice(units, size=(4000, 40)).mean(axis=1)
    left_out = [(units.sum() - units) / 39]
    p = bca_p_value(drawn, float(units.mean()), left_out)

    assert 1 / 4000 <= p <= 1.0
    # Beyond all draws no interval of theirs reaches it.
    if 0.01 < p < 0.99 and drawn.min() < 0 < drawn.max():
        # 2 % to either side: draws are far apart in the tails
        low, high = bca_interval(drawn, float(units.mean()), left_out, min(1.0 - p + 0.02, 0.9999))
        assert low <= 0 <= high
        low, high = bca_interval(drawn, float(units.mean()), left_out, max(1.0 - p - 0.02, 0.0001))
        assert not low < 0 < high


def test_p_of_no_change_at_all_is_one() -> None:
    assert bca_p_value(np.zeros(1000), 0.0, [np.zeros(20)]) == 1.0
