"""Speed-ups of interleaved rounds; other times are edited in ``test_edits`` and ``test_joules``."""

from __future__ import annotations

import json

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

import pytest

from bench import strict_json
from check.reports import Run
from check.reports import case
from check.reports import found_after
from check.reports import node
from check.reports import scale_times
from leanner.check.checking import check
from leanner.measure.statistics import by_window
from leanner.measure.statistics import speedup_of_pairs
from leanner.report.journal import journal_of


if TYPE_CHECKING:
    from pathlib import Path


BF16 = node("bf16")


def places(problems: list[str]) -> set[str]:
    """Return where problems of bf16 were found."""
    return {problem.removeprefix(f"{BF16}: ").partition(":")[0] for problem in problems}


def test_a_paired_report_holds(interleaved: Run) -> None:
    record = interleaved.records[BF16]
    assert record.time is not None
    assert record.energy is not None
    assert record.speedup is not None
    assert record.speedup.paired
    assert record.energy.rounds_per_window > 1
    assert len(record.speedup.against_s) == len(record.energy.rounds_j)
    assert record.speedup.value == pytest.approx(1 / 0.55, rel=0.02)

    assert found_after(interleaved, lambda _: None) == []


@pytest.mark.parametrize("name", ["value", "low", "high"])
def test_a_changed_number_of_a_paired_speedup(interleaved: Run, name: str) -> None:
    def change(report: dict[str, Any]) -> None:
        case(report)["speedup"][name] *= 1.001

    assert f"speedup.{name}" in places(found_after(interleaved, change))


def in_place(change: Callable[[list[float]], object]) -> Callable[[dict[str, Any]], object]:
    """Return an edit of the baseline's windows."""
    return lambda report: change(case(report)["speedup"]["against_s"])


def test_changed_windows_of_the_baseline(interleaved: Run) -> None:
    def shorter(windows: list[float]) -> None:
        windows[:] = [0.9 * seconds for seconds in windows]

    assert places(found_after(interleaved, in_place(shorter))) == {"speedup.value", "speedup.low", "speedup.high"}
    for change in (list.pop, lambda windows: windows.append(windows[0]), list.clear):
        (problem,) = found_after(interleaved, in_place(change))
        assert problem.startswith(
            f"{BF16}: speedup.against_s: expected 10 windows of fp32, one beside each of the case"
        )


def test_longer_windows_of_the_baseline_do_not_fit_between_those_of_the_case(interleaved: Run) -> None:
    # Naive: the ratio is computed again from what the report says, and all follows from all.
    def change(report: dict[str, Any]) -> None:
        record = case(report)
        against_s = [1.01 * seconds for seconds in record["speedup"]["against_s"]]
        own_s = by_window(record["time"]["rounds_s"], record["energy"]["rounds_per_window"])
        faster = speedup_of_pairs(against_s, own_s, against="fp32", seed=record["seed"])
        record["speedup"].update(value=faster.value, low=faster.low, high=faster.high, against_s=against_s)

    found = places(found_after(interleaved, change)) - {"leanner.answer"}
    assert found == {f"speedup.against_s[{number}]" for number in (0, 2, 4, 6, 8)}


def test_a_speedup_is_paired_where_rounds_were_interleaved_and_only_there(interleaved: Run, pair: Run) -> None:
    def unpaired(report: dict[str, Any]) -> None:
        case(report)["speedup"].update(paired=False, against_s=[])

    assert "speedup.against_s" in places(found_after(interleaved, unpaired))
    assert places(found_after(interleaved, lambda r: case(r).update(speedup=None))) >= {"speedup"}

    def paired(report: dict[str, Any]) -> None:
        record = case(report)
        windows = by_window(record["time"]["rounds_s"], record["energy"]["rounds_per_window"])
        record["speedup"].update(paired=True, against_s=[9 * seconds for seconds in windows], value=9.0, low=9, high=9)

    assert "speedup.paired" in places(found_after(pair, paired))


def test_a_changed_time_shows_in_a_paired_speedup_too(interleaved: Run) -> None:
    found = places(found_after(interleaved, lambda report: scale_times(report, 0.997)))

    assert found == {"speedup.value", "speedup.low", "speedup.high"}


def latencies(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    """Return an edit of the files that a case names."""
    return lambda report: change(case(report)["files"])


@pytest.mark.parametrize("name", ["p50", "p95", "p99"])
def test_a_changed_percentile_is_none_of_the_stored_latencies(pair: Run, name: str) -> None:
    def change(report: dict[str, Any]) -> None:
        case(report)["latency_ms"][name] *= 0.9999

    assert places(found_after(pair, change)) - {"latency_ms"} == {f"latency_ms.{name}"}


def test_latencies_must_be_there_and_be_those_of_the_case(pair: Run) -> None:
    def others(report: dict[str, Any]) -> None:
        case(report)["files"]["latencies"] = case(report, "fp32")["files"]["latencies"]

    assert "files.latencies" in places(found_after(pair, others))
    gone = found_after(pair, latencies(lambda files: files.update(latencies=None)))
    assert f"{BF16}: files.latencies: expected the latencies that the percentiles follow from, found none" in gone


def test_a_report_of_a_leanner_that_stored_no_latencies_holds(tmp_path: Path) -> None:
    old = Run(tmp_path, only=("fp32", "bf16")).written()
    journal_of(old.path).unlink()
    report = strict_json(old.path)
    for name in ("fp32", "bf16"):
        entry = case(report, name)["files"].pop("latencies")
        (tmp_path / entry["path"]).unlink()
    old.path.write_text(json.dumps(report))

    assert [str(problem) for problem in check(old.path).problems] == []
    report_with_a_disorder = found_after(old, lambda report: case(report)["latency_ms"].update(p50=1e6))
    assert places(report_with_a_disorder) == {"latency_ms"}
