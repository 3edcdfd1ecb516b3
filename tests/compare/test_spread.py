from __future__ import annotations

import numpy as np
import pytest

from scipy import stats
from scipy.special import polygamma

from leanner.compare.evidence import of_sessions
from leanner.compare.spread import _trigamma_inverse
from leanner.compare.spread import spread


def test_a_case_alone_has_the_usual_variance_within_levels() -> None:
    values = np.array([[1.0, 1.2, 1.1, 5.0, 5.3]])
    found = spread(values, [1, 1, 1, 2, 2])

    squares = 2 * np.var(values[0, :3], ddof=1) + np.var(values[0, 3:], ddof=1)
    assert found.variance[0] == pytest.approx(squares / 3)
    assert (found.freedom[0], found.sessions[0]) == (3, 5)


def test_a_t_test_of_it_is_scipys() -> None:
    rng = np.random.default_rng(1)
    base, new = rng.normal(0.0, 1.0, 6), rng.normal(0.3, 1.0, 6)
    # two levels of one case: the pooled variance of the two-sample test
    found = spread(np.concatenate([base, new])[None], [1] * 6 + [2] * 6)
    p, half = of_sessions(new.mean() - base.mean(), found.variance[0], found.freedom[0], 6, 6)

    expected = stats.ttest_ind(new, base)
    assert float(p) == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert float(half) == pytest.approx((high - low) / 2)


def test_cases_that_are_alike_lend_each_other_what_they_know() -> None:
    found = spread(np.random.default_rng(2).normal(0.0, 0.01, (12, 5)), [1] * 5)

    assert np.all(found.freedom > 15)
    assert np.all(found.freedom <= 48)
    assert np.ptp(np.sqrt(found.variance)) < 0.004


def test_cases_that_differ_keep_their_own() -> None:
    sd = np.array([0.001, 0.1] * 6)
    values = np.random.default_rng(3).normal(0.0, 1.0, (12, 8)) * sd[:, None]
    found = spread(values, [1] * 8)

    assert np.all(found.freedom < 9)
    np.testing.assert_allclose(found.variance, np.var(values, axis=1, ddof=1), rtol=0.6)


def test_what_all_cases_share_is_known_from_as_many_sessions_as_there_are() -> None:
    shared = np.random.default_rng(4).normal(0.0, 1.0, 5)
    found = spread(np.tile(shared, (12, 1)), [1] * 5)

    np.testing.assert_allclose(found.freedom, 4.0)
    np.testing.assert_allclose(found.variance, np.var(shared, ddof=1))


def test_a_case_that_some_sessions_lack() -> None:
    values = np.random.default_rng(5).normal(0.0, 0.01, (3, 6))
    values[1, 2:] = np.nan
    values[2] = np.nan
    found = spread(values, [1] * 6)

    assert found.sessions.tolist() == [6, 2, 0]
    assert np.isfinite(found.variance[:2]).all()
    assert np.isnan(found.variance[2])
    assert found.freedom[2] == 0


def test_sessions_that_are_equal_to_the_last_bit() -> None:
    found = spread(np.zeros((2, 5)), [1] * 5)
    p, half = of_sessions(np.array([0.0, 1e-6]), found.variance, found.freedom, 5, 1)

    assert p.tolist() == [1.0, 0.0]
    assert half.tolist() == [0.0, 0.0]


def test_trials_are_computed_side_by_side() -> None:
    values = np.random.default_rng(6).normal(0.0, 0.01, (4, 12, 5))
    together = spread(values, [1, 1, 1, 2, 2])

    for number, trial in enumerate(values):
        alone = spread(trial, [1, 1, 1, 2, 2])
        np.testing.assert_allclose(together.variance[number], alone.variance)
        np.testing.assert_allclose(together.freedom[number], alone.freedom)


def test_moderation_finds_the_prior_that_variances_were_drawn_from() -> None:
    # s² ~ s0² F(d, d0): Smyth 2004, equation 3
    rng = np.random.default_rng(7)
    variances = 4.0 * 10.0 / rng.chisquare(10.0, 4000)
    values = rng.normal(0.0, np.sqrt(variances)[:, None], (4000, 5))
    own = np.var(values, axis=1, ddof=1)
    found = spread(values, [1] * 5)

    assert float(found.freedom[0]) - 4.0 == pytest.approx(10.0, rel=0.15)
    error = np.mean((np.log(found.variance) - np.log(variances)) ** 2)
    assert error < 0.5 * np.mean((np.log(own) - np.log(variances)) ** 2)


@pytest.mark.parametrize("x", [0.05, 0.5, 2.0, 30.0, 1e4])
def test_trigamma_inverse(x: float) -> None:
    assert float(_trigamma_inverse(np.array([polygamma(1, x)]))[0]) == pytest.approx(x, rel=1e-6)
