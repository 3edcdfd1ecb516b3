from __future__ import annotations

from collections.abc import Callable

import pytest

from leanner.meters.lag import Lag
from leanner.meters.lag import change_w
from leanner.meters.lag import lag_of
from leanner.meters.trace import Health
from leanner.meters.trace import Trace


NS = 1_000_000_000

#: What an average over a second and a refresh every 0.1 s remember.
MEMORY_S = 1.1


def _window(window_s: float) -> Trace:
    return Trace(0, round(window_s * NS), 0.1, (), Health(0, 0.0, None, None))


def _points(window_s: float, watts: Callable[[float], float], interval_s: float = 0.1) -> list[tuple[int, float]]:
    times = [interval_s * k for k in range(round(window_s / interval_s) + 1)]
    return [(round(t * NS), 1000.0 * watts(t)) for t in times]


def _after_a_pause(pause_s: float) -> Callable[[float], float]:
    """The mean of a second: 300 W, 60 W for a while until 0, 300 W."""
    return lambda t: 300.0 - 240.0 * min(pause_s, max(0.0, 1.0 - t))


def _found(points: list[tuple[int, float]], window_s: float, averaged_s: float = 1.0) -> Lag:
    found = lag_of(points, _window(window_s), averaged_s)
    assert found is not None
    return found


def test_steady_power_has_no_lag() -> None:
    steady = _points(5.0, lambda _: 300.0)

    for averaged_s in (0.0, 1.0):
        found = _found(steady, 5.0, averaged_s)
        assert found.lacking_j == pytest.approx(0.0)
        assert found.bound_j == pytest.approx(0.0)
        assert change_w(steady, _window(5.0), averaged_s) == 0.0


def test_instant_power_lags_by_half_a_refresh_one_way_or_the_other() -> None:
    rising = _points(5.0, lambda t: 100.0 if t < 0.05 else 300.0)

    assert change_w(rising, _window(5.0), 0.0) == pytest.approx(200.0)
    found = _found(rising, 5.0, 0.0)
    assert found.lacking_j == 0.0
    assert found.bound_j == pytest.approx(0.05 * 200.0)


def test_a_pause_that_the_second_reading_shows_is_a_change() -> None:
    # A round, 60 W for a moment, a round: the first reading is of the round before, the second of the pause.
    points = _points(5.0, lambda t: 60.0 if 0.05 < t < 0.15 else 300.0)

    # Naive: the first and the last sample are alike.
    assert change_w(points, _window(5.0), 0.0) == pytest.approx(240.0)
    assert _found(points, 5.0, 0.0).bound_j == pytest.approx(12.0)


@pytest.mark.parametrize("pause_s", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("window_s", [1.2, 2.0, 10.0])
@pytest.mark.parametrize("interval_s", [0.1, 0.02])
def test_an_average_lacks_the_pause_that_it_shows(pause_s: float, window_s: float, interval_s: float) -> None:
    # Naive: half of a second times the change between the first and the last sample, 12 J of 23 for 0.1 s.
    lacking_j = 240.0 * pause_s * (1.0 - 0.5 * pause_s)

    found = _found(_points(window_s, _after_a_pause(pause_s), interval_s), window_s)

    assert found.lacking_j == pytest.approx(lacking_j, rel=0.05)
    assert found.bound_j == pytest.approx(0.1 * lacking_j, rel=0.05)


@pytest.mark.parametrize("averaged_s", [0.9, 1.1])
def test_the_bound_holds_where_the_average_is_over_a_little_more_or_less(averaged_s: float) -> None:
    # 60 W until 0 and 300 W since, over 3 s and then 180 W.
    def mean_w(t: float) -> float:
        rise_s, fall_s = max(0.0, t), max(0.0, t - 3.0)
        rise_s, fall_s = min(rise_s, averaged_s), min(fall_s, averaged_s)
        return 60.0 + (240.0 * rise_s - 120.0 * fall_s) / averaged_s

    points = _points(5.0, mean_w, 0.01)
    shown_j = sum(0.01 * value for _, value in points[1:]) / 1000.0
    true_j = 3.0 * 300.0 + 2.0 * 180.0

    found = _found(points, 5.0)

    assert abs(true_j - shown_j - found.lacking_j) <= found.bound_j
    # Naive: nothing is off.
    assert abs(true_j - shown_j) > found.bound_j


def test_where_no_average_is_documented_the_bound_holds_without_one() -> None:
    # Instant power that rises within the first second.
    points = _points(5.0, lambda t: 60.0 + 240.0 * min(1.0, t))

    found = lag_of(points, _window(5.0), 1.0, documented=False)

    assert found is not None
    assert found.bound_j == pytest.approx(abs(found.lacking_j))
    assert found.bound_j > _found(points, 5.0).bound_j


@pytest.mark.parametrize("slope_w_per_s", [10.0, -10.0])
def test_power_that_changes_all_the_time_lags_by_half_a_second(slope_w_per_s: float) -> None:
    found = _found(_points(10.0, lambda t: 200.0 + slope_w_per_s * t), 10.0)

    assert found.lacking_j == pytest.approx(0.5 * MEMORY_S * 10.0 * slope_w_per_s)


def test_what_single_readings_stand_for_is_told() -> None:
    # The last one for T; the one at T, and the one at T before the end, for half of it.
    found = _found(_points(10.0, lambda _: 300.0), 10.0)

    assert found.readings_s == pytest.approx((MEMORY_S**2 + 2.0 * (0.5 * MEMORY_S) ** 2) ** 0.5)
    assert _found(_points(10.0, lambda _: 300.0), 10.0, 0.0).readings_s == 0.0


@pytest.mark.parametrize("window_s", [1.5, 2.0])
def test_a_step_in_a_window_that_never_forgets_is_bounded(window_s: float) -> None:
    step_s = window_s - 0.2
    # A second's mean rises by 48 W of 240 in 0.2 s: 240·0.2²/2 of 48 J are in the integral.
    lacking_j = 48.0 - 240.0 * 0.2**2 / 2.0

    found = _found(_points(window_s, lambda t: 60.0 + 240.0 * max(0.0, t - step_s)), window_s)

    assert abs(lacking_j - found.lacking_j) <= found.bound_j


def test_a_window_that_an_average_does_not_forget_within_tells_nothing() -> None:
    assert lag_of(_points(1.0, lambda _: 300.0), _window(1.0), 1.0) is None
    assert lag_of([], _window(5.0), 1.0) is None


def test_a_window_whose_end_was_not_read_tells_nothing() -> None:
    # Naive: IndexError, as no sample lies behind the last second.
    points = [(t, value) for t, value in _points(20.0, lambda _: 300.0) if t < 18 * NS]

    assert lag_of(points, _window(20.0), 1.0) is None


@pytest.mark.parametrize("pause_s", [0.1, 0.5])
@pytest.mark.parametrize("interval_s", [0.1, 0.02])
def test_the_slope_of_an_average_shows_the_power_before(pause_s: float, interval_s: float) -> None:
    # Naive: the first sample, 276 W for a pause of 0.1 s at 60 W.
    points = _points(10.0, _after_a_pause(pause_s), interval_s)

    assert change_w(points, _window(10.0), 1.0) == pytest.approx(240.0)


def test_a_refresh_between_two_close_reads_is_no_cliff() -> None:
    # At 20 ms a rise of 24 W in 0.1 s is seen at once.
    points = _points(10.0, lambda t: 276.0 if t < 0.95 else 300.0, 0.02)

    assert change_w(points, _window(10.0), 1.0) == pytest.approx(240.0)


@pytest.mark.parametrize("missing", ["begin", "end"])
def test_an_edge_that_was_not_read_may_have_had_any_power(missing: str) -> None:
    # Naive: the first sample that there is, which shows no change.
    points = _points(10.0, lambda _: 300.0)
    points = points[5:] if missing == "begin" else points[:-5]

    for averaged_s in (0.0, 1.0):
        assert change_w(points, _window(10.0), averaged_s) == pytest.approx(300.0)


def test_without_samples_nothing_is_known_to_change() -> None:
    assert change_w([], _window(5.0), 1.0) == 0.0
