"""Reports of runs with the A/A control."""

from __future__ import annotations

from typing import Any

import pytest

from check.reports import Run
from check.reports import case
from check.reports import found_after
from check.reports import node
from leanner.check.checking import check
from leanner.configurations import CONTROL
from leanner.measure.parts import INTERLEAVED


pytestmark = pytest.mark.usefixtures("remembered")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("control"), asked={"aa": True}).written()


def test_what_was_measured_holds(run: Run) -> None:
    assert check(run.path).problems == ()
    control = run.records[node(CONTROL)]
    assert INTERLEAVED in control.quality
    assert control.speedup is not None
    assert control.speedup.paired


def test_a_run_that_asked_for_it_has_it(run: Run) -> None:
    def lose(report: dict[str, Any]) -> None:
        report["benchmarks"] = [each for each in report["benchmarks"] if each["fullname"] != node(CONTROL)]
        report["leanner"]["selection"]["cases"].remove(node(CONTROL))

    assert any(f"expected {CONTROL} on cuda, which the table" in problem for problem in found_after(run, lose))


def test_its_windows_are_held_against_those_between_them(run: Run) -> None:
    def scale(report: dict[str, Any]) -> None:
        against_s = case(report, CONTROL)["speedup"]["against_s"]
        against_s[0] *= 3.0

    (problem, *_) = [each for each in found_after(run, scale) if "speedup" in each]
    assert CONTROL in problem
