"""Rounds that were left out, though everything else was made to fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import node
from leanner.check import rounds
from leanner.check.report import read_report
from leanner.check.text import load_text
from leanner.measure.plan import rounds_needed
from leanner.measure.traces import metered_of
from leanner.meters.stored import read_traces


if TYPE_CHECKING:
    from collections.abc import Sequence

    from check.reports import Run
    from leanner.measure.joules import Metered
    from leanner.meters.combine import Equipment
    from leanner.report.record import CaseRecord
    from leanner.types import Document


BF16 = node("bf16")


class Case:
    """A case in memory: what the check of its rounds takes."""

    def __init__(self, run: Run) -> None:
        report, _ = read_report(run.path)
        assert report is not None
        self.record: CaseRecord = report.cases[BF16]
        self.options: dict[str, Any] = dict(report.options)
        self.documents: Sequence[Document] | None = load_text(report.options, (), ()).timed.documents
        stored = read_traces(run.folder / self.record.files["traces"]["path"])
        self.equipment: Equipment = stored.equipment
        self.metered: Metered = metered_of(stored)

    def without(self, *windows: int) -> None:
        """Take out windows of rounds, everywhere."""
        kept = [number for number in range(len(self.metered.readings)) if number not in windows]
        per_window, time = self.metered.per_window, self.record.time
        assert time is not None
        assert self.record.energy is not None
        self.metered = replace(self.metered, readings=[self.metered.readings[number] for number in kept])
        rounds_s = [s for n in kept for s in time.rounds_s[n * per_window : (n + 1) * per_window]]
        self.record = replace(self.record, time=replace(time, rounds_s=tuple(rounds_s)))

    def warmed_up(self, *warmup_s: float) -> None:
        """Say that the warm-up took this long."""
        assert self.record.time is not None
        self.record = replace(self.record, time=replace(self.record.time, warmup_s=warmup_s))

    def problems(self) -> list[str]:
        """Return what is found."""
        return [
            str(each)
            for each in rounds.problems(self.equipment, self.metered, self.record, self.options, self.documents)
        ]


@pytest.fixture
def whole(pair: Run) -> Case:
    return Case(pair)


def test_the_rounds_of_a_run_hold(whole: Case) -> None:
    assert whole.problems() == []


def test_a_slow_window_that_was_taken_out_everywhere(whole: Case) -> None:
    # Naive: the median, the joules and the sampler's figures are those of what is left.
    lengths_s = [reading.window_s for reading in whole.metered.readings[1:-1]]
    slowest = 1 + lengths_s.index(max(lengths_s))
    whole.without(slowest)

    number, pause = whole.problems()

    assert number.startswith("time.rounds_s: expected 30 rounds, 3 a window, as planned from time.warmup_s and the ")
    assert number.endswith("found 27 in 9 stored windows")
    assert pause.startswith("files.traces: expected the next window within ")
    assert f"of the end of that of round {slowest}," in pause


def test_the_last_window_leaves_no_pause_but_a_number(whole: Case) -> None:
    whole.without(9)

    (problem,) = whole.problems()

    assert problem.startswith("time.rounds_s: expected 30 rounds")


def test_as_many_rounds_as_the_warm_up_and_the_options_ask_for(whole: Case) -> None:
    whole.options.update(seconds=1e9, precision_pct=2.0)
    whole.equipment = replace(whole.equipment, mode="off", device="cpu", zones=None, gpu=None, watts_per_core=None)
    whole.warmed_up(1.0, 1.0, 1.1, 1.0, 1.0, 1.0, 1.0)

    (few,) = whole.problems()
    assert f"expected {rounds_needed((1.0, 1.1, *[1.0] * 4), 2.0)} rounds, 1 a window, as planned" in few
    whole.options.update(seconds=0.0)
    (ten,) = whole.problems()
    assert "expected 10 rounds, 1 a window, as planned" in ten


@pytest.mark.parametrize(
    "warmup_s",
    [
        (),
        (9.0, *[1.0] * 5),
        (9.0, *[1.0] * 7),
        (9.0, *[1.0, 1.2] * 8),
        (9.0, *[1.0, 1.2] * 4),
        (0.0, *[1.0] * 6),
    ],
    ids=["none", "short", "settled before", "too long", "given up", "no time"],
)
def test_a_warm_up_as_no_run_has_it(whole: Case, warmup_s: tuple[float, ...]) -> None:
    whole.warmed_up(*warmup_s)

    (problem,) = whole.problems()

    assert problem.startswith("time.warmup_s: expected a whole round, then 6 to 15, no more than it takes to settle")
    whole.without(9)
    assert len(whole.problems()) == 2


@pytest.mark.parametrize(
    "warmup_s", [(9.0, *[1.0] * 6), (9.0, *[1.0, 1.2] * 3, 1.0, 1.0, 1.0), (9.0, *[1, 1.2] * 7, 1)]
)
def test_a_warm_up_of_a_run(warmup_s: tuple[float, ...]) -> None:
    assert rounds.is_a_warmup(warmup_s)


def test_rounds_without_times_have_one_window(whole: Case) -> None:
    assert whole.record.time is not None
    whole.record = replace(whole.record, time=replace(whole.record.time, rounds_s=()))

    (problem,) = whole.problems()

    assert problem == (
        "time.rounds_s: expected the seconds of each round, since only without them there is a single window; "
        "found none beside 10 windows"
    )
    whole.metered = replace(whole.metered, readings=whole.metered.readings[:1])
    assert whole.problems() == []


def test_replayed_windows_are_counted_too(whole: Case) -> None:
    assert whole.record.energy is not None
    whole.record = replace(whole.record, energy=replace(whole.record.energy, replayed=True))
    assert whole.problems() == []
    whole.without(4)

    (problem,) = whole.problems()

    assert problem == "time.rounds_s: expected 10 to 50 windows of 3 rounds; found 27 in 9 stored windows"


def test_a_window_is_missed_between_those_of_the_baseline_too(interleaved: Run) -> None:
    case = Case(interleaved)
    assert case.problems() == []
    # B A A B: behind the third window of the case comes its fourth, with two of the baseline in between.
    against = case.record.speedup
    assert against is not None
    case.without(1, 2)
    kept = (*against.against_s[:1], *against.against_s[3:])
    case.record = replace(case.record, speedup=replace(against, against_s=kept))

    assert any(problem.startswith("files.traces: expected the next window within ") for problem in case.problems())


def test_without_the_corpus_the_limits_remain(whole: Case) -> None:
    whole.documents = None
    assert whole.problems() == []
    whole.without(9)

    (problem,) = whole.problems()

    assert problem == "time.rounds_s: expected 10 to 50 windows of 3 rounds; found 27 in 9 stored windows"


def test_a_round_over_all_comes_before_the_warm_up_over_a_part(whole: Case) -> None:
    assert whole.record.time is not None
    given = whole.record.time
    whole.record = replace(whole.record, time=replace(given, sentences=20, warmup_s=(9.0, *given.warmup_s)))
    assert whole.problems() == []
    whole.record = replace(whole.record, time=replace(given, sentences=20))
    assert len(whole.problems()) == 1
