"""``--leanner-compare`` inside pytest."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING
from typing import Any

import pytest

from bench import records
from leanner.measure import session
from measure.fakes import Forget
from test_plugin import JSON
from test_plugin import Cases


if TYPE_CHECKING:
    from pathlib import Path


pytest_plugins = ["pytester"]

BOTH = ("-k", "fp32 or bf16")


@pytest.fixture
def cases(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Cases:
    environment = {"torch": "2", "gpu": None, "commit": "f" * 40, "dirty": False, "threads": 2}
    monkeypatch.setattr(session, "describe", lambda *_: dict(environment))
    # pytest's root is the repository, which is no place for a test's runs
    monkeypatch.setattr("leanner.gate_report.store_of", lambda _: pytester.path / "store")
    return Cases(pytester, monkeypatch)


def test_the_first_run_is_stored_and_a_worse_one_fails_the_session(cases: Cases) -> None:
    given = (*BOTH, JSON, "--leanner-compare", "--leanner-compare-fail=f1:0.3pt")
    first = cases.run(*given)
    assert first.ret == 0
    first.stdout.fnmatch_lines(["leanner: first run on this machine: *"])

    same = cases.run(*given)
    assert same.ret == 0
    same.stdout.fnmatch_lines(["nothing worse: report.json against *: 2 same"])

    cases.become("bf16", Forget(2), bound=None)
    worse = cases.run(*given)
    assert worse.ret == 1
    worse.stdout.fnmatch_lines(["WORSE: *", "leanner: if that is meant: leanner accept *"])


def test_what_cannot_be_compared_is_an_error(cases: Cases) -> None:
    assert cases.run(*BOTH, JSON).ret == 0
    report: dict[str, Any] = cases.report()
    for bench in report["benchmarks"]:
        bench["extra_info"]["leanner"]["environment"]["threads"] = 64
    other: Path = cases.pytester.path / "other.json"
    other.write_text(json.dumps(report))

    result = cases.run(*BOTH, JSON, f"--leanner-compare={other}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["leanner: cannot compare: *"])


def test_the_control_is_a_case_that_is_held_against_the_baseline(cases: Cases) -> None:
    result = cases.run("-k", "fp32 or bf16", JSON, "--aa", "--leanner-compare-fail=f1:0.3pt")

    assert result.ret == 0
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*A/A control*", "*same*fp32*f1*", "A/A control: no false alarm of 1 gate; *: 0 of 1 [[]*"]
    )
    again = records(cases.report())["fp32-again"]
    assert (again["family"], again["passes"], again["verdict"]) == ("baseline", [], "recorded")
    # its rounds and the baseline's lie between each other, without --leanner-interleave
    assert again["speedup"]["paired"]
    assert not cases.report()["leanner"]["options"]["interleave"]


def test_the_control_is_compared_beside_a_baseline_and_those_of_the_store(cases: Cases) -> None:
    given = (*BOTH, JSON, "--leanner-compare", "--leanner-compare-fail=f1:0.3pt")
    assert cases.run(*given, "--aa").ret == 0
    again = cases.run(*given, "--aa")
    assert again.ret == 0
    again.stdout.fnmatch_lines(["nothing worse: *: 2 same", "A/A control: no false alarm of 1 gate; *: 0 of 2 [[]*"])

    without = cases.run(*given)
    assert without.ret == 0
    without.stdout.fnmatch_lines(["nothing worse: *: 2 same"])
    without.stdout.no_fnmatch_line("*A/A control*")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--leanner-compare",), "expected --benchmark-json=FILE beside --leanner-compare"),
        ((JSON, "--leanner-compare-fail=time:5%"), "expected --leanner-compare or --leanner-aa beside"),
        (("--aa",), "expected --benchmark-json=FILE beside --leanner-aa"),
        ((JSON, "--leanner-compare", "--leanner-compare-fail=time"), "expected METRIC:THRESHOLD"),
        ((JSON, "--leanner-compare-gates=x.toml"), "beside --leanner-compare-gates, found none"),
        ((JSON, "--leanner-compare-across-machines"), "beside --leanner-compare-across-machines, found none"),
        ((JSON, "--leanner-compare", "--leanner-compare-gates=x.toml"), "x.toml: cannot be read: No such file"),
        ((JSON, "--leanner-compare=basline"), "found 'basline', which is none of them"),
        ((JSON, "--leanner-compare", "corpora"), "found corpora, a folder: * --leanner-compare=baseline corpora"),
        ((JSON, "--leanner-compare", "test_x.py"), "found test_x.py, a path of tests: *"),
    ],
    ids=["report", "compare", "control", "threshold", "gates", "across", "file", "typo", "folder", "tests"],
)
def test_wrong_options_end_a_run_before_it_begins(cases: Cases, given: tuple[str, ...], said: str) -> None:
    result = cases.run(*BOTH, *given)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}*"])
    assert cases.loads == 0


def test_a_base_that_does_not_hold_or_would_be_replaced_costs_no_measurement(cases: Cases) -> None:
    assert cases.run(*BOTH, JSON).ret == 0
    report = cases.report()
    report["benchmarks"][0]["extra_info"]["leanner"]["time"]["median_s"] *= 0.9
    (cases.pytester.path / "edited.json").write_text(json.dumps(report))
    loads = cases.loads

    edited = cases.run(*BOTH, JSON, "--leanner-compare=edited.json")
    assert edited.ret == pytest.ExitCode.USAGE_ERROR
    edited.stderr.fnmatch_lines(["*edited.json: expected numbers that follow *"])
    replaced = cases.run(*BOTH, JSON, "--leanner-compare=report.json")
    assert replaced.ret == pytest.ExitCode.USAGE_ERROR
    replaced.stderr.fnmatch_lines(["*expected another file than --benchmark-json=report.json *"])
    assert cases.loads == loads


def test_a_path_that_the_option_took_is_not_passed_over_in_silence_where_nothing_is_run(cases: Cases) -> None:
    result = cases.run("--leanner-compare", "corpora", "--collect-only", "-q")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*found corpora, a folder*"])


@pytest.mark.parametrize(
    "ini", ["compare = baseline", "aa = true", "compare-fail = nonsense", "compare-gates = none.toml"]
)
def test_an_ini_value_breaks_no_run_without_cases(pytester: pytest.Pytester, ini: str) -> None:
    pytester.makeini(f"[pytest]\nleanner-{ini}\n")
    pytester.makepyfile("def test_other(): pass")

    pytester.runpytest_inprocess("-p", "no:randomly").assert_outcomes(passed=1)


def test_gates_store_and_other_machines_are_as_on_the_command_line(cases: Cases) -> None:
    (cases.pytester.path / "gates.toml").write_text('[gates]\nf1 = "0.3pt"\n[gates.bf16]\nf1 = "off"\n')
    given = (*BOTH, JSON, "--leanner-compare", "--leanner-compare-gates=gates.toml", "--leanner-compare-store=runs")
    assert cases.run(*given).ret == 0
    assert (cases.pytester.path / "runs").is_dir()
    assert not (cases.pytester.path / "store").exists()
    cases.become("bf16", Forget(2), bound=None)
    ungated = cases.run(*given)
    assert ungated.ret == 0
    ungated.stdout.fnmatch_lines(["nothing worse: report.json against *: 1 same"])

    report: dict[str, Any] = cases.report()
    for bench in report["benchmarks"]:
        bench["extra_info"]["leanner"]["environment"]["threads"] = 64
    (cases.pytester.path / "other.json").write_text(json.dumps(report))
    elsewhere = cases.run(
        *BOTH,
        "--benchmark-json=again.json",
        "--leanner-compare=other.json",
        "--leanner-compare-across-machines",
        "--leanner-compare-fail=f1:0.3pt",
    )
    assert elsewhere.ret == 0
    elsewhere.stdout.fnmatch_lines(["across machines: *threads*"])
