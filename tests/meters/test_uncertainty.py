from __future__ import annotations

import math

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.meters.sensors import GAIN
from leanner.meters.sensors import gain_bound
from leanner.meters.uncertainty import LEVEL
from leanner.meters.uncertainty import Uncertainty
from leanner.meters.uncertainty import half_width_j
from leanner.meters.uncertainty import interval
from leanner.meters.uncertainty import over_windows
from leanner.meters.uncertainty import random_half_width_j


PARTS = st.builds(Uncertainty, st.floats(0.0, 1e3), st.floats(0.0, 1e3))


@pytest.mark.parametrize(("bound", "sd"), [(5.0, 0.0), (0.0, 2.0), (5.0, 0.01), (5.0, 2.0), (1.0, 7.0), (3.0, 1e-12)])
@pytest.mark.parametrize("level", [0.5, 0.95, LEVEL])
def test_half_width_is_the_quantile_of_uniform_plus_normal(bound: float, sd: float, level: float) -> None:
    rng = np.random.default_rng(3)
    sums = np.abs(rng.uniform(-bound, bound, 400_000) + rng.normal(0.0, sd, 400_000))

    half = half_width_j([Uncertainty(bound, sd)], level)

    assert float(np.mean(sums <= half)) == pytest.approx(level, abs=0.003)


@given(st.lists(PARTS, min_size=1, max_size=4))
def test_half_width_lies_between_its_parts_and_their_sum(sensors: list[Uncertainty]) -> None:
    half = half_width_j(sensors)
    worst = sum(sensor.systematic_j for sensor in sensors)

    assert half >= LEVEL * max(sensor.systematic_j for sensor in sensors) * (1.0 - 1e-9)
    assert half >= random_half_width_j(sensors) * (1.0 - 1e-9)
    assert half <= (worst + 2.06 * math.hypot(*(s.random_j for s in sensors))) * 1.25 + 1e-9


@given(st.lists(PARTS, min_size=1, max_size=4), st.floats(1.0, 1e3), st.floats(0.1, 10.0))
def test_an_interval_scales_with_its_joules(sensors: list[Uncertainty], j: float, by: float) -> None:
    small = interval(j, sensors)
    large = interval(by * j, [Uncertainty(by * s.systematic_j, by * s.random_j) for s in sensors])

    assert large.high_j - large.j == pytest.approx(by * (small.high_j - small.j), rel=1e-6, abs=1e-9)
    assert small.j - small.low_j == pytest.approx(small.high_j - small.j)
    assert large.systematic_pct == pytest.approx(small.systematic_pct)
    assert large.random_pct == pytest.approx(small.random_pct)


@given(st.lists(PARTS, max_size=30))
def test_windows_add_what_they_share_and_average_out_the_rest(windows: list[Uncertainty]) -> None:
    total = over_windows(windows)

    assert total.systematic_j == pytest.approx(sum(w.systematic_j for w in windows))
    assert total.random_j == pytest.approx(math.sqrt(sum(w.random_j**2 for w in windows)))


def test_a_comparison_does_not_know_the_gain() -> None:
    assert random_half_width_j([Uncertainty(50.0, 3.0), Uncertainty(20.0, 4.0)]) == pytest.approx(1.96 * 5.0, rel=1e-4)


def test_a_net_of_nothing_has_no_percent() -> None:
    zero = interval(0.0, [Uncertainty(1.0, 1.0)])

    assert (zero.systematic_pct, zero.random_pct) == (None, None)


@pytest.mark.parametrize("parts", [(-1.0, 0.0), (0.0, -1.0), (math.nan, 0.0), (0.0, math.nan)])
def test_a_negative_part_is_refused(parts: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="of 0 J or more"):
        Uncertainty(*parts)


def test_a_reading_within_its_gain_leaves_the_truth_within_the_bound() -> None:
    for domain, gain in GAIN.items():
        for error in (-gain, gain):
            assert abs(1.0 / (1.0 + error) - 1.0) <= gain_bound(domain) + 1e-12
        assert abs(1.0 / (1.0 - gain) - 1.0) == pytest.approx(gain_bound(domain))


@pytest.mark.parametrize("normal", [False, True])
@pytest.mark.parametrize(
    ("stated_pct", "actual_pct"), [(0.0, 0.0), (0.1, 0.1), (0.4, 0.4), (0.4, 0.2), (0.5, 0.25), (2.0, 2.0), (8.0, 8.0)]
)
def test_the_level_holds_for_a_uniform_and_a_normal_gain(stated_pct: float, actual_pct: float, *, normal: bool) -> None:
    rng = np.random.default_rng(7)
    draws = 300_000
    gain = rng.normal(1.0, 0.025, draws) if normal else rng.uniform(0.95, 1.05, draws)
    read = 100.0 * gain + actual_pct * rng.standard_normal(draws)

    # For joules j the half-width is relative·j, so that it is enough to compute it once.
    relative = half_width_j([Uncertainty(100.0 * gain_bound("gpu"), stated_pct)]) / 100.0
    inside = float(np.mean(np.abs(read - 100.0) <= relative * read))

    assert 0.95 <= inside <= 0.995


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2), (0.95, 0.05), (0.34, 0.33, 0.33)])
@pytest.mark.parametrize("normal", [False, True])
def test_the_level_holds_for_several_sensors(shares: tuple[float, ...], *, normal: bool) -> None:
    rng = np.random.default_rng(11)
    draws = 300_000
    gains = [rng.normal(1.0, 0.025, draws) if normal else rng.uniform(0.95, 1.05, draws) for _ in shares]
    read = sum(100.0 * share * gain for share, gain in zip(shares, gains, strict=True))

    relative = half_width_j([Uncertainty(share * gain_bound("gpu"), 0.0) for share in shares])
    inside = float(np.mean(np.abs(read - 100.0) <= relative * read))

    assert 0.95 <= inside <= 0.995
