from __future__ import annotations

import json

from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_benchmark.utils import safe_dumps

from bench import strict_json
from leanner.report.answer import answer
from leanner.report.final import ReportError
from leanner.report.final import assemble
from leanner.report.final import finish
from leanner.report.final import leanner_part
from leanner.report.final import take_over
from leanner.report.final import write_report
from leanner.report.schema import validate
from leanner.report.selection import Selection
from measure.fakes import options
from report.records import baseline
from report.records import not_run
from report.records import record


pytest_plugins = ["pytester"]


def leanner(timed: tuple[str, ...] = ("b::fp32", "b::bf16"), **records: Any) -> dict[str, Any]:  # noqa: ANN401 - records
    """Return the report's ``leanner`` of a run of fp32, bf16 and fp16."""
    kept = {"b::bf16": record(), "b::fp16": not_run(), "b::fp32": baseline(), **records}
    selection = Selection("", "", (), ("baseline", "precision"), ("b::fp32", "b::bf16", "b::fp16"))
    return leanner_part(kept, timed=timed, options=asdict(options()), selection=selection)


def output(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any part
    """Return what pytest-benchmark hands over, with leanner's parts in it."""
    entries = [
        {
            "name": name,
            "fullname": f"b::{name}",
            "params": {"case": (name, "cpu")},
            "extra_info": {"leanner": each.to_json()},
            "stats": {"data": [2.0, 2.5], "median": 2.25},
        }
        for name, each in (("fp32", baseline()), ("bf16", record()))
    ]
    base = {
        "machine_info": {"node": "here", "python_build": ("main", "today")},
        "commit_info": {"id": "unversioned"},
        "benchmarks": entries,
        "datetime": "2026-11-24T15:33:04+00:00",
        "version": "5.3.1",
        "leanner": leanner(),
    }
    return base | changes


def test_the_whole_run_has_its_answer_and_what_has_no_time() -> None:
    part = leanner()

    assert part["answer"] == answer([baseline(), record(), not_run()])
    assert list(part["without_time"]) == ["b::fp16"]
    assert part["without_time"]["b::fp16"]["verdict"] == "not-run"
    assert part["selection"]["cases"] == ["b::fp32", "b::bf16", "b::fp16"]
    assert (part["resumed"], part["repaired"]) == ([], [])


def test_a_report_is_written_whole_valid_and_strict(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    returned = write_report(path, output())

    assert strict_json(path) == returned
    assert validate(returned) == []
    assert returned["benchmarks"][0]["params"] == {"case": ["fp32", "cpu"]}
    assert returned["leanner"]["repaired"] == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_f24_what_json_cannot_hold_is_repaired_counted_and_listed(tmp_path: Path) -> None:
    content = output()
    content["benchmarks"][0]["extra_info"]["mine"] = {"score": np.float32(0.5), "ratio": float("nan")}
    content["machine_info"]["load"] = float("inf")
    written = tmp_path / "report.json.part"
    written.write_text(safe_dumps(content))  # type: ignore[no-untyped-call]  # pytest-benchmark has no types

    for given in (content, json.loads(written.read_text())):
        report = write_report(tmp_path / "report.json", given)
        assert strict_json(tmp_path / "report.json") == report
        assert report["benchmarks"][0]["extra_info"]["mine"] == {"score": 0.5, "ratio": None}
        assert report["machine_info"]["load"] is None
        assert report["leanner"]["repaired"] == [
            "machine_info.load",
            "benchmarks[0].extra_info.mine.score",
            "benchmarks[0].extra_info.mine.ratio",
        ]


def test_a_report_that_is_none_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    content = output()
    content["benchmarks"][1]["extra_info"]["leanner"]["time"]["median_s"] = "2.25"
    del content["leanner"]["answer"]

    with pytest.raises(ReportError) as caught:
        write_report(path, content)

    assert str(caught.value).splitlines() == [
        "the report is not what its schema says:",
        'benchmarks[1].extra_info.leanner.time.median_s: expected a number or null, found "2.25"',
        "leanner.answer: expected this field, found none",
    ]
    assert path.read_text() == "old"
    with pytest.raises(ReportError, match="leanner: expected this field"):
        finish({name: value for name, value in output().items() if name != "leanner"})


def test_what_pytest_benchmark_wrote_is_taken_over(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import numpy as np

        def test_mine(benchmark):
            benchmark.extra_info["mine"] = {"ratio": float("nan"), "count": np.int64(3), "kind": object}
            benchmark.pedantic(lambda: None, rounds=3)
        """
    )
    part, path = pytester.path / "report.json.part", pytester.path / "report.json"
    # Its terminal is that of any run: the cases of leanner are put beside it here.
    assert pytester.runpytest_inprocess(f"--benchmark-json={part}", "-pno:cacheprovider", "-pno:xdist").ret == 0
    part.write_text(json.dumps({**json.loads(part.read_text()), "leanner": leanner(timed=())}))

    report = take_over(part, path)

    assert strict_json(path) == report
    assert not part.exists()
    (bench,) = report["benchmarks"]
    assert bench["extra_info"]["mine"] == {"ratio": None, "count": 3, "kind": "UNSERIALIZABLE[<class 'object'>]"}
    assert len(bench["stats"]["data"]) == 3
    assert report["leanner"]["repaired"] == [
        f"benchmarks[0].extra_info.mine.{name}" for name in ("ratio", "count", "kind")
    ]


@pytest.mark.parametrize("content", ['{"benchmarks": [', '{"benchmarks": []}'])
def test_what_cannot_be_taken_over_stays(tmp_path: Path, content: str) -> None:
    part, path = tmp_path / "report.json.part", tmp_path / "report.json"
    part.write_text(content)
    path.write_text("old")

    with pytest.raises(ValueError, match=r"Expecting|not what its schema says"):
        take_over(part, path)

    assert (part.read_text(), path.read_text()) == (content, "old")


def test_without_any_time_the_report_has_the_same_shape(tmp_path: Path) -> None:
    made = assemble(
        machine_info={"node": "here"}, commit_info={"id": "unversioned"}, leanner=leanner(timed=()), benchmarks=()
    )

    report = write_report(tmp_path / "report.json", made)

    assert set(report) == set(output())
    assert report["benchmarks"] == []
    assert set(report["leanner"]["without_time"]) == {"b::fp32", "b::bf16", "b::fp16"}
    assert report["version"] == version("pytest-benchmark")
    assert datetime.fromisoformat(report["datetime"]).utcoffset() is not None


def test_times_of_an_earlier_run_are_taken_over() -> None:
    earlier = output()["benchmarks"]

    made = assemble(machine_info={}, commit_info={}, leanner=leanner(), benchmarks=earlier)

    assert finish(made)["benchmarks"] == finish(output())["benchmarks"]


@pytest.mark.parametrize(
    ("keyword", "markers", "narrowed", "is_whole"),
    [
        ("", "", (), True),
        (" ", "gpu", (), True),
        ("", "not gpu", (), True),
        ("", " gpu ", (), True),
        ("bf16", "", (), False),
        ("", "gpu and slow", (), False),
        ("", "slow", (), False),
        ("", "", ("benchmarks/test_precision.py",), False),
    ],
)
def test_a_run_is_whole_unless_something_left_cases_out(
    keyword: str, markers: str, narrowed: tuple[str, ...], *, is_whole: bool
) -> None:
    assert Selection(keyword, markers, narrowed, (), ()).is_whole is is_whole
