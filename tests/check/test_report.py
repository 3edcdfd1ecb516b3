from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from check.reports import node
from leanner.check.report import UnreadableError
from leanner.check.report import read_report
from leanner.check.report import strict_json


if TYPE_CHECKING:
    from pathlib import Path

    from check.reports import Run


def test_the_records_come_in_the_order_of_running(run: Run) -> None:
    report, problems = read_report(run.path)

    assert problems == []
    assert report is not None
    assert tuple(report.cases) == report.selection.cases
    assert dict(report.cases) == run.records
    assert set(report.benchmarks) == set(report.measured) == {node(name) for name in ("fp32", "bf16", "int8")}
    baseline = report.baseline("cuda")
    assert baseline is not None
    assert baseline.configuration == "fp32"
    assert report.baseline("cpu") is None


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "Expecting value"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": [-Infinity]}', "-Infinity is no JSON"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "'b' stands twice in one object, so readers may differ"),
        (b'{"a": "\xff"}', "utf-8"),
        (b'{"a": 1', "Expecting"),
    ],
)
def test_what_is_no_strict_json_cannot_be_read(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)

    with pytest.raises(UnreadableError) as caught:
        strict_json(path)

    assert str(caught.value).startswith(f"{path}: expected JSON, found what is none: ")
    assert found in str(caught.value)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"benchmarks": 1}', '{"benchmarks": []}', '{"benchmarks":[],"leanner":1}']
)
def test_other_json_is_no_report(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)

    with pytest.raises(UnreadableError, match=rf"^{path}: expected .*, found "):
        read_report(path)
