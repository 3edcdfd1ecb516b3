"""``leanner show``, on the reports that the checks are tested on."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING

from bench import strict_json
from check.reports import DEFAULT
from leanner.cli import main


if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from check.reports import Run


def test_the_table_and_the_answer_of_the_run(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run.path)]) == 0

    output = capsys.readouterr()
    assert all(f" {name} " in output.out for name in DEFAULT)
    assert "weights MB" in output.out
    assert "…" not in output.out
    assert strict_json(run.path)["leanner"]["answer"] in output.out
    assert output.err == ""


def test_what_is_wrong_with_its_form(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = strict_json(run.path)
    broken["leanner"]["options"] = 3
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken))
    assert main(["show", str(path)]) == 1

    assert capsys.readouterr().err.startswith("leanner show: leanner.options: ")


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert main(["show", str(other)]) == 2
    assert main(["show", str(tmp_path / "nowhere.json")]) == 2

    errors = capsys.readouterr().err.splitlines()
    assert "expected a report of pytest-benchmark" in errors[0]
    assert errors[1].endswith("nowhere.json: cannot be read: No such file or directory")
