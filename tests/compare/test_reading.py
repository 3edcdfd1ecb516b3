"""Reports with traces and spans, as a run leaves them: edited ones are no side of a comparison."""

from __future__ import annotations

import json
import shutil

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

import pytest

from check.reports import Run
from check.reports import case
from check.reports import change_configurations
from check.reports import scale_times
from compare.runs import edited
from leanner.cli import main


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_configurations(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("pair"), only=("fp32", "bf16")).written()


def test_what_was_measured_may_be_compared(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    # a foreign process is on the made-up GPU, so that its cases are suspect
    assert main(["compare", str(run.path), str(run.path), "--format=json"]) == 0

    content = json.loads(capsys.readouterr().out)
    assert {entry["outcome"] for entry in content["cases"]} == {"new"}
    assert content["marks"] == []


def _f1(report: dict[str, Any]) -> None:
    case(report)["f1"]["micro"] += 0.01


def _joules(report: dict[str, Any]) -> None:
    case(report)["energy"]["total_j"] *= 0.9


def _peak(report: dict[str, Any]) -> None:
    case(report)["memory"]["peak_host_mb"] *= 0.9


@pytest.mark.parametrize(
    "change",
    [_f1, _joules, _peak, lambda report: scale_times(report, 0.9)],
    ids=["f1", "joules", "peak", "times"],
)
def test_what_was_edited_by_hand_may_not(
    run: Run, change: Callable[[dict[str, Any]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    path = edited(run.path, change)

    for sides in ((path, run.path), (run.path, path)):
        assert main(["compare", *map(str, sides)]) == 2
        assert "edited.json: expected numbers that follow from what is stored beside it" in capsys.readouterr().err


def test_edited_weights_are_not_the_sum_by_dtype(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # weights are an exact gate, and no journal beside the report tells of them
    folder = tmp_path / "alone"
    shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns("*.journal.jsonl*"))

    def lighter(report: dict[str, Any]) -> None:
        case(report)["memory"]["weights_mb"] *= 0.5

    path = edited(folder / run.path.name, lighter)
    assert main(["compare", str(run.path), str(path), "--fail-on=weights:1%"]) == 2
    assert "memory.weights_mb: expected " in capsys.readouterr().err


def test_words_may_be_those_of_another_version(run: Run) -> None:
    def reword(report: dict[str, Any]) -> None:
        case(report)["quality"] = ["in other words"]
        case(report)["reasons"] = ["so it is"]

    assert main(["compare", str(edited(run.path, reword, "reworded")), str(run.path)]) == 0


def test_without_the_corpus_f1_is_said_to_be_unchecked(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["compare", str(run.path), str(run.path), "--corpora", str(tmp_path), "--format=json"]
    assert main(given) == 0
    assert "F1 is unchecked" in json.loads(capsys.readouterr().out)["marks"][0]
