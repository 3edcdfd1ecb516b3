from __future__ import annotations

import math

from itertools import accumulate

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.meters.arithmetic import beside_window_s
from leanner.meters.arithmetic import counter_increase
from leanner.meters.arithmetic import integrate
from leanner.meters.arithmetic import require_dense
from leanner.meters.arithmetic import require_edges
from leanner.meters.arithmetic import require_few_gaps
from leanner.meters.errors import UnmeasurableError
from leanner.meters.trace import Health
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace


NS = 1_000_000_000
CEILING = 1000.0 * 1e6


@given(
    start=st.floats(0.0, 1.0, exclude_max=True),
    steps=st.lists(st.tuples(st.floats(0.001, 40.0), st.floats(0.0, 1.0)), max_size=60),
    modulus=st.integers(60_000_000_000, 300_000_000_000),
)
def test_any_number_of_wraps_gives_the_true_rise(start: float, steps: list[tuple[float, float]], modulus: int) -> None:
    first = int(start * modulus)
    rises = [int(pause * load * CEILING) for pause, load in steps]
    times = accumulate((round(pause * NS) for pause, _ in steps), initial=0)
    values = [value % modulus for value in accumulate(rises, initial=first)]
    points = list(zip(times, values, strict=True))

    assert counter_increase(points, modulus=modulus, ceiling_per_s=CEILING) == sum(rises)


def test_two_wraps_that_a_difference_of_edges_would_lose() -> None:
    modulus = 100_000_000_000
    points = [(second * 60 * NS, second * 50_000_000_000 % modulus) for second in range(6)]

    assert points[-1][1] - points[0][1] == 50_000_000_000
    assert counter_increase(points, modulus=modulus, ceiling_per_s=CEILING) == 250_000_000_000


def test_a_pause_in_which_it_may_have_wrapped_unseen_is_refused() -> None:
    points = [(0, 0), (66 * NS, 1_000_000)]

    assert counter_increase(points, modulus=67_000_000_000, ceiling_per_s=CEILING) == 1_000_000
    with pytest.raises(UnmeasurableError, match=r"66\.0 s"):
        counter_increase(points, modulus=65_000_000_000, ceiling_per_s=CEILING)


def test_a_reset_is_not_a_wrap() -> None:
    points = [(0, 50_000_000_000), (NS // 10, 0)]

    with pytest.raises(UnmeasurableError, match="reset"):
        counter_increase(points, modulus=262_000_000_000, ceiling_per_s=CEILING)


def test_a_whole_update_between_two_reads_in_a_microsecond_is_borne() -> None:
    assert counter_increase([(0, 0), (1_000, 300_000)], modulus=10**11, ceiling_per_s=CEILING) == 300_000


@given(
    power=st.floats(10.0, 700.0),
    swing=st.floats(0.0, 0.9),
    period_s=st.floats(2.0, 20.0),
    phase=st.floats(0.0, 6.3),
)
def test_trapezoid_agrees_with_the_analytic_integral(power: float, swing: float, period_s: float, phase: float) -> None:
    omega = 2.0 * math.pi / period_s

    def watts(t: float) -> float:
        return power * (1.0 + swing * math.sin(omega * t + phase))

    def joules(t: float) -> float:
        return power * (t - swing / omega * math.cos(omega * t + phase))

    start_s, end_s = 0.05, 9.97
    points = [(round(0.1 * k * NS), watts(0.1 * k)) for k in range(102)]
    found = integrate(points, round(start_s * NS), round(end_s * NS))

    # The rule's error is at most (b - a) h^2 max|f''| / 12; edges are interpolated with the same order.
    bound = (end_s - start_s + 0.2) * 0.01 * power * swing * omega**2 / 8.0 + 1e-6 * power
    assert abs(found - (joules(end_s) - joules(start_s))) <= bound


def test_integral_takes_only_what_lies_within_the_window() -> None:
    points = [(0, 1000.0), (NS, 100.0), (2 * NS, 100.0), (3 * NS, 5000.0)]

    assert integrate(points, NS, 2 * NS) == pytest.approx(100.0)


def test_integral_of_one_sample_is_its_power_times_the_window() -> None:
    assert integrate([(0, 80.0)], NS, 3 * NS) == pytest.approx(160.0)


def test_integral_without_a_sample_is_refused() -> None:
    with pytest.raises(UnmeasurableError):
        integrate([], 0, NS)


def test_one_failed_read_is_borne_and_a_tenth_but_no_more() -> None:
    require_few_gaps(1, 2, "")
    require_few_gaps(10, 100, "")
    with pytest.raises(UnmeasurableError, match="11 of 100 reads failed: I/O"):
        require_few_gaps(11, 100, ": I/O")


def _trace(seconds: float) -> Trace:
    return Trace(0, round(seconds * NS), 0.1, (), Health(0, 0.0, None, None))


def test_a_hole_of_more_than_a_tenth_of_the_window_is_refused() -> None:
    points = [(round(0.1 * k * NS), 100.0) for k in range(101)]

    require_dense(points, _trace(10.0))
    require_dense([p for p in points if not 4.0 <= p[0] / NS < 4.8], _trace(10.0))
    with pytest.raises(UnmeasurableError, match="no power sample"):
        require_dense([p for p in points if not 4.0 <= p[0] / NS < 5.2], _trace(10.0))


def test_the_read_next_to_the_window_stands_for_its_edge() -> None:
    # Naive: first and last, with the joules of an edge that was read again because another channel failed.
    moments = (Moment.START, Moment.START, Moment.TICK, Moment.STOP, Moment.STOP)
    times = (-3_000, -1_000, NS // 2, NS + 500, NS + 9_000)
    samples = tuple(Sample("a", m, t, {"x": t}, {}) for m, t in zip(moments, times, strict=True))
    trace = Trace(0, NS, 0.1, samples, Health(1, 0.5, None, None))

    points = require_edges(trace, "a", "x")

    assert [t for t, _ in points] == [-1_000, NS // 2, NS + 500]
    assert beside_window_s(points, trace) == pytest.approx(1.5e-6)
