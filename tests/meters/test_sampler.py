from __future__ import annotations

import threading

import pytest

from leanner.meters.errors import MeterError
from leanner.meters.sampler import EdgeSampler
from leanner.meters.sampler import ThreadSampler
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from meters.fake_clock import FakeClock


class Recorder:
    """A source that counts up and tells a test when it has ticked."""

    def __init__(self, name: str, log: list[tuple[str, Moment]] | None = None) -> None:
        self.name = name
        self.log: list[tuple[str, Moment]] = [] if log is None else log
        self.count = 0
        self.ticked = threading.Semaphore(0)
        self.threads: set[int] = set()

    def sample(self, moment: Moment) -> Observation:
        self.log.append((self.name, moment))
        self.count += 1
        self.threads.add(threading.get_ident())
        if moment is Moment.TICK:
            self.ticked.release()
        return Observation({"count": self.count})


class Failing(Recorder):
    """Fails in the way that a source promises not to."""

    def sample(self, moment: Moment) -> Observation:
        seen = super().sample(moment)
        if moment is Moment.TICK:
            raise ZeroDivisionError("a mistake in a source")
        return seen


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


def test_edges_enclose_the_window_and_time_never_goes_back() -> None:
    source = Recorder("a")
    sampler = ThreadSampler([source], 0.001)
    sampler.start()
    for _ in range(5):
        assert source.ticked.acquire(timeout=30.0)
    trace = sampler.stop()

    times = [t for t, _ in trace.series("a", "count")]
    assert times == sorted(times)
    assert [value for _, value in trace.series("a", "count")] == sorted(v for _, v in trace.series("a", "count"))
    assert times[0] <= trace.start_ns < trace.end_ns <= times[-1]
    assert trace.health.ticks >= 4
    assert trace.health.cpu_s is not None
    assert len(source.threads) == 2


def test_the_thread_ends_with_the_window() -> None:
    before = threading.active_count()
    sampler = ThreadSampler([Recorder("a")], 60.0)
    sampler.start()
    assert threading.active_count() == before + 1
    trace = sampler.stop()

    assert threading.active_count() == before
    assert trace.health.ticks == 0
    assert trace.health.period_p99_s is None


def test_a_failure_in_the_thread_is_raised_at_the_end_of_the_window() -> None:
    source = Failing("a")
    sampler = ThreadSampler([source], 0.001)
    sampler.start()
    assert source.ticked.acquire(timeout=30.0)
    with pytest.raises(MeterError, match="a mistake in a source") as caught:
        sampler.stop()

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
