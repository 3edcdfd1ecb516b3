"""Notes that were taken out of `quality`, each of which follows from something else."""

from __future__ import annotations

import ast

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import case
from check.reports import found_after
from check.reports import node
from check.reports import scale_times
from leanner.check import quality
from leanner.check.report import read_report
from leanner.report.costs import Memory
from leanner.report.costs import Time


if TYPE_CHECKING:
    from collections.abc import Callable

    from check.reports import Run
    from leanner.report.record import CaseRecord


BF16 = node("bf16")
SETTLED = (9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
RESTLESS = (9.0, *(1.0 + 0.3 * (number % 2) for number in range(15)))


@pytest.fixture
def missing(pair: Run) -> Callable[..., list[str]]:
    """Return the notes that a record lacks which has these parts, in a run with these options."""
    report, _ = read_report(pair.path)
    assert report is not None

    def check(record: CaseRecord, **options: Any) -> list[str]:  # noqa: ANN401 - any option
        given = {**report.options, "seconds": 0.0, "precision_pct": 2.0, **options}
        changed = replace(report, cases={BF16: record}, options=given)
        texts = [problem.text.removeprefix("expected ") for problem in quality.problems(changed)]
        return [ast.literal_eval(text.partition(" among them, ")[0]) for text in texts]

    return check


@pytest.fixture
def quiet(pair: Run) -> CaseRecord:
    """A record with nothing to note: steady, alone."""
    record = pair.records[BF16]
    assert record.energy is not None
    assert record.memory is not None
    memory = replace(record.memory, left_behind_host_mb=0.0, left_behind_vram_mb=0.0)
    energy = replace(record.energy, rounds_per_window=1)
    return replace(record, time=timed(record, (1.0,) * 10), memory=memory, energy=energy, quality=())


def timed(record: CaseRecord, rounds_s: tuple[float, ...], warmup_s: tuple[float, ...] = SETTLED) -> Time:
    assert record.time is not None
    return replace(record.time, rounds_s=rounds_s, warmup_s=warmup_s)


@pytest.mark.usefixtures("remembered")
def test_every_note_of_a_run_is_missed(pair: Run) -> None:
    # Naive: notes are text, and nobody reads them again.
    notes = pair.records[BF16].quality
    assert len(notes) > 3
    for note in notes:
        found = found_after(pair, lambda report, note=note: case(report)["quality"].remove(note))  # type: ignore[misc]
        assert [text for text in found if f": quality: expected {note!r} among them, " in text], (note, found)


def test_nothing_is_missed_where_nothing_is_to_be_said(missing: Callable[..., list[str]], quiet: CaseRecord) -> None:
    assert missing(quiet) == []


def test_rounds_that_spread(missing: Callable[..., list[str]], quiet: CaseRecord) -> None:
    (note,) = missing(replace(quiet, time=timed(quiet, (1.0, 1.5) * 5)), precision_pct=1e6)

    assert note.startswith("the rounds")
    assert missing(replace(quiet, time=timed(quiet, (1.0, 1.1) * 5)), precision_pct=1e6) == []


def test_a_warmup_that_did_not_settle_and_rounds_that_are_too_few(
    missing: Callable[..., list[str]], quiet: CaseRecord
) -> None:
    (restless,) = missing(replace(quiet, time=timed(quiet, (1.0,) * 10, RESTLESS)))
    assert restless == "warm-up did not settle: 16 rounds without 3 successive ones within 5 %"

    uneven = replace(quiet, time=timed(quiet, (1.0, 1.1) * 5))
    (few,) = missing(uneven)
    assert few.startswith("too few rounds: 10 bound the median to ±4.8 %, wanted ±2 %")
    assert missing(uneven, precision_pct=9.0) == []


def test_no_warmup_is_no_crash(missing: Callable[..., list[str]], quiet: CaseRecord) -> None:
    for warmup_s in ((), (1.0,), (0.0,) * 7):
        assert missing(replace(quiet, time=timed(quiet, (1.0,) * 10, warmup_s))) == []
    assert missing(replace(quiet, time=None, memory=None, energy=None)) == []


@pytest.mark.parametrize("name", ["left_behind_host_mb", "left_behind_vram_mb"])
def test_memory_that_was_left_behind(missing: Callable[..., list[str]], quiet: CaseRecord, name: str) -> None:
    behind = Memory(**{**_fields(quiet), name: 65.0})

    (note,) = missing(replace(quiet, memory=behind))

    assert note.startswith("earlier cases left 65 MB of ")


def test_an_interleaved_case(missing: Callable[..., list[str]], quiet: CaseRecord) -> None:
    (note,) = missing(quiet, interleave=True)
    assert note.startswith("interleaved with the baseline")
    assert missing(replace(quiet, configuration="fp32"), interleave=True) == []


@pytest.mark.usefixtures("remembered")
def test_times_that_are_steadier_than_they_were_need_no_note(pair: Run) -> None:
    found = found_after(pair, lambda report: scale_times(report, 1.0))

    assert found == []


def _fields(record: CaseRecord) -> dict[str, Any]:
    assert record.memory is not None
    return {name: getattr(record.memory, name) for name in Memory.__slots__}
