from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

import pytest

from leanner.measure.timing import Rounds
from measure.fakes import FakeStopwatch
from measure.fakes import FakeTagger
from measure.fakes import articles
from meters.rig import Rig


if TYPE_CHECKING:
    from collections.abc import Iterator

    from leanner.meters import Meter
    from leanner.meters import Reading
    from leanner.meters.meter import WindowKind


@dataclass
class Diary:
    """A meter and two taggers that write down what happens, in order."""

    meter: Meter
    events: list[str] = field(default_factory=list)
    asked: list[tuple[WindowKind, int, int | None]] = field(default_factory=list)

    def start(self, kind: WindowKind = "round", *, rounds: int = 1, sentences: int | None = None) -> None:
        self.events.append("(")
        self.asked.append((kind, rounds, sentences))
        self.meter.start(kind, rounds=rounds, sentences=sentences)

    def stop(self) -> Reading:
        self.events.append(")")
        return self.meter.stop()

    def tagger(self, letter: str) -> FakeTagger:
        return FakeTagger(on_tag=lambda: self.events.append(letter))

    def __getattr__(self, name: str) -> object:
        return getattr(self.meter, name)


@pytest.fixture
def diary() -> Iterator[Diary]:
    with Rig().meter("off") as meter:
        yield Diary(meter)


def run(
    diary: Diary, number: int, *, per_window: int = 1, rival: bool = False, watch: FakeStopwatch | None = None
) -> Rounds:
    rounds = Rounds(
        diary.tagger("A"),
        articles(3),
        diary,  # type: ignore[arg-type]  # as far as rounds need a meter
        per_window,
        diary.tagger("B") if rival else None,
    )
    rounds.measure(watch or FakeStopwatch(), number)
    return rounds


def test_each_round_has_a_window_of_its_own(diary: Diary) -> None:
    rounds = run(diary, 3)

    assert "".join(diary.events) == "(A)(A)(A)"
    assert diary.asked == [("round", 1, 6)] * 3
    assert len(rounds.readings) == 3


def test_f09_short_rounds_share_a_window(diary: Diary) -> None:
    rounds = run(diary, 6, per_window=3)

    assert "".join(diary.events) == "(AAA)(AAA)"
    assert diary.asked == [("round", 3, 6)] * 2
    assert len(rounds.readings) == 2


def test_f18_baseline_rounds_lie_around_so_that_drift_hits_both(diary: Diary) -> None:
    rounds = run(diary, 4, rival=True)

    # A B B A A B B A, the baseline always outside of the window.
    assert "".join(diary.events) == "(A)BB(A)(A)BB(A)"
    assert len(rounds.rival_s) == 4


def test_windows_are_interleaved_as_a_whole(diary: Diary) -> None:
    rounds = run(diary, 6, per_window=2, rival=True)

    assert "".join(diary.events) == "(AA)BBBB(AA)(AA)BB"
    assert len(rounds.rival_s) == 3


def test_the_seconds_of_the_rounds_are_the_stopwatchs(diary: Diary) -> None:
    rounds = Rounds(diary.tagger("A"), articles(3), diary)  # type: ignore[arg-type]  # as far as rounds need a meter

    assert rounds.measure(FakeStopwatch(0.25), 4) == (0.25,) * 4
    assert len(rounds.predictions) == 3


def test_disabled_benchmarks_leave_one_round_whose_window_is_closed(diary: Diary) -> None:
    rounds = run(diary, 4, watch=FakeStopwatch(disabled=True))

    assert "".join(diary.events) == "(A)"
    assert len(rounds.readings) == 1


@pytest.mark.parametrize("per_window", [1, 2])
def test_a_round_of_the_profiler_does_not_count(diary: Diary, per_window: int) -> None:
    rounds = run(diary, 4, per_window=per_window, rival=True, watch=FakeStopwatch(profiled=True))

    assert len(rounds.readings) == 4 // per_window
    assert len(rounds.rival_s) == 4 // per_window
    assert diary.events.count("(") == diary.events.count(")")


def test_spans_that_change_are_seen(diary: Diary) -> None:
    tagger = diary.tagger("A")
    calls = iter(range(10))
    tagger.on_tag = lambda: setattr(tagger, "forgets", next(calls) % 2 and 2)
    rounds = Rounds(tagger, articles(3), diary)  # type: ignore[arg-type]  # as far as rounds need a meter
    rounds.measure(FakeStopwatch(), 4)

    assert len(rounds.outcomes) == 2
