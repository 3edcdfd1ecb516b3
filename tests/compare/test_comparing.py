"""Runs against each other, by ``leanner compare`` on made-up reports."""

from __future__ import annotations

import json
import shutil

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import pytest

from compare.runs import NAMES
from compare.runs import Made
from compare.runs import edited
from leanner.cli import main
from leanner.report.costs import Memory
from leanner.report.record import Verdict
from report.records import not_run


if TYPE_CHECKING:
    from pathlib import Path


MEMORY = Memory(600.0, None, 45.5)
UNCHECKED = ("--unchecked", "--format", "json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def base(made: Made) -> Path:
    return made.run("base", seed=1)


@pytest.fixture(scope="module")
def store(made: Made) -> Path:
    """A store with six sessions of one baseline."""
    folder = made.folder / "store"
    for seed in range(100, 106):
        path = made.run(f"stored-{seed}", seed)
        assert main(["compare", "baseline", str(path), "--store", str(folder), "--unchecked"]) == 0
    return folder


@pytest.fixture
def copy(store: Path, tmp_path: Path) -> Path:
    """A copy of the store, which comparing adds to."""
    return shutil.copytree(store, tmp_path / "store")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


def compared(capsys: pytest.CaptureFixture[str], *given: str | Path) -> tuple[int, dict[str, Any]]:
    """Return exit code and JSON of a comparison."""
    capsys.readouterr()
    code = main(["compare", *map(str, given), *UNCHECKED])
    return code, json.loads(capsys.readouterr().out)


def outcomes(content: dict[str, Any], outcome: str) -> set[tuple[str, str]]:
    """Return case and metric of all that came out so."""
    return {(c["configuration"], c["metric"]) for c in content["changes"] if c["outcome"] == outcome}


def test_spans_that_are_not_those_that_the_report_names_are_not_compared(
    made: Made, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made.run("exchanged", 3, forgets={"int8": 24})
    files = path.with_suffix(".files")
    (stored,), (other,) = (list(files.glob(f"{name}.*.predictions.*")) for name in ("int8", "bf16"))
    shutil.copyfile(other, stored)
    code, content = compared(capsys, base, path)

    assert code == 0
    (change,) = [c for c in content["changes"] if (c["configuration"], c["metric"]) == ("int8", "f1")]
    assert (change["outcome"], change["p"]) == ("inconclusive", None)
    assert "the spans of both runs could not be scored again: " in change["note"]
    assert "expected the sha256" in change["note"]


@pytest.mark.parametrize("seed", range(10))
def test_what_is_unchanged_is_not_worse(made: Made, base: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = compared(capsys, base, made.run(f"unchanged-{seed}", 1000 + seed))

    assert code == 0
    assert outcomes(content, "worse") == set()
    assert any("within-session only" in mark for mark in content["marks"])


@pytest.mark.parametrize("seed", range(10))
def test_nor_is_it_against_stored_sessions(
    made: Made, copy: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    code, content = compared(capsys, "baseline", made.run(f"again-{seed}", 2000 + seed), "--store", copy)

    assert code == 0
    assert outcomes(content, "worse") == outcomes(content, "better") == set()
    assert {c["basis"] for c in content["changes"] if c["metric"] in ("time", "energy", "host")} == {"between sessions"}
    assert all("computed again" in mark for mark in content["marks"])


@pytest.mark.parametrize("against", ["base", "baseline"])
def test_ten_percent_slower_is_worse(
    made: Made, base: Path, copy: Path, against: str, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = made.run("slow", 2, slower={"bf16": 1.1})
    code, content = compared(capsys, base if against == "base" else "baseline", slow, "--store", copy)

    assert code == 1
    assert outcomes(content, "worse") == {("bf16", "time"), ("bf16", "energy")}


def test_one_point_less_f1_is_worse(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # of 1,200 mentions, a point of F1 is about 2 x 12 that are missed
    code, content = compared(capsys, base, made.run("forgetful", 3, forgets={"int8": 24}))

    assert code == 1
    assert outcomes(content, "worse") == {("int8", "f1")}
    (change,) = [c for c in content["changes"] if (c["configuration"], c["metric"]) == ("int8", "f1")]
    assert change["worse_by"] == pytest.approx(1.0, abs=0.1)
    assert change["low"] < change["worse_by"] < change["high"]
    assert change["basis"] == "articles"


def test_labels_have_gates_of_their_own(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forgetful = made.run("forgetful-2", 3, forgets={"int8": 24})
    given = [f"--fail-on=f1.{label}:0.3pt" for label in ("GENE", "SPECIES", "DISEASE")]
    code, content = compared(capsys, base, forgetful, *given)

    assert code == 1
    assert {name for name, _ in outcomes(content, "worse")} == {"int8"}
    assert content["tests"] == 9


def test_better_is_said_and_does_not_fail(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = compared(capsys, base, made.run("fast", 4, slower={"bf16": 0.85}))

    assert code == 0
    assert outcomes(content, "better") == {("bf16", "time"), ("bf16", "energy")}


def test_fewer_rounds_settle_nothing(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = compared(capsys, base, made.run("short", 5, rounds=9, slower={"bf16": 1.3}), "--fail-on=time:5%")

    assert code == 0
    assert ("bf16", "time") in outcomes(content, "inconclusive")
    assert any("10 rounds or more" in change["note"] for change in content["changes"])


def test_one_number_a_session_takes_stored_sessions(
    made: Made, base: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heavy = made.run("heavy", 6, changes={"int8": {"memory": replace(MEMORY, peak_host_mb=700.0)}})
    code, content = compared(capsys, base, heavy, "--fail-on=memory:5%+8MB")
    assert code == 0
    # beyond its gate, and within the spread of 5 % that is taken for granted so far
    assert ("int8", "host") in outcomes(content, "inconclusive")

    code, content = compared(capsys, "baseline", heavy, "--fail-on=memory:5%+8MB", "--store", copy)
    assert code == 1
    assert outcomes(content, "worse") == {("int8", "host")}


def test_a_doubled_peak_is_worse_before_five_sessions_are_stored(
    made: Made, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubled = made.run("doubled", 6, changes={"int8": {"memory": replace(MEMORY, peak_host_mb=1200.0)}})
    code, content = compared(capsys, base, doubled)

    assert code == 1
    assert outcomes(content, "worse") == {("int8", "host")}
    assert any("within-session only" in mark for mark in content["marks"])


def _of_source(report: dict[str, Any], source: str) -> None:
    for record in report["leanner"]["without_time"].values():
        for value in record["energy"].values():
            if isinstance(value, dict) and value.get("source") == "rapl":
                value["source"] = source


def estimated(report: dict[str, Any]) -> None:
    """Make joules of a report estimates."""
    _of_source(report, "estimate")


def from_another_meter(report: dict[str, Any]) -> None:
    _of_source(report, "nvml-counter")


@pytest.mark.parametrize("change", [estimated, from_another_meter], ids=["estimate", "source"])
def test_a_session_of_other_sources_does_not_switch_the_gate_of_energy_off(
    made: Made, copy: Path, change: Callable[[dict[str, Any]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    other = edited(made.run("plain", 50), change, "of-other-sources")
    code, content = compared(capsys, "baseline", other, "--store", copy)
    assert code == 0
    notes = {c["note"] for c in content["changes"] if c["metric"] == "energy"}
    assert all("estimated" in note or "different sources" in note for note in notes)

    slow = made.run("slow-e", 60, slower={"bf16": 1.3})
    code, content = compared(capsys, "baseline", slow, "--store", copy)
    assert code == 1
    assert outcomes(content, "worse") == {("bf16", "time"), ("bf16", "energy")}
    if change is from_another_meter:
        said = "bf16, energy: joules of nvml-counter are left out, as those of the new run are rapl"
        assert said in content["marks"]


def test_estimates_are_held_against_estimates_and_gated_only_if_asked(
    made: Made, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = edited(base, estimated, "estimate-a")
    after = edited(made.run("tripled", 4, slower={"bf16": 3.0}), estimated, "estimate-b")
    code, content = compared(capsys, before, after, "--fail-on=energy:5%", "--fail-on=f1:0.3pt")
    (change,) = [c for c in content["changes"] if (c["configuration"], c["metric"]) == ("bf16", "estimate")]
    # a gate of measured joules judged nothing, which is no green light
    assert code == 2
    assert (change["outcome"], change["threshold"]) == ("not gated", None)
    assert change["after"] / change["before"] == pytest.approx(3.0, rel=0.1)

    code, content = compared(capsys, before, after, "--fail-on=estimate:5%")
    assert code == 1
    assert outcomes(content, "worse") == {("bf16", "estimate")}


def test_weights_are_exact(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heavy = made.run("weights", 6, changes={"int8": {"memory": replace(MEMORY, weights_mb=60.0)}})
    code, content = compared(capsys, base, heavy, "--fail-on=weights:1%")

    assert code == 1
    assert outcomes(content, "worse") == {("int8", "weights")}


def test_a_case_that_the_baseline_lacks_is_new(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = compared(capsys, base, made.run("more", 7, names=(*NAMES, "int8-more")))

    assert code == 0
    assert [(c["configuration"], c["outcome"]) for c in content["cases"]] == [("int8-more", "new")]


def test_a_case_that_is_gone_fails(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = compared(capsys, base, made.run("fewer", 7, names=("fp32", "bf16")))

    assert code == 1
    assert [(c["configuration"], c["outcome"]) for c in content["cases"]] == [("int8", "removed")]


def test_a_case_that_does_not_run_any_more_fails(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = {name: getattr(not_run("int8"), name) for name in ("verdict", "reasons", "f1_drop", "energy", "time")}
    code, content = compared(capsys, base, made.run("broken", 7, changes={"int8": {**gone, "f1": None}}))

    assert code == 1
    assert content["cases"][0]["note"] == "it is not-run in the new run: no fp16 kernels on this CPU"


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"verdict": Verdict.FAIL}, "it failed in the baseline: its F1 loss is above its bound"),
        ({"suspect": True, "quality": ("a foreign process",)}, "it is suspect in the baseline: a foreign process"),
    ],
    ids=["failed", "suspect"],
)
def test_failed_and_suspect_cases_are_no_baseline(
    made: Made, change: dict[str, Any], note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    doubtful = made.run("doubtful", 8, changes={"bf16": change})
    code, content = compared(capsys, doubtful, made.run("slow-2", 9, slower={"bf16": 1.5}))

    assert code == 0
    assert [(c["configuration"], c["outcome"], c["note"]) for c in content["cases"]] == [("bf16", "new", note)]


def test_costs_of_a_suspect_case_are_not_judged(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = made.run("slow-3", 9, slower={"bf16": 1.5}, changes={"bf16": {"suspect": True, "quality": ("throttled",)}})
    code, content = compared(capsys, base, slow)

    assert code == 0
    assert {("bf16", "time"), ("bf16", "energy")} <= outcomes(content, "inconclusive")


def test_a_run_that_is_suspect_throughout_cannot_be_compared(
    made: Made, base: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suspect = {name: {"suspect": True, "quality": ("a foreign process",)} for name in NAMES}
    path = made.run("suspect", 9, slower=dict.fromkeys(NAMES, 3.0), changes=suspect)
    code, content = compared(capsys, "baseline", path, "--store", copy)
    assert (code, content["exit_code"]) == (2, 2)
    stored = [json.loads(entry.read_bytes()) for entry in copy.glob("runs/*/*/*/run.json")]
    assert [(e["level"], e["outcome"]) for e in stored if e["level"] is None] == [(None, "not judged")]

    capsys.readouterr()
    assert main(["compare", str(base), str(path), "--unchecked"]) == 2
    assert "no gated cost of any case could be judged: it is suspect in the new run" in " ".join(
        capsys.readouterr().out.split()
    )
    # what F1 alone is gated for, it tells
    assert compared(capsys, base, path, "--fail-on=f1:0.3pt")[0] == 0


@pytest.mark.parametrize(
    ("name", "value"), [("cpu", "another"), ("isa", []), ("gpu", "a GPU"), ("driver", "580"), ("threads", 4)], ids=str
)
def test_f26_another_machine_is_refused_or_marked(
    made: Made, base: Path, name: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    other = made.run(f"other-{name}", 10, environment={name: value})

    assert main(["compare", str(base), str(other), *UNCHECKED]) == 2
    assert "expected two runs under the same conditions" in capsys.readouterr().err
    code, content = compared(capsys, base, other, "--across-machines")
    assert code == 0
    assert any(mark.startswith("across machines: ") for mark in content["marks"])


def test_another_tagger_or_corpus_is_refused(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def retrained(report: dict[str, Any]) -> None:
        for record in report["leanner"]["without_time"].values():
            record["tagger"]["weights_sha256"] = "b" * 64

    def rewritten(report: dict[str, Any]) -> None:
        for record in report["leanner"]["without_time"].values():
            record["corpus"]["sha256"] = "d" * 64

    for change, name in ((retrained, "tagger's weights"), (rewritten, "corpus")):
        assert main(["compare", str(base), str(edited(base, change)), *UNCHECKED]) == 2
        assert f"sha256 of the {name}" in capsys.readouterr().err


def test_libraries_that_differ_are_said(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = compared(capsys, base, made.run("newer", 11, environment={"torch": "2.14.0"}))

    assert code == 0
    assert 'differs: torch: "2.13.0" and "2.14.0"' in content["marks"]


def test_gates_by_configuration(made: Made, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = made.run("slow-4", 12, slower={"bf16": 1.1, "int8": 1.1})
    file = tmp_path / "gates.toml"
    file.write_text('[gates]\ntime = "5%"\n[gates.bf16]\ntime = "20%"\n[gates.gone]\ntime = "off"\n')
    code, content = compared(capsys, base, slow, "--gates", file)

    assert code == 1
    assert outcomes(content, "worse") == {("int8", "time")}
    assert "gates for gone: no such case in either run" in content["marks"]


def test_json_that_is_none(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torn = tmp_path / "torn.json"
    torn.write_bytes(base.read_bytes()[:-100])
    assert main(["compare", str(base), str(torn)]) == 2
    assert "expected JSON, found what is none" in capsys.readouterr().err

    assert main(["compare", str(base), "no-such-run"]) == 2
    assert "which is none of them" in capsys.readouterr().err
    assert main(["compare", str(base), str(base), "--fail-on=time"]) == 2
    assert "expected METRIC:THRESHOLD" in capsys.readouterr().err


def test_a_schema_from_the_future(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def age(report: dict[str, Any]) -> None:
        report["leanner"]["schema"] = 2

    assert main(["compare", str(edited(base, age)), str(base), "--unchecked"]) == 2
    assert "leanner.schema: expected 1, found 2" in capsys.readouterr().err


def test_numbers_that_do_not_follow_from_what_is_stored(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # made-up reports have no traces
    assert main(["compare", str(base), str(base)]) == 2
    assert "expected numbers that follow from what is stored beside it" in capsys.readouterr().err


def test_markdown_and_table(made: Made, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = made.run("slow-5", 2, slower={"bf16": 1.1}, names=("fp32", "bf16"))
    capsys.readouterr()
    assert main(["compare", str(base), str(slow), "--unchecked", "--format=markdown"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("### 🔴 WORSE: ")
    assert "| **worse** | bf16 | time | " in text
    assert "| **removed** | int8 | " in text
    # what takes no action is folded up, and said in numbers
    top, _, folded = text.partition("<details>")
    assert "| same |" not in top
    assert "| inconclusive |" not in top
    assert "<summary>2 inconclusive</summary>" in folded

    assert main(["compare", str(base), str(slow), "--unchecked"]) == 1
    text = capsys.readouterr().out
    assert "WORSE: " in text
    assert "…" not in text
