"""What ``leanner compare`` prints where there is no baseline yet, and what it advises, in each of its forms."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING

import pytest

from compare.runs import Made
from leanner.cli import main


if TYPE_CHECKING:
    from pathlib import Path


NAMES = ("fp32", "bf16")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def runs(made: Made) -> tuple[Path, Path]:
    """One run, and a slower one."""
    return made.run("base", 1, names=NAMES), made.run("slow", 2, names=NAMES, slower={"bf16": 1.3})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


def compared(path: Path, form: str) -> int:
    return main(["compare", "baseline", str(path), "--unchecked", "--fail-on=time:5%", f"--format={form}"])


def test_markdown_says_what_was_stored_and_what_to_do(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(runs[0], "markdown") == 0
    first = capsys.readouterr()
    assert first.out.startswith("### first run on this machine: ")
    assert "is stored as the baseline 2026" in first.out
    assert first.err == ""

    assert compared(runs[1], "markdown") == 1
    worse = capsys.readouterr()
    assert worse.out.startswith("### 🔴 WORSE: ")
    assert "\n\nif that is meant: leanner accept 2026" in worse.out
    assert worse.err == ""


def test_json_is_json_without_a_baseline_too(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(runs[0], "json") == 0
    first = json.loads(capsys.readouterr().out)
    assert first.keys() == {"comparison", "reason", "control"}
    assert (first["comparison"], first["control"]) == (None, None)
    assert "first run on this machine" in first["reason"]

    assert compared(runs[1], "json") == 1
    worse = json.loads(capsys.readouterr().out)
    assert worse["advice"].startswith("if that is meant: leanner accept 2026")
    assert worse["changes"]


def test_the_table_is_followed_by_the_advice(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(runs[0], "table") == 0
    assert capsys.readouterr().out.startswith("first run on this machine")
    assert compared(runs[1], "table") == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("if that is meant: leanner accept 2026")
