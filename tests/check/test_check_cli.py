from __future__ import annotations

import json
import shutil
import subprocess
import sys

from typing import TYPE_CHECKING

import pytest

from bench import strict_json
from check.reports import DEFAULT
from check.reports import case
from check.reports import node
from leanner.cli import main


if TYPE_CHECKING:
    from pathlib import Path

    from check.reports import Run


def test_a_report_that_holds_ends_with_0_and_a_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(run.path)]) == 0

    output = capsys.readouterr()
    assert output.out == f"{run.path}: {len(DEFAULT)} cases hold, 3 scored again on tmvar, 48 sentences\n"
    assert output.err == ""


def test_what_does_not_hold_is_a_line_each_and_ends_with_1(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    report = strict_json(run.path)
    case(report)["energy"]["total_j"] = 1.0
    case(report, "int8")["time"]["median_s"] = 0.1
    path = run.folder / "edited [bold].json"
    path.write_text(json.dumps(report))

    assert main(["check", str(path)]) == 1

    output = capsys.readouterr()
    lines = output.out.splitlines()
    time, energy = run.records[node("int8")].time, run.records[node("bf16")].energy
    assert time is not None
    assert energy is not None
    assert f"{node('int8')}: time.median_s: expected {time.median_s}, the median of rounds_s; found 0.1" in lines
    assert f"{node('bf16')}: energy.total_j: expected {energy.total_j}, from the stored traces; found 1.0" in lines
    assert output.err == f"leanner check: {path}: {len(lines)} problems\n"


def test_one_problem_is_one(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    report = strict_json(run.path)
    report["leanner"]["answer"] = "buy a new one"
    path = run.folder / "edited.json"
    path.write_text(json.dumps(report))

    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().err == f"leanner check: {path}: 1 problem\n"


def test_the_corpus_may_be_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run.folder, tmp_path / "copy")
    corpora = tmp_path / "elsewhere"
    shutil.move(tmp_path / "copy" / "corpora", corpora)
    path = tmp_path / "copy" / "report.json"
    (tmp_path / "copy" / "report.journal.jsonl").unlink()
    report = strict_json(path)
    report["leanner"]["options"]["corpora"] = [str(tmp_path / "gone")]
    path.write_text(json.dumps(report))

    assert main(["check", str(path)]) == 1
    assert "pass the corpus of the run as --corpora" in capsys.readouterr().out
    assert main(["check", str(path), "--corpora", str(corpora)]) == 0
    monkeypatch.setenv("LEANNER_CORPORA", str(corpora))
    assert main(["check", str(path)]) == 0


@pytest.mark.parametrize("content", [None, "", "{}", '{"benchmarks": []}', "[NaN]"])
def test_a_file_that_is_no_report_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)

    assert main(["check", str(path)]) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"leanner check: {path}: ")
    assert output.err.count("\n") == 1


def test_checking_takes_no_torch(run: Run) -> None:
    code = (
        "import sys, leanner.cli\n"
        f"leanner.cli.main(['check', {str(run.path)!r}])\n"
        "print(sorted({'torch', 'flair', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
