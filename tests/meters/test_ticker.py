from __future__ import annotations

import json
import math

import pytest

from leanner.meters.memory import MemorySource
from leanner.meters.ticker import Ticker
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from meters.fake_clock import FakeClock
from meters.fake_tree import FakeTree


class Slow:
    """A source whose reads take their time."""

    name = "slow"

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.takes_s = 0.0
        self.moments: list[Moment] = []

    def sample(self, moment: Moment) -> Observation:
        self.moments.append(moment)
        self.clock.advance(self.takes_s)
        return Observation({"count": len(self.moments)}, {"other": "failed"})


class Bench:
    """A ticker with one slow source, on a clock that moves by hand."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tree = FakeTree()
        self.looks = 0
        self.source = Slow(self.clock)
        self.memory = MemorySource(self.tree, self.clock)
        self.ticker = Ticker([self.memory, self.source], self._look, self.memory, 0.1, self.clock)

    def _look(self) -> None:
        self.looks += 1

    def wait(self) -> None:
        """Let time pass as ``serve`` does."""
        self.clock.advance(self.ticker.wait_s())
        self.ticker.tick_if_due()

    def since(self, begin_ns: int) -> list[float]:
        """Return when each tick was done, in seconds."""
        answer = self.ticker.stop(self.clock())
        return [(t - begin_ns) / 1e9 for t in answer["ticks_ns"]]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_ticks_lie_on_a_grid(bench: Bench) -> None:
    begin_ns = bench.clock()
    bench.source.takes_s = 0.01
    bench.ticker.start(1, None)
    for _ in range(4):
        bench.wait()

    assert bench.since(begin_ns) == pytest.approx([0.11, 0.21, 0.31, 0.41])
    assert set(bench.source.moments) == {Moment.TICK}
    assert bench.looks == 4


def test_a_late_tick_is_not_made_up_for(bench: Bench) -> None:
    begin_ns = bench.clock()
    bench.ticker.start(1, None)
    bench.wait()
    bench.clock.advance(0.35)
    for _ in range(3):
        bench.wait()

    assert bench.since(begin_ns) == pytest.approx([0.1, 0.45, 0.5, 0.6])


def test_nothing_is_read_before_it_is_due_or_outside_of_a_window(bench: Bench) -> None:
    bench.clock.advance(5.0)
    bench.ticker.tick_if_due()
    assert bench.ticker.wait_s() == math.inf
    bench.ticker.start(1, None)
    bench.clock.advance(0.09)
    bench.ticker.tick_if_due()
    assert bench.ticker.wait_s() == pytest.approx(0.01)
    bench.ticker.stop(bench.clock())
    bench.clock.advance(5.0)
    bench.ticker.tick_if_due()

    assert bench.source.moments == []


def test_a_tick_during_which_the_window_ended_is_left_out(bench: Bench) -> None:
    # The parent reads its counter at the same time: which of the two came first is unknown.
    bench.ticker.start(1, None)
    bench.wait()
    end_ns = bench.clock() + 105_000_000
    bench.source.takes_s = 0.02
    bench.wait()
    answer = bench.ticker.stop(end_ns)

    assert len(answer["ticks_ns"]) == 1
    assert [values["count"] for source, _, values, _ in answer["samples"] if source == "slow"] == [1]


def test_an_answer_is_json_and_holds_values_and_failures(bench: Bench) -> None:
    bench.ticker.start(3, None)
    bench.wait()
    answer = json.loads(json.dumps(bench.ticker.stop(bench.clock())))

    assert answer["window"] == 3
    assert answer["cpu_s"] >= 0.0
    assert answer["samples"][1] == ["slow", bench.clock(), {"count": 1}, {"other": "failed"}]


def test_each_window_begins_without_the_samples_of_the_last(bench: Bench) -> None:
    for number in (1, 2):
        bench.ticker.start(number, None)
        bench.wait()
        answer = bench.ticker.stop(bench.clock())
        assert (answer["window"], len(answer["ticks_ns"])) == (number, 1)


def test_what_the_parent_has_looked_at_is_not_looked_at_again(bench: Bench) -> None:
    edge = MemorySource(bench.tree, bench.clock).sample(Moment.START)
    assert bench.tree.pss_looks == 1
    bench.ticker.start(1, edge.values["tree"])
    bench.wait()
    assert bench.tree.pss_looks == 1
    bench.ticker.start(2, None)
    bench.wait()

    assert bench.tree.pss_looks == 2
