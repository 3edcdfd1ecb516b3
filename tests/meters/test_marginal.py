from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit
from scipy.stats import linregress
from scipy.stats import t

from leanner.meters.marginal import Line
from leanner.meters.marginal import Prefix
from leanner.meters.marginal import fit


SIZES = (50, 100, 200, 400, 800)


def _line(prefixes: list[Prefix]) -> Line:
    line, reason = fit(prefixes)
    assert line is not None, reason
    return line


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.floats(0.1, 1e5)), min_size=4, max_size=30).filter(
        # scipy gives no error where all joules are alike
        lambda points: len({n for n, _ in points}) >= 3 and len({round(j, 3) for _, j in points}) > 1
    )
)
def test_the_line_and_its_intervals_are_those_of_scipy(points: list[tuple[int, float]]) -> None:
    line = _line([Prefix(n, j) for n, j in points])
    x, y = np.array([n for n, _ in points], float), np.array([j for _, j in points])
    theirs = linregress(x, y)
    quantile = float(t.ppf(0.975, len(points) - 2))

    scale = float(np.max(np.abs(y)))
    assert line.sentence_j == pytest.approx(theirs.slope, rel=1e-6, abs=1e-7 * scale)
    assert line.fixed_j == pytest.approx(theirs.intercept, rel=1e-6, abs=1e-7 * scale)
    assert line.sentence_high_j - line.sentence_j == pytest.approx(quantile * theirs.stderr, rel=1e-5, abs=1e-6 * scale)
    assert line.fixed_j - line.fixed_low_j == pytest.approx(
        quantile * theirs.intercept_stderr, rel=1e-5, abs=1e-6 * scale
    )


def test_weights_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    sds = [2.0, 3.0, 5.0, 8.0, 13.0]
    prefixes = [Prefix(n, 30.0 + 0.2 * n + rng.normal(0.0, sd), sd) for n, sd in zip(SIZES, sds, strict=True)]

    line = _line(prefixes)
    best, covariance = curve_fit(
        lambda n, slope, fixed: fixed + slope * n, SIZES, [p.j for p in prefixes], sigma=sds, absolute_sigma=False
    )
    quantile = float(t.ppf(0.975, 3))

    assert (line.sentence_j, line.fixed_j) == pytest.approx(tuple(best), rel=1e-5)
    assert line.sentence_high_j - line.sentence_j == pytest.approx(quantile * covariance[0, 0] ** 0.5, rel=1e-4)
    assert line.fixed_high_j - line.fixed_j == pytest.approx(quantile * covariance[1, 1] ** 0.5, rel=1e-4)


def test_a_point_without_its_scatter_makes_all_weigh_alike() -> None:
    with_one_unknown = [Prefix(n, 10.0 + n, 1.0 + n) for n in SIZES[:-1]] + [Prefix(800, 900.0)]

    assert _line(with_one_unknown) == _line([Prefix(p.sentences, p.j) for p in with_one_unknown])


@pytest.mark.parametrize("weighted", [False, True])
def test_intervals_cover_the_truth(*, weighted: bool) -> None:
    # Naive: 1.96 standard errors, which cover 85 % at three degrees of freedom.
    rng = np.random.default_rng(1)
    slope = fixed = 0
    for _ in range(3000):
        sds = [0.02 * (10.0 + 0.3 * n) if weighted else 3.0 for n in SIZES]
        line = _line(
            [
                Prefix(n, 10.0 + 0.3 * n + rng.normal(0.0, s), s if weighted else None)
                for n, s in zip(SIZES, sds, strict=True)
            ]
        )
        slope += line.sentence_low_j <= 0.3 <= line.sentence_high_j
        fixed += line.fixed_low_j <= 10.0 <= line.fixed_high_j

    assert 0.94 <= slope / 3000 <= 0.96
    assert 0.94 <= fixed / 3000 <= 0.96


@pytest.mark.parametrize("sizes", [(), (10, 20, 30), (10, 10, 20, 20, 20), (10, 10, 10, 10)])
def test_too_few_sizes_or_runs_fit_any_line(sizes: tuple[int, ...]) -> None:
    line, reason = fit([Prefix(n, 1.0 * n) for n in sizes])

    assert line is None
    assert reason == (
        f"expected at least 4 runs over prefixes of at least 3 different sizes, found {len(sizes)} of {len(set(sizes))}"
    )


def test_the_points_stand_in_the_line() -> None:
    line = _line([Prefix(n, 5.0 + n) for n in SIZES])

    assert line.points == tuple((n, 5.0 + n) for n in SIZES)
    assert (line.sentence_j, line.fixed_j) == pytest.approx((1.0, 5.0))
