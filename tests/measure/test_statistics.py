from __future__ import annotations

import math

from fractions import Fraction

import numpy as np
import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.measure.statistics import half_width_pct
from leanner.measure.statistics import hodges_lehmann
from leanner.measure.statistics import latency
from leanner.measure.statistics import median_interval
from leanner.measure.statistics import speedup


SECONDS = st.lists(st.floats(0.001, 1000.0), min_size=1, max_size=20)


@given(SECONDS)
def test_latencies_are_ones_that_occurred_in_order(milliseconds: list[float]) -> None:
    result = latency(milliseconds)

    assert {result.p50, result.p95, result.p99} <= set(milliseconds)
    assert result.p50 <= result.p95 <= result.p99
    assert result.sentences == len(milliseconds)
    # An independent definition of the nearest rank above: at least this share lies at or below.
    for share, value in ((0.5, result.p50), (0.95, result.p95), (0.99, result.p99)):
        ordered = sorted(milliseconds)
        assert value == ordered[int(np.ceil(share * (len(ordered) - 1)))]


@given(SECONDS)
def test_the_location_is_that_of_a_plain_loop(seconds: list[float]) -> None:
    means = [(one + other) / 2.0 for index, one in enumerate(seconds) for other in seconds[index:]]

    assert hodges_lehmann(np.array(seconds)) == pytest.approx(np.median(means))


def test_the_location_scatters_less_than_the_median_and_no_stray_round_moves_it_far() -> None:
    rounds = np.random.default_rng(5).normal(0.0, 1.0, (4000, 10))
    located = hodges_lehmann(rounds)

    assert located.shape == (4000,)
    # the standard error of a mean is 0.316
    assert np.std(located) == pytest.approx(0.316, rel=0.06)
    assert np.std(np.median(rounds, axis=-1)) > 1.1 * np.std(located)
    rounds[:, :2] = 1e6
    assert np.all(hodges_lehmann(rounds) < 3.0)


@settings(max_examples=50)
@given(SECONDS, st.integers(0, 2**32 - 1))
def test_the_same_rounds_are_as_fast(rounds: list[float], seed: int) -> None:
    result = speedup(rounds, rounds, against="fp32", resamples=1000, seed=seed)

    assert result.value == 1.0
    assert result.low <= 1.0 <= result.high


@settings(max_examples=50)
@given(SECONDS, SECONDS)
def test_speedup_is_the_ratio_of_the_medians_and_within_what_can_occur(before: list[float], after: list[float]) -> None:
    result = speedup(before, after, against="fp32", resamples=1000)

    assert result.value == pytest.approx(np.median(before) / np.median(after))
    lowest, highest = min(before) / max(after), max(before) / min(after)
    assert lowest * (1 - 1e-9) <= result.low <= result.high <= highest * (1 + 1e-9)
    assert result.against == "fp32"


def test_speedup_has_the_interval_of_a_plain_loop() -> None:
    rng = np.random.default_rng(7)
    before, after = rng.normal(2.0, 0.1, 12), rng.normal(1.0, 0.05, 9)

    ratios = [
        np.median(rng.choice(before, len(before))) / np.median(rng.choice(after, len(after))) for _ in range(10_000)
    ]
    result = speedup(before.tolist(), after.tolist(), against="fp32")

    assert (result.low, result.high) == pytest.approx(tuple(np.percentile(ratios, [2.5, 97.5])), rel=0.01)


def test_a_seed_fixes_the_interval() -> None:
    before, after = [1.0, 1.2, 1.1, 1.4, 0.9, 1.05], [0.5, 0.7, 0.61, 0.65, 0.52]
    first = speedup(before, after, against="fp32", resamples=50, seed=3)

    assert speedup(before, after, against="fp32", resamples=50, seed=3) == first
    assert speedup(before, after, against="fp32", resamples=50, seed=4) != first


#: Ranks of the two ends for so many values, from the binomial distribution with 1/2.
RANKS = {6: (1, 6), 7: (1, 7), 8: (1, 8), 9: (2, 8), 10: (2, 9), 15: (4, 12), 20: (6, 15), 30: (10, 21), 50: (18, 33)}


@pytest.mark.parametrize(("number", "ranks"), RANKS.items())
def test_the_medians_interval_has_the_ranks_of_the_binomial_tables(number: int, ranks: tuple[int, int]) -> None:
    shuffled = np.random.default_rng(number).permutation(np.arange(1, number + 1)).tolist()

    assert median_interval(shuffled) == ranks


@given(st.lists(st.floats(0.001, 1000.0), max_size=60))
def test_the_medians_interval_is_the_narrowest_that_covers_enough(values: list[float]) -> None:
    interval = median_interval(values)

    def coverage(rank: int) -> Fraction:
        return 1 - 2 * Fraction(sum(math.comb(len(values), k) for k in range(rank)), 2 ** len(values))

    ranks = [rank for rank in range(1, len(values) // 2 + 1) if coverage(rank) >= Fraction(95, 100)]
    if interval is None:
        assert not ranks
        assert len(values) < 6
        assert half_width_pct(values) is None
    else:
        ordered = sorted(values)
        assert interval == (ordered[max(ranks) - 1], ordered[-max(ranks)])
        assert interval[0] <= np.median(values) <= interval[1]
        width = half_width_pct(values)
        assert width == pytest.approx(100 * (interval[1] - interval[0]) / 2 / np.median(values))


@pytest.mark.parametrize("draw", ["lognormal", "exponential", "normal"])
def test_the_medians_interval_holds_the_true_median_as_often_as_it_says(draw: str) -> None:
    truth = {"lognormal": 1.0, "exponential": math.log(2), "normal": 0.0}[draw]
    rng = np.random.default_rng(11)
    hits = 0
    for sample in getattr(rng, draw)(size=(4000, 10)).tolist():
        low, high = median_interval(sample) or (math.nan, math.nan)
        hits += low <= truth <= high

    # For ten values P is 0.9785, whatever the distribution; four standard errors of 4,000 trials.
    assert hits / 4000 == pytest.approx(0.9785, abs=0.0092)
