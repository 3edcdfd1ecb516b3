"""Reports that were edited where their journal still lies beside them."""

from __future__ import annotations

import json
import shutil

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from bench import strict_json
from check.reports import DEFAULT
from check.reports import case
from check.reports import node
from check.test_leftovers import take_out
from leanner.check.checking import check


if TYPE_CHECKING:
    from check.reports import Run


pytestmark = pytest.mark.usefixtures("remembered")

INT8 = node("int8")


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    """A copy of a run, journal and all."""
    return Path(shutil.copytree(run.folder, tmp_path / "copy"))


def found_in(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> list[str]:
    """Edit the report itself, and return what is found."""
    report = strict_json(folder / "report.json")
    change(report)
    (folder / "report.json").write_text(json.dumps(report))
    return [str(problem) for problem in check(folder / "report.json").problems]


def journal(folder: Path) -> Path:
    return folder / "report.journal.jsonl"


def rewrite(folder: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the lines of the journal."""
    lines = [json.loads(line) for line in journal(folder).read_text().splitlines()]
    change(lines)
    journal(folder).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_report_beside_its_journal_holds(folder: Path) -> None:
    assert found_in(folder) == []


def test_a_number_that_nothing_follows_from(folder: Path) -> None:
    def change(report: dict[str, Any]) -> None:
        case(report, "int8")["time"]["prepare_s"] = 0.5
        case(report, "int8")["latency_ms"]["p50"] *= 0.5

    text = "expected the record that the run noted in its journal when the case was finished, found another"
    problems = found_in(folder, change)
    assert f"{INT8}: {text}: time, latency_ms" in problems
    # which the stored latencies tell without the journal
    (other,) = [problem for problem in problems if text not in problem]
    assert other.startswith(f"{INT8}: latency_ms.p50: expected ")


def test_a_case_that_was_taken_out(folder: Path) -> None:
    assert found_in(folder, lambda report: take_out(report, "int8")) == [
        f"{INT8}: expected its record, which report.journal.jsonl has; found none"
    ]


def test_a_case_that_was_put_in(folder: Path) -> None:
    rewrite(folder, lambda lines: lines.remove(next(line for line in lines if line.get("nodeid") == INT8)))

    assert found_in(folder) == [f"{INT8}: expected only cases that report.journal.jsonl has, found one more"]


def test_all_records_edited_at_once(folder: Path) -> None:
    def change(report: dict[str, Any]) -> None:
        records = [each["extra_info"]["leanner"] for each in report["benchmarks"]]
        for record in (*records, *report["leanner"]["without_time"].values()):
            record["environment"]["threads"] = 64
        report["machine_info"]["leanner"]["threads"] = 64

    assert len(found_in(folder, change)) == len(DEFAULT)


def test_other_options(folder: Path) -> None:
    (problem,) = found_in(folder, lambda report: report["leanner"]["options"].update(batch_size=1))

    assert problem == "leanner.options.batch_size: expected 32, as the journal has them; found 1"


def test_the_journal_of_a_later_run_that_was_killed(folder: Path) -> None:
    # It has put that of this run aside.
    shutil.copy(journal(folder), journal(folder).with_name("report.journal.jsonl.old"))
    rewrite(folder, lambda lines: lines.__delitem__(slice(1, None)))

    assert found_in(folder) == []
    assert len(found_in(folder, lambda report: case(report)["time"].update(prepare_s=9.0))) == 1


def test_what_a_later_run_left_of_a_case_is_no_case_of_this_report(folder: Path) -> None:
    journal(folder).unlink()
    (folder / "report.files" / "fp16.cuda.traces.jsonl.gz").write_bytes(b"")
    assert len(found_in(folder)) == 1


def test_files_of_earlier_runs_beside_a_journal(folder: Path) -> None:
    (folder / "report.files" / "fp16.cuda.traces.jsonl.gz").write_bytes(b"")

    assert found_in(folder) == []


def test_a_resumed_run_may_have_left_out_what_an_earlier_one_did(folder: Path) -> None:
    def again(lines: list[dict[str, Any]]) -> None:
        lines.append({**lines[0], "options": {**lines[0]["options"], "resume": "report.journal.jsonl"}})

    def change(report: dict[str, Any]) -> None:
        take_out(report, "int8")
        report["leanner"]["options"]["resume"] = "report.journal.jsonl"

    rewrite(folder, again)

    assert found_in(folder, change) == []


def test_files_that_were_copied_elsewhere_are_the_same(folder: Path) -> None:
    shutil.copytree(folder / "report.files", folder / "other.files")

    def change(report: dict[str, Any]) -> None:
        for each in report["benchmarks"]:
            for entry in each["extra_info"]["leanner"]["files"].values():
                if isinstance(entry, dict):
                    entry["path"] = entry["path"].replace("report.files", "other.files")

    assert found_in(folder, change) == []


@pytest.mark.parametrize("content", ["{}\n{}\n", "no journal\n"])
def test_a_journal_that_cannot_be_read(folder: Path, content: str) -> None:
    journal(folder).write_text(content)

    (problem,) = found_in(folder)

    assert problem.startswith("leanner: expected a journal that can be read beside the report, found another: ")


def test_a_torn_last_line_is_no_fault(folder: Path) -> None:
    with journal(folder).open("a") as file:
        file.write('{"nodeid":')

    assert found_in(folder) == []
