from __future__ import annotations

import pytest

from leanner.meters.sampling import EdgeSampler
from leanner.meters.sampling import health_of
from leanner.meters.sampling import notes
from leanner.meters.trace import Health
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from leanner.meters.trace import Trace
from meters.fake_clock import FakeClock


class Recorder:
    """A source that counts up, and fails as often as it is told to."""

    def __init__(self, name: str, log: list[tuple[str, Moment]] | None = None, failures: int = 0) -> None:
        self.name = name
        self.log: list[tuple[str, Moment]] = [] if log is None else log
        self.count = 0
        self.failures = failures

    def sample(self, moment: Moment) -> Observation:
        self.log.append((self.name, moment))
        self.count += 1
        if self.failures:
            self.failures -= 1
            return Observation(failures={"count": "busy"})
        return Observation({"count": self.count})


def test_the_last_source_is_nearest_to_the_window() -> None:
    log: list[tuple[str, Moment]] = []
    sampler = EdgeSampler([Recorder("memory", log), Recorder("counter", log)], 0.1, FakeClock())

    sampler.start()
    sampler.tick()
    sampler.stop()

    assert log == [
        ("memory", Moment.START),
        ("counter", Moment.START),
        ("memory", Moment.TICK),
        ("counter", Moment.TICK),
        ("counter", Moment.STOP),
        ("memory", Moment.STOP),
    ]


def test_a_read_that_fails_at_an_edge_is_tried_again() -> None:
    source = Recorder("a", failures=2)
    sampler = EdgeSampler([source], 0.1, FakeClock())
    sampler.start()
    trace = sampler.stop()

    assert trace.gaps("a", "count") == ["busy", "busy"]
    assert [value for _, value in trace.series("a", "count")] == [3, 4]


def test_each_window_has_its_own_samples() -> None:
    clock = FakeClock()
    sampler = EdgeSampler([Recorder("a")], 0.1, clock)
    traces = []
    for _ in range(2):
        sampler.start()
        clock.advance(0.1)
        sampler.tick()
        traces.append(sampler.stop())

    assert [[value for _, value in trace.series("a", "count")] for trace in traces] == [[1, 2, 3], [4, 5, 6]]
    assert [trace.health.ticks for trace in traces] == [1, 1]


def test_a_tick_before_the_begin_is_left_out() -> None:
    # As of a process that ticks between its command and the begin of the window.
    class Early(EdgeSampler):
        def start(self) -> None:
            self._begin()
            self.tick()
            clock.advance(0.2)
            self._start_ns = clock()

    clock = FakeClock()
    sampler = Early([Recorder("a")], 0.1, clock)
    sampler.start()
    clock.advance(0.1)
    sampler.tick()
    trace = sampler.stop()

    assert [value for _, value in trace.series("a", "count")] == [1, 3, 4]
    assert trace.health.ticks == 1


def test_health_tells_the_longest_gap() -> None:
    clock = FakeClock()
    sampler = EdgeSampler([Recorder("a")], 0.1, clock)
    sampler.start()
    for pause in (0.1, 0.1, 0.7, 0.1):
        clock.advance(pause)
        sampler.tick()
    clock.advance(0.05)

    health = sampler.stop().health

    assert health.ticks == 4
    assert health.longest_gap_s == pytest.approx(0.7)
    assert health.period_p99_s == pytest.approx(0.7)
    assert health.cpu_s is None


def test_the_gap_behind_the_last_tick_counts() -> None:
    assert health_of(0, [100_000_000], 900_000_000).longest_gap_s == pytest.approx(0.8)
    assert health_of(0, [], 900_000_000) == Health(0, 0.9, None, None)


def test_the_period_is_the_99th_percentile_by_the_nearest_rank() -> None:
    # 200 periods, three of them long: rank 198 is the shortest of these.
    ends = [100_000_000 * number for number in range(1, 198)]
    for pause in (300_000_000, 200_000_000, 400_000_000):
        ends.append(ends[-1] + pause)

    assert health_of(0, ends, ends[-1]).period_p99_s == pytest.approx(0.2)


def _said(health: Health, end_s: float = 10.0) -> list[str]:
    return notes(Trace(0, round(end_s * 1e9), 0.1, (), health))


def test_what_went_well_is_not_spoken_of() -> None:
    assert _said(Health(99, 0.24, 0.119, 0.099)) == []


def test_pauses_late_ticks_and_the_samplers_own_time_are_said() -> None:
    assert _said(Health(99, 0.3, 0.119, 0.05)) == ["the sampler paused for 0.30 s, at 0.1 s an interval"]
    assert _said(Health(99, 0.2, 0.13, 0.05)) == [
        "the sampler's period was up to 0.130 s (99th percentile), at 0.1 s an interval"
    ]
    assert _said(Health(99, 0.1, 0.1, 0.25)) == ["the sampler itself used 2.5% of a core"]


def test_beginning_and_ending_a_short_window_is_no_rate() -> None:
    assert _said(Health(1, 0.1, 0.1, 0.01), 0.15) == []


def test_of_a_lost_sampler_nothing_else_is_said() -> None:
    assert _said(Health(0, 10.0, None, None, "it was lost")) == ["it was lost"]
