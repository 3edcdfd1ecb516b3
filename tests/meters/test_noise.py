from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.meters.arithmetic import integrate
from leanner.meters.noise import integral_sd
from leanner.meters.noise import phase_sd_j
from leanner.meters.noise import update_period_s
from leanner.meters.sensors import NVML_UPDATE_S


NS = 1_000_000_000


def _points(times_s: Iterable[float], values: Iterable[float]) -> list[tuple[int, float]]:
    return [(round(t * NS), v) for t, v in zip(times_s, values, strict=True)]


def _counter(period_s: float, interval_s: float, window_s: float = 10.0) -> list[tuple[int, float]]:
    times = [interval_s * k for k in range(round(window_s / interval_s))]
    return _points(times, [float(int(t / period_s + 1e-9)) for t in times])


@pytest.mark.parametrize(
    ("period_s", "interval_s", "found_s"),
    [
        (0.1, 0.1, 0.1),  # every read finds it changed: no faster than this, for all one knows
        (0.02, 0.1, 0.1),
        (0.02, 0.05, 0.05),
        (0.02, 0.02, 0.02),
        (0.05, 0.01, 0.05),  # most reads find it unchanged: its own period
        (0.25, 0.1, 0.25),
        (0.15, 0.1, 0.15),  # fewer than half of the reads find it unchanged
        (0.1, 1.0, 0.1),  # a slow sampler says nothing
    ],
)
def test_the_update_period_is_what_the_samples_tell(period_s: float, interval_s: float, found_s: float) -> None:
    points = _counter(period_s, interval_s, 30.0)

    # Reads fall before and after an update in turn: the median is off by one interval at most.
    assert update_period_s(points) == pytest.approx(found_s, abs=0.5 * min(interval_s, 0.1) + 1e-9)


def test_a_few_changes_tell_nothing() -> None:
    assert update_period_s(_counter(0.02, 0.02, 0.15)) == NVML_UPDATE_S


def test_a_slow_sampler_that_finds_each_read_changed_tells_nothing() -> None:
    assert update_period_s(_counter(0.1, 1.0, 5.0)) == NVML_UPDATE_S


@pytest.mark.parametrize(
    ("period_s", "window_s"), [(0.25, 1.0), (0.25, 2.0), (0.5, 2.0), (1.0, 5.0), (2.0, 5.0), (2.0, 10.0)]
)
def test_a_counter_that_stands_still_is_slow_however_few_its_changes(period_s: float, window_s: float) -> None:
    # Naive: 0.1 s, unless it changed ten times.
    rng = np.random.default_rng(4)
    found = []
    for phase_s in rng.uniform(0.0, period_s, 100).tolist():
        times = [0.1 * k for k in range(round(window_s / 0.1) + 1)]
        found.append(update_period_s(_points(times, [float((t + phase_s) // period_s) for t in times])))

    assert float(np.mean(found)) == pytest.approx(period_s, rel=0.25)


def test_a_read_that_comes_before_its_update_is_not_a_slow_counter() -> None:
    times = [0.0, 0.1, 0.199, 0.3, 0.4, 0.5]

    assert update_period_s(_points(times, [0.0, 1.0, 1.0, 3.0, 4.0, 5.0])) == NVML_UPDATE_S


def test_the_phase_is_the_difference_of_two_uniform_ages() -> None:
    rng = np.random.default_rng(0)
    ages = rng.uniform(0.0, 0.1, (2, 200_000))

    assert phase_sd_j(300.0, 0.1) == pytest.approx(float(np.std(300.0 * (ages[0] - ages[1]))), rel=0.01)


@pytest.mark.parametrize("irregular", [False, True])
@pytest.mark.parametrize("noise_w", [0.5, 20.0])
def test_the_spread_of_an_integral_is_found_from_one_window(noise_w: float, *, irregular: bool) -> None:
    rng = np.random.default_rng(1)
    integrals, stated = [], []
    for _ in range(300):
        times = 0.1 * np.arange(101) + (rng.uniform(-0.04, 0.04, 101) if irregular else 0.0)
        watts = 300.0 + 50.0 * np.sin(times) + rng.normal(0.0, noise_w, 101)
        points = _points(times.tolist(), watts.tolist())
        integrals.append(integrate(points, round(0.05 * NS), round(9.95 * NS)))
        found = integral_sd(points, round(0.05 * NS), round(9.95 * NS), 0.1)
        assert found is not None
        stated.append(found)

    assert float(np.mean(stated)) == pytest.approx(float(np.std(integrals)), rel=0.2)


@pytest.mark.parametrize("stale", [(0,), (-1,), (0, -1)])
def test_readings_at_the_edges_that_are_of_before_are_no_noise(stale: tuple[int, ...]) -> None:
    times = (0.1 * np.arange(101)).tolist()
    watts = (300.0 + np.random.default_rng(3).normal(0.0, 3.0, 101)).tolist()
    steady = integral_sd(_points(times, watts), 0, 10 * NS, 0.1)
    for place in stale:
        watts[place] = 60.0

    # Naive: a step by 240 W, twice, over 0.1 s, which the lag stands for already.
    assert steady is not None
    assert integral_sd(_points(times, watts), 0, 10 * NS, 0.1) == steady


@pytest.mark.parametrize("interval_s", [0.1, 0.05, 0.02])
def test_a_step_that_shows_a_refresh_after_the_begin_is_no_noise(interval_s: float) -> None:
    # Instant power of a window that begins behind a pause: 60 W, a mean of both, 300 W.
    times = np.arange(0.0, 10.0 + interval_s / 2, interval_s)
    watts = 300.0 + np.random.default_rng(3).normal(0.0, 3.0, len(times))
    steady = integral_sd(_points(times.tolist(), watts.tolist()), 0, 10 * NS, interval_s)
    watts[times < 0.05] = 60.0
    watts[(times >= 0.05) & (times < 0.15)] = 90.0

    found = integral_sd(_points(times.tolist(), watts.tolist()), 0, 10 * NS, interval_s)

    # Naive: a step by 210 W, over 0.1 s, which the lag stands for.
    assert steady is not None
    assert found == pytest.approx(steady, rel=0.05)


@pytest.mark.parametrize("interval_s", [0.1, 0.05, 0.02])
def test_samples_of_one_refresh_share_its_error(interval_s: float) -> None:
    # Naive: each is one of its own, so that a fast sampler is surer than its sensor: 1.9 J for 6.
    rng = np.random.default_rng(12)
    integrals, stated = [], []
    for _ in range(200):
        times = np.arange(0.0, 10.0 + interval_s / 2, interval_s) + rng.uniform(-0.001, 0.001)
        refreshes = 300.0 + rng.normal(0.0, 6.0, 103)
        watts = refreshes[np.floor((times + rng.uniform(0.0, 0.1)) / 0.1).astype(int) + 1]
        points = _points((times + 0.01).tolist(), watts.tolist())
        integrals.append(integrate(points, round(0.1 * NS), round(9.9 * NS)))
        found = integral_sd(points, round(0.1 * NS), round(9.9 * NS), interval_s)
        assert found is not None
        stated.append(found)

    assert float(np.mean(stated)) == pytest.approx(float(np.std(integrals)), rel=0.15)


def test_what_differs_at_each_read_is_a_refresh_of_its_own() -> None:
    # Naive: one sample for every 100 ms, whatever the sensor does.
    watts = 300.0 + np.random.default_rng(13).normal(0.0, 6.0, 501)
    found = integral_sd(_points((0.02 * np.arange(501)).tolist(), watts.tolist()), 0, 10 * NS, 0.02)

    assert found == pytest.approx(6.0 * 0.02 * np.sqrt(500), rel=0.15)


@given(
    level=st.floats(10.0, 500.0),
    slope=st.floats(-20.0, 20.0),
    gaps=st.lists(st.floats(0.101, 0.24), min_size=8, max_size=60),
)
def test_a_straight_line_has_no_noise(level: float, slope: float, gaps: list[float]) -> None:
    times = np.cumsum(gaps)
    points = [(round(t * NS), level + slope * round(t * NS) / NS) for t in times.tolist()]

    assert integral_sd(points, points[0][0], points[-1][0], 0.1) == pytest.approx(0.0, abs=1e-4)


def test_bursts_that_fall_between_samples_count_by_those_that_do_not() -> None:
    rng = np.random.default_rng(2)
    errors, stated = [], []
    for _ in range(300):
        begins = rng.uniform(0.0, 10.0, 20)
        times = 0.1 * np.arange(101) + rng.uniform(0.0, 0.01)
        hit = ((times[:, None] >= begins) & (times[:, None] < begins + 0.03)).any(axis=1)
        points = _points(times.tolist(), np.where(hit, 300.0, 100.0).tolist())
        fine = np.arange(0.0, 10.0, 0.001)
        burst_s = float(((fine[:, None] >= begins) & (fine[:, None] < begins + 0.03)).any(axis=1).sum()) * 0.001
        errors.append(integrate(points, 0, 10 * NS) - (1000.0 + 200.0 * burst_s))
        found = integral_sd(points, 0, 10 * NS, 0.1)
        assert found is not None
        stated.append(found**2)

    rms = float(np.sqrt(np.mean(np.square(errors))))
    assert 0.9 * rms <= float(np.sqrt(np.mean(stated))) <= 1.6 * rms


def test_a_pause_may_hide_what_its_neighbourhood_shows() -> None:
    times = [0.1 * k for k in range(101) if not 40 < k < 50]
    steady = _points(times, [300.0] * len(times))
    swinging = _points(times, [300.0 + (40.0 if 30 < k < 36 else 0.0) for k in range(len(times))])

    assert integral_sd(steady, 0, 10 * NS, 0.1) == pytest.approx(0.0)
    alone = integral_sd([p for p in swinging if p[0] <= 4.05 * NS], 0, 4 * NS, 0.1)
    found = integral_sd(swinging, 0, 10 * NS, 0.1)
    assert alone is not None
    assert found is not None
    # The pause is 1 s long, the samples within 1 s of it range over 40 W: a uniform distribution of that width.
    assert found**2 == pytest.approx(alone**2 + 40.0**2 / 12.0, rel=0.05)


def test_a_pause_within_a_window_hides_nothing_of_before_it() -> None:
    times = [0.1 * k for k in range(101) if not 3 < k < 8]
    steady = _points(times, [300.0] * len(times))
    after_a_pause = [(t, 60.0 if t < 0.15 * NS else watts) for t, watts in steady]

    assert integral_sd(after_a_pause, 0, 10 * NS, 0.1) == pytest.approx(0.0)


@given(
    seed=st.integers(0, 2**32 - 1),
    pause_s=st.floats(0.3, 0.9),
    steps=st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(-200.0, 200.0)), max_size=6),
)
def test_a_pause_of_an_average_hides_no_more_than_its_slopes_allow(
    seed: int, pause_s: float, steps: list[tuple[float, float]]
) -> None:
    rng = np.random.default_rng(seed)
    fine = np.arange(-1.0, 11.0, 0.002)
    watts = np.full(len(fine), 300.0)
    for at, size in steps:
        watts[fine >= at] += size
    energy = np.concatenate(([0.0], np.cumsum(watts) * 0.002))
    mean = (energy[500:-1] - energy[:-501]) / 1.0
    begin = rng.uniform(1.5, 8.0)
    times = np.array([t for t in 0.1 * np.arange(101) if not begin < t < begin + pause_s])
    points = _points(times.tolist(), np.interp(times, fine[500:], mean).tolist())
    last = int(np.searchsorted(times, begin, side="right")) - 1
    a, b = times[last], times[last + 1]

    found = integral_sd(points, 0, 10 * NS, 0.1, averaged_s=1.0)

    inside = (fine[500:] >= a) & (fine[500:] < b)
    true_ws = float(np.sum(mean[inside]) * 0.002)
    off = abs(0.5 * (b - a) * (points[last][1] + points[last + 1][1]) - true_ws)
    assert found is not None
    # A uniform distribution of half-width h has a standard deviation of h / sqrt(3).
    assert off <= np.sqrt(3.0) * found + 0.03 * (b - a) * 200.0


def test_a_pause_on_the_ramp_of_an_average_hides_little() -> None:
    # A second's mean that rises from 60 to 300 W, the sampler pausing for half of that.
    def mean_w(t: float) -> float:
        return 60.0 + 240.0 * min(1.0, t)

    points = [(round(0.1 * k * NS), mean_w(0.1 * k)) for k in range(101) if not 3 < k < 8]

    # Naive: anything the samples around it show, a range of 192 W for 0.5 s.
    assert integral_sd(points, 0, 10 * NS, 0.1) == pytest.approx(0.5 * 192.0 / np.sqrt(12.0), rel=0.01)
    # Slopes of up to twice 240 W/s, and 120 W apart: 0.5²·240/2·(1 − (120/240)²).
    assert integral_sd(points, 0, 10 * NS, 0.1, averaged_s=1.0) == pytest.approx(22.5 / np.sqrt(3.0), rel=0.01)


def test_two_steps_in_a_pause_make_an_average_steeper_than_around_it() -> None:
    # 200 W more from 2.0 s on and 100 W less from 2.4 s on, read until 2.0 s and from 2.8 s on.
    def mean_w(t: float) -> float:
        return 300.0 + 200.0 * min(1.0, max(0.0, t - 2.0)) - 100.0 * min(1.0, max(0.0, t - 2.4))

    times = [0.1 * k for k in range(101)]
    points = [(round(t * NS), mean_w(t)) for t in times if not 2.05 < t < 2.75]
    hidden_j = integrate([(round(t * NS), mean_w(t)) for t in times], 2 * NS, round(2.8 * NS))
    straight_j = integrate(points, 2 * NS, round(2.8 * NS))

    # Naive: no steeper than around it, 100 W/s, which the ends of the pause leave no room for: 0 J.
    assert hidden_j - straight_j == pytest.approx(8.0, rel=0.01)
    assert np.sqrt(3.0) * (integral_sd(points, 0, 10 * NS, 0.1, averaged_s=1.0) or 0.0) >= 8.0


def test_a_pause_at_the_begin_hides_where_power_rose() -> None:
    # The first read is a little before the window, at rest; the next three ticks are late.
    points = [(-300_000, 60.0), *((round(0.1 * k * NS), 300.0) for k in range(4, 101))]

    # Naive: what is of before the window tells nothing, and the samples behind the pause are all alike.
    assert integral_sd(points, 0, 10 * NS, 0.1) == pytest.approx(0.4 * 240.0 / np.sqrt(12.0), rel=0.01)


@pytest.mark.parametrize("at_begin", [False, True])
def test_what_was_not_read_at_an_edge_may_have_been_anything(*, at_begin: bool) -> None:
    # Naive: 3000 J ± 0, where 60 W for 0.9 s of 10 make it 2784.
    times = [0.1 * k for k in range(101) if (k >= 9 if at_begin else k <= 91)]
    found = integral_sd(_points(times, [300.0] * len(times)), 0, 10 * NS, 0.1)

    # Uniform between 0 and 300 W, where 300 W are stated.
    assert found == pytest.approx(0.9 * 300.0 / np.sqrt(3.0))
    assert 1.96 * (found or 0.0) > 216.0


def test_an_edge_without_power_has_no_variance() -> None:
    assert integral_sd(_points([0.1 * k for k in range(3, 101)], [0.0] * 98), 0, 10 * NS, 0.1) == 0.0


@pytest.mark.parametrize("count", [1, 2, 4])
def test_too_few_samples_tell_nothing(count: int) -> None:
    points = _points([0.1 * k for k in range(count)], [300.0] * count)

    assert integral_sd(points, 0, NS, 0.1) is None


def test_a_trace_of_means_tells_as_much_as_its_samples() -> None:
    # Stored traces show a mean over a bin as two points, and extremes as spikes of a nanosecond.
    rng = np.random.default_rng(8)
    raw: list[float] = []
    binned: list[float] = []
    for _ in range(40):
        watts = 300.0 + rng.normal(0.0, 10.0, 3000)
        fine = _points((0.1 * np.arange(3000)).tolist(), watts.tolist())
        coarse = [
            point
            for k, inside in enumerate(watts.reshape(300, 10))
            for point in (
                (k * NS, float(inside.max())),
                (k * NS + 1, float(inside.min())),
                (k * NS + 2, float(inside.mean())),
                ((k + 1) * NS - 1, float(inside.mean())),
            )
        ]
        for points, interval_s, found in ((fine, 0.1, raw), (coarse, 1.0, binned)):
            sd = integral_sd(points, 0, 299 * NS, interval_s)
            assert sd is not None
            found.append(sd)

    assert float(np.mean(binned)) == pytest.approx(float(np.mean(raw)), rel=0.05)
