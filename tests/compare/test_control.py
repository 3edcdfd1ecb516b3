"""The A/A control of made-up reports: the pair, the rates, and what the control does not do to a comparison."""

from __future__ import annotations

import json

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from compare.runs import NAMES
from compare.runs import Made
from leanner.cli import main
from leanner.compare.comparison import Session
from leanner.compare.control import Rate
from leanner.compare.control import control
from leanner.compare.control import pair
from leanner.compare.reading import Reader
from leanner.compare.thresholds import gates
from leanner.configurations import BASELINE
from leanner.configurations import CONTROL
from leanner.report.costs import Speedup
from leanner.report.record import Verdict


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from leanner.check.report import Report


WITH = (BASELINE, CONTROL, *NAMES[1:])
GATES = gates(["time:5%", "energy:5%", "f1:0.3pt", "memory:5%+8MB"])
UNCHECKED = ("--unchecked", "--format", "json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


def report(made: Made, name: str, seed: int, **given: Any) -> Report:  # noqa: ANN401 - as Made.run takes it
    """Return a report with the control, whose rounds have the baseline's between them."""
    path = made.run(name, seed, names=WITH, **given)
    found = Reader().read(path)
    cases = {}
    for nodeid, record in found.cases.items():
        against = tuple(1.01 * seconds for seconds in reversed(record.time.rounds_s)) if record.time else ()
        pairs = Speedup(1.0, 0.9, 1.1, BASELINE, paired=True, against_s=against)
        cases[nodeid] = replace(record, speedup=pairs) if record.configuration == CONTROL else record
    return replace(found, cases=cases)


def compared(capsys: pytest.CaptureFixture[str], *given: str | Path) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["compare", *map(str, given), *UNCHECKED])
    return code, json.loads(capsys.readouterr().out)


def gate_names(rates: Mapping[tuple[str, str], Rate]) -> set[str]:
    return {metric for _, metric in rates}


@given(trials=st.integers(1, 400), share=st.floats(0.0, 1.0))
def test_the_interval_of_a_rate_is_that_of_scipy(trials: int, share: float) -> None:
    alarms = round(share * trials)
    expected = binomtest(alarms, trials).proportion_ci(method="exact")

    assert Rate(alarms, trials).interval == pytest.approx((expected.low, expected.high))


def test_of_nothing_nothing_is_known() -> None:
    assert Rate(0, 0).interval == (0.0, 1.0)


def test_a_pair_is_the_baseline_and_its_repetition_by_its_name(made: Made) -> None:
    found = pair(report(made, "pair", 1))

    assert found is not None
    before, after = found
    assert (before.name, after.name) == (BASELINE, CONTROL)
    assert list(before.cases) == list(after.cases) == [(BASELINE, "cpu")]
    times = [side.cases[BASELINE, "cpu"].time for side in found]
    assert times[0] != times[1]
    # of two taggers, not of one
    assert all(side.cases[BASELINE, "cpu"].memory.peak_host_mb is None for side in found)  # type: ignore[union-attr]


@pytest.mark.parametrize("lacks", [BASELINE, CONTROL])
def test_without_both_there_is_no_control(made: Made, lacks: str) -> None:
    whole = report(made, "whole", 1)
    cases = {nodeid: record for nodeid, record in whole.cases.items() if record.configuration != lacks}
    broken = {
        nodeid: replace(record, verdict=Verdict.ERROR) if record.configuration == lacks else record
        for nodeid, record in whole.cases.items()
    }

    assert control(replace(whole, cases=cases), [], GATES, list) is None
    assert control(replace(whole, cases=broken), [], GATES, list) is None


def test_what_is_the_same_does_not_alarm(made: Made) -> None:
    found = control(report(made, "same", 2), [], GATES, list)

    assert found is not None
    assert found.sessions == Rate(0, 1)
    assert gate_names(found.stored) == {"time", "energy", "f1"}
    assert gate_names(found.relabelled) == {"time", "energy"}
    # five blocks A B B A of ten windows: all ways
    assert {rate.trials for rate in found.relabelled.values()} == {2**5}
    assert found.between["cpu"].worse_by < 0.0


def test_a_repetition_that_is_slower_is_an_alarm(made: Made) -> None:
    slow = report(made, "slow", 3, slower={CONTROL: 1.2})
    found = control(slow, [], GATES, list)

    assert found is not None
    assert found.sessions == Rate(1, 1)
    assert found.stored["cpu", "time"] == Rate(1, 1)
    assert found.stored["cpu", "f1"] == Rate(0, 1)
    # windows of joules that differ by a fifth alarm where most keep their names
    assert 0 < found.relabelled["cpu", "energy"].alarms < 16
    # those of time lie between the baseline's, which are as slow
    assert found.relabelled["cpu", "time"].alarms == 0


def test_sessions_of_the_store_count_and_this_one_counts_once(made: Made) -> None:
    this, other = report(made, "this", 4), report(made, "other", 5, slower={CONTROL: 1.2})
    without = Reader().read(made.run("without", 6))
    stored = [Session("a", this), Session("b", other), Session("c", without)]
    found = control(this, stored, GATES, list)

    assert found is not None
    assert found.sessions == found.stored["cpu", "time"] == Rate(1, 2)


def test_what_is_not_gated_has_no_rate(made: Made) -> None:
    found = control(report(made, "ungated", 7), [], gates(["f1:0.3pt"]), list)

    assert found is not None
    assert gate_names(found.stored) == {"f1"}
    assert found.relabelled == {}


@pytest.mark.parametrize("sides", [(NAMES, WITH), (WITH, NAMES), (WITH, WITH)], ids=["new", "gone", "both"])
def test_the_control_changes_nothing_of_a_comparison(
    made: Made, sides: tuple[tuple[str, ...], tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = (made.run(f"side-{number}", 20 + number, names=names) for number, names in enumerate(sides))
    code, content = compared(capsys, base, new)

    assert code == 0
    assert content["tests"] == 4 * len(NAMES)
    assert [(c["configuration"], c["outcome"]) for c in content["cases"]] == (
        [(CONTROL, "new")] if sides == (NAMES, WITH) else []
    )
    own = {c["outcome"] for c in content["changes"] if c["configuration"] == CONTROL}
    assert own == ({"not gated"} if sides == (WITH, WITH) else set())
    assert (content["control"] is None) == (CONTROL not in sides[1])


def test_it_is_shown_beside_a_comparison(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ("--store", str(tmp_path / "store"))
    assert main(["compare", "baseline", str(made.run("night-30", 30, names=WITH)), "--unchecked", *store]) == 0
    code, content = compared(capsys, "baseline", made.run("night-31", 31, names=WITH), *store)
    assert code == 0
    assert content["control"]["sessions"]["trials"] == 2

    given = ["compare", "baseline", str(made.run("night-32", 32, names=WITH)), "--unchecked", *store]
    capsys.readouterr()
    assert main([*given, "--format=markdown"]) == 0
    text = capsys.readouterr().out
    assert "#### A/A control: no false alarm of 3 gates; sessions with one: 0 of 3 " in text
    assert "| same | fp32 | f1 | " in text
    assert main(given) == 0
    assert "A/A control: no false alarm of 3 gates" in capsys.readouterr().out


def test_it_is_shown_where_the_comparison_is_refused(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--store", str(tmp_path / "store"))
    assert main(["compare", "baseline", str(made.run("first", 30, names=WITH)), "--unchecked", *store]) == 0
    other = made.run("threads", 31, names=WITH, environment={"threads": 1})
    given = ["compare", "baseline", str(other), "--unchecked", *store]
    capsys.readouterr()

    assert main([*given, "--format=json"]) == 2
    written = capsys.readouterr()
    content = json.loads(written.out)
    assert content["comparison"] is None
    assert "threads: 2 and 1" in content["reason"]
    assert content["reason"] in written.err
    assert content["control"]["sessions"]["trials"] == 1

    assert main(given) == 2
    assert "A/A control: no false alarm of 3 gates" in capsys.readouterr().out
