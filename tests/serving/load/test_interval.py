from __future__ import annotations

import math

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from leanner.serving.load.interval import GROUPS
from leanner.serving.load.interval import LEAST_IN_A_GROUP
from leanner.serving.load.interval import Estimate
from leanner.serving.load.interval import effective_number
from leanner.serving.load.interval import lower_rank
from leanner.serving.load.interval import quantile
from leanner.serving.load.interval import rate
from leanner.serving.load.interval import upper_rank


SHARES = [Fraction(1, 2), Fraction(95, 100), Fraction(99, 100), Fraction(999, 1000)]


@given(st.integers(0, 60), st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=100))
def test_ranks_are_those_of_a_naive_sum(number: int, share: Fraction) -> None:
    def chance(count: int) -> Fraction:
        return math.comb(number, count) * share**count * (1 - share) ** (number - count)

    below = [sum((chance(count) for count in range(rank)), Fraction(0)) for rank in range(number + 2)]
    above = [sum((chance(count) for count in range(rank, number + 1)), Fraction(0)) for rank in range(number + 2)]
    tail = Fraction(25, 1000)
    assert lower_rank(number, float(share)) == max(rank for rank in range(number + 1) if below[rank] <= tail)
    assert upper_rank(number, float(share)) == min(rank for rank in range(1, number + 2) if above[rank] <= tail)


@given(st.integers(1, 1_000_000), st.sampled_from(SHARES))
@settings(max_examples=60)
def test_ranks_are_scipys(number: int, share: Fraction) -> None:
    draws = stats.binom(number, float(share))
    low, high = lower_rank(number, float(share)), upper_rank(number, float(share))
    assert draws.cdf(low - 1) <= 0.025 < draws.cdf(low)
    assert draws.sf(high - 1) <= 0.025 * (1 + 1e-9)
    assert draws.sf(high - 2) > 0.025 * (1 - 1e-9)


@pytest.mark.parametrize(("share", "number"), [(0.5, 6), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_an_upper_end_takes_so_many(share: float, number: int) -> None:
    assert upper_rank(number, share) == number
    assert upper_rank(number - 1, share) == number  # one more than there are


@settings(max_examples=60)
@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=600), st.sampled_from(SHARES))
def test_a_quantile_is_numpys_and_within_its_interval(values: list[float], share: Fraction) -> None:
    found = quantile(values, float(share))
    assert found.value is not None
    assert found.value == np.percentile(values, float(100 * share), method="inverted_cdf")
    assert found.low is None or (found.low in values and found.low <= found.value)
    assert found.high is None or (found.high in values and found.value <= found.high)
    assert (found.reason is None) == (None not in (found.low, found.high))


def test_the_interval_of_independent_values_has_the_binomials_ranks() -> None:
    found = quantile(np.repeat(np.arange(1.0, 501.0), 2).tolist(), 0.99, independent=True)
    ordered = np.repeat(np.arange(1.0, 501.0), 2)
    assert found == Estimate(495.0, ordered[lower_rank(1_000, 0.99) - 1], ordered[upper_rank(1_000, 0.99) - 1])


def test_too_few_requests_have_no_interval() -> None:
    assert quantile([], 0.5) == Estimate(None, None, None, "no request was answered")
    assert quantile([1.0] * 199, 0.5) == Estimate(1.0, None, None, "199 requests; an interval takes 200")
    short = quantile(np.random.default_rng(1).random(400).tolist(), 0.99)
    assert short.low is not None
    assert short.high is None
    assert short.reason is not None
    assert short.reason.endswith("are too few for an upper end")


def test_requests_that_failed_are_beyond_any_number() -> None:
    values = [1.0] * 990 + [math.inf] * 30
    found = quantile(np.random.default_rng(1).permutation(values).tolist(), 0.99)
    assert (found.value, found.high) == (math.inf, math.inf)
    assert found.to_json() == {
        "value": None,
        "low": found.to_json()["low"],
        "high": None,
        "reason": "more than 0.01 of the requests failed",
    }


def coverage(draw: str, share: float, number: int, together: int, trials: int = 400) -> float:
    rng = np.random.default_rng(5)
    truth = getattr(stats, draw)(*((1.0,) if draw == "lognorm" else ())).ppf(share)
    hits = 0
    for _ in range(trials):
        size = -(-number // together)
        drawn = rng.lognormal(size=size) if draw == "lognorm" else rng.exponential(size=size)
        found = quantile(np.repeat(drawn, together)[:number].tolist(), share)
        low = -math.inf if found.low is None else found.low
        high = math.inf if found.high is None else found.high
        hits += low <= truth <= high
    return hits / trials


@pytest.mark.parametrize("draw", ["lognorm", "expon"])
@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_an_interval_holds_the_truth_as_often_as_it_says(draw: str, share: float) -> None:
    # Three standard errors of 400 trials below 95 %.
    assert coverage(draw, share, 2_000, together=1) >= 0.95 - 0.033


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_an_interval_knows_that_a_batch_has_one_latency(share: float) -> None:
    assert coverage("expon", share, 4_000, together=16) >= 0.95 - 0.033


def test_without_that_knowledge_it_would_hold_it_much_too_rarely() -> None:
    rng = np.random.default_rng(5)
    low, high, hits = lower_rank(4_000, 0.5), upper_rank(4_000, 0.5), 0
    for _ in range(200):
        ordered = np.sort(np.repeat(rng.exponential(size=250), 16))
        hits += ordered[low - 1] <= math.log(2) <= ordered[high - 1]
    assert hits / 200 < 0.5


@given(st.lists(st.booleans(), min_size=GROUPS, max_size=400))
def test_requests_are_worth_at_most_as_many_independent_ones(hits: list[bool]) -> None:
    assert 1 <= effective_number(hits) <= len(hits)


def test_a_batch_is_worth_about_one() -> None:
    rng = np.random.default_rng(2)
    worth = [effective_number(np.repeat(rng.random(500) < 0.3, 16).tolist()) for _ in range(200)]
    assert np.median(worth) == pytest.approx(500, rel=0.2)


def test_a_rate_counts_what_happened_and_has_a_t_interval() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        moments = np.cumsum(rng.exponential(0.01, size=3_000))
        moments = moments[moments < 20.0]
        found = rate(moments.tolist(), 0.0, 20.0)
        assert found.value == len(moments) / 20.0
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 100.0 <= found.high
    assert hits / 400 >= 0.95 - 0.033


def test_a_rates_interval_is_that_of_the_mean_of_its_windows() -> None:
    moments = np.sort(np.random.default_rng(4).uniform(2.0, 12.0, 1_000))
    counts = [int(((low <= moments) & (moments < high)).sum()) for low, high in pairwise(np.linspace(2.0, 12.0, 21))]
    found = rate(moments.tolist(), 2.0, 12.0)
    low, high = stats.t(19, np.mean(counts), stats.sem(counts)).interval(0.95)
    assert (found.value, found.low, found.high) == pytest.approx((100.0, low / 0.5, high / 0.5))


def test_a_rate_of_few_has_no_interval() -> None:
    assert rate([0.5], 0.0, 2.0) == Estimate(0.5, None, None, "1 answers; an interval takes 200")
    assert rate([], 1.0, 1.0) == Estimate(None, None, None, "no time passed")
    assert GROUPS * LEAST_IN_A_GROUP == 200
