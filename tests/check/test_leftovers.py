"""Cases that were taken out of a report whose files still tell of them, and files that two cases share."""

from __future__ import annotations

import shutil

from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import answer_anew
from check.reports import bench
from check.reports import case
from check.reports import found_after
from check.reports import node
from leanner.report.stored import stored_files


if TYPE_CHECKING:
    from pathlib import Path

    from check.reports import Run


pytestmark = pytest.mark.usefixtures("remembered")

BF16, INT8 = node("bf16"), node("int8")


def take_out(report: dict[str, Any], name: str) -> None:
    """Remove a case as if it had never been chosen."""
    report["benchmarks"].remove(bench(report, name))
    selection = report["leanner"]["selection"]
    selection["cases"].remove(node(name))
    selection["keyword"] = f"not {name}"
    answer_anew(report)


def test_a_case_that_was_taken_out_with_its_selection(run: Run) -> None:
    # Naive: the report says that the case was never to run, and all else holds.
    found = found_after(run, lambda report: take_out(report, "int8"))

    files = stored_files(run.records[INT8].files)
    own = ("predictions", "traces", "latencies")
    assert {text.partition(":")[0] for text in found} == {files[name].path for name in own}
    assert "a case was taken out, or an earlier run left it: remove it in that case" in found[0]


def test_a_family_that_was_taken_out(run: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        take_out(report, "int8")
        report["leanner"]["selection"].update(keyword="")
        report["leanner"]["selection"]["families"].remove("quantization")

    assert len(found_after(run, change)) == 3


def test_a_case_that_is_passed_off_as_not_run(run: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        report["benchmarks"].remove(bench(report, "int8"))
        told = {**case(report, "fp16"), "configuration": "int8", "family": "quantization", "reasons": ["no"]}
        told["passes"] = [{"name": "forget", "every": 3}]
        report["leanner"]["without_time"][INT8] = told
        answer_anew(report)

    found = found_after(run, change)

    assert f"{INT8}: reasons: expected a reason for which a pass of int8 cannot run on cuda; found 'no'" in found
    assert len(found) == 4


def test_files_of_other_things_are_nobodys_business(run: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    (copy / "report.files" / "notes.txt").write_text("mine")
    (copy / "int8.traces.jsonl.gz").write_text("elsewhere")
    run = type(run)(copy, only=run.only)

    assert found_after(run, lambda _: None) == []


@pytest.mark.parametrize("name", ["predictions", "traces", "latencies"])
def test_two_cases_with_one_file(run: Run, name: str) -> None:
    def change(report: dict[str, Any]) -> None:
        case(report, "int8")["files"][name] = case(report, "bf16")["files"][name]

    found = found_after(run, change)

    path = stored_files(run.records[BF16].files)[name].path
    assert f"{INT8}: files.{name}: expected a file of this case alone, found {path}, which {BF16} has too" in found


def test_one_file_by_two_names(run: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        entry = dict(case(report, "bf16")["files"]["predictions"])
        entry["path"] = entry["path"].replace("report.files/", "report.files/./")
        case(report, "int8")["files"]["predictions"] = entry

    assert any("expected a file of this case alone" in text for text in found_after(run, change))


def test_scores_that_two_cases_swapped(run: Run) -> None:
    # Naive: each has spans that give its scores.
    def change(report: dict[str, Any]) -> None:
        one, other = case(report, "bf16"), case(report, "int8")
        for name in ("f1", "f1_drop", "verdict", "reasons"):
            one[name], other[name] = other[name], one[name]
        for name in ("predictions", "spans_sha256"):
            one["files"][name], other["files"][name] = other["files"][name], one["files"][name]
        answer_anew(report)

    found = found_after(run, change)

    assert f'{BF16}: configuration: expected "int8", the case of the stored predictions; found "bf16"' in found
    assert f'{INT8}: configuration: expected "bf16", the case of the stored predictions; found "int8"' in found


def test_spans_of_the_same_case_on_another_device(pair: Run) -> None:
    def change(report: dict[str, Any]) -> None:
        case(report)["device"] = "cuda:1"

    assert f'{BF16}: device: expected "cuda", the case of the stored predictions; found "cuda:1"' in found_after(
        pair, change
    )


def test_spans_of_another_case_as_the_untimed_baseline(part: Run) -> None:
    # Naive: a case has lost nothing against itself.
    def change(report: dict[str, Any]) -> None:
        files = case(report)["files"]
        files["baseline_predictions"] = files["predictions"]

    found = "\n".join(found_after(part, change))

    assert f"{BF16}: files.baseline_predictions: expected the baseline's spans, found none: " in found
    path = stored_files(part.records[BF16].files)["predictions"].path
    assert f"expected fp32 on cuda in {path}, found those of bf16 on cuda" in found
