"""The JSON of a run, from its hooks to the file; what a run that is cut off leaves; going on with it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys

from pathlib import Path
from typing import Any

import pytest

from pytest_benchmark.session import BenchmarkSession

from bench import arguments
from bench import records
from bench import strict_json
from bench import write_corpus
from leanner.check.checking import check
from leanner.json_report import JsonReport
from leanner.measure import session
from leanner.report import final
from leanner.report.journal import read_journal
from leanner.report.schema import validate
from leanner.report.stored import damaged
from measure.fakes import Forget
from measure.fakes import Refuse
from meters.waiting import wait_until
from test_plugin import JSON
from test_plugin import Cases


pytest_plugins = ["pytester"]

BOTH = ("-k", "fp32 or bf16")


@pytest.fixture
def cases(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Cases:
    environment = {"torch": "2", "gpu": None, "commit": "f" * 40, "dirty": False}
    monkeypatch.setattr(session, "describe", lambda *_: dict(environment))
    return Cases(pytester, monkeypatch)


def test_the_report_is_valid_whole_and_checks(cases: Cases) -> None:
    result = cases.run(*BOTH, JSON)
    path = cases.pytester.path / "report.json"

    assert result.ret == 0
    assert validate(strict_json(path)) == []
    assert [str(problem) for problem in check(path, (str(cases.corpus.parent),)).problems] == []
    assert not path.with_name("report.json.part").exists()
    result.stdout.fnmatch_lines(["the same as JSON: report.json"])


def test_it_says_what_was_asked_and_chosen(cases: Cases) -> None:
    cases.run(*BOTH, JSON)
    leanner = cases.report()["leanner"]

    assert leanner["options"]["seconds"] == 0.0
    assert leanner["selection"]["keyword"] == "fp32 or bf16"
    assert [nodeid.rpartition("/")[2] for nodeid in leanner["selection"]["cases"]] == [
        "test_baseline.py::test_case[fp32]",
        "test_precision.py::test_case[bf16]",
    ]
    assert leanner["selection"]["families"] == ["baseline", "precision"]


def test_where_nothing_is_timed_there_is_a_report_all_the_same(cases: Cases) -> None:
    cases.become("bf16", Refuse())
    result = cases.run("-k", "bf16", JSON)

    assert result.ret == 0
    report = cases.report()
    assert report["benchmarks"] == []
    assert records(report)["bf16"]["verdict"] == "not-run"
    assert validate(report) == []
    assert report["machine_info"]["leanner"]["torch"] == "2"


def test_a_report_that_cannot_be_written_turns_the_run_red(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    (cases.pytester.path / "report.json").write_text("an older one")
    monkeypatch.setattr(final, "validate", lambda _: ["energy: expected joules"])
    result = cases.run("-k", "fp32", JSON)

    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["leanner: no JSON was written: the report is not what its schema says:*"])
    assert (cases.pytester.path / "report.json").read_text() == "an older one"


def test_a_report_that_could_not_be_written_is_known_before_anything_is_measured(cases: Cases) -> None:
    (cases.pytester.path / "report.json").mkdir()
    result = cases.run("-k", "fp32", JSON)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*expected a file to write to for --benchmark-json=report.json: it is a folder*"])
    assert cases.loads == 0


def test_a_journal_that_cannot_be_written_is_known_before_anything_is_measured(cases: Cases) -> None:
    (cases.pytester.path / "journal").mkdir()
    result = cases.run("-k", "fp32", JSON, "--leanner-journal=journal")

    assert result.ret != 0
    assert cases.loads == 0


def test_a_full_disk_at_the_end_leaves_the_table(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: BenchmarkSession, _: object) -> None:
        Path(self.json).write_bytes(b"{")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(BenchmarkSession, "save_json", full)
    result = cases.run("-k", "fp32", JSON)

    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["*fp32*recorded*", "leanner: no JSON was written: *No space left on device*"])
    assert not cases.pytester.path.joinpath("report.json.part").exists()
    assert len(read_journal(cases.pytester.path / "report.journal.jsonl").cases) == 1


def test_a_run_that_is_cut_off_leaves_the_report_of_the_one_before_whole(cases: Cases) -> None:
    # Naive: the files of its cases have been overwritten, and the report no longer holds.
    cases.run(*BOTH, JSON)
    path = cases.pytester.path / "report.json"
    before = strict_json(path)
    files = set((cases.pytester.path / "report.files").iterdir())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(final, "validate", lambda _: ["cut off"])
        cases.run("-k", "fp32", JSON)
    assert strict_json(path) == before
    assert files <= set((cases.pytester.path / "report.files").iterdir())

    cases.run("-k", "fp32", JSON)
    named = {Path(file["path"]).name for file in records(cases.report())["fp32"]["files"].values() if "path" in file}
    assert {file.name for file in (cases.pytester.path / "report.files").iterdir()} == named


def test_the_machine_of_a_saved_run_is_compared_like_with_like(cases: Cases) -> None:
    from leanner.measure.environment import describe

    config = cases.pytester.parseconfig()
    compare = JsonReport(config).pytest_benchmark_compare_machine_info
    environment = describe(config.rootpath, "cpu")
    saved = {name: value for name, value in environment.items() if name not in {"commit", "dirty"}}
    machine: dict[str, Any] = {"node": "here"}
    compare(machine, {"machine_info": {"node": "here", "leanner": saved}})
    assert machine == {"node": "here", "leanner": saved}

    # A saved run without cases of ours is left alone.
    machine = {"node": "here"}
    compare(machine, {"machine_info": {"node": "here"}})
    assert machine == {"node": "here"}


def test_a_finished_case_is_in_the_journal_before_the_next_begins(cases: Cases) -> None:
    class Look(Forget):
        def __call__(self, tagger: Any) -> Any:  # noqa: ANN401 - any tagger
            seen.append(list(read_journal(cases.pytester.path / "report.journal.jsonl").cases))
            return super().__call__(tagger)

    seen: list[list[str]] = []
    cases.become("bf16", Look(0))
    cases.run(*BOTH, JSON)

    assert seen == [["benchmarks/test_baseline.py::test_case[fp32]"]]
    assert len(read_journal(cases.pytester.path / "report.journal.jsonl").cases) == 2


def test_what_is_done_is_not_done_again(cases: Cases) -> None:
    cases.run("-k", "fp32", JSON)
    before = records(cases.report())["fp32"]
    cases.loads = 0
    result = cases.run(*BOTH, "--benchmark-json=again.json", "--leanner-resume=report.journal.jsonl", "-rs")

    assert result.ret == 0
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        ["leanner: fp32: recorded, as measured at *", "SKIPPED*recorded, from report.journal.jsonl"]
    )
    again = cases.report("again.json")
    after = records(again)["fp32"]
    assert {**after, "files": None} == {**before, "files": None}
    assert records(again)["bf16"]["speedup"]["against"] == "fp32"
    assert again["leanner"]["resumed"] == ["benchmarks/test_baseline.py::test_case[fp32]"]
    assert len(again["benchmarks"]) == 2
    corpora = (str(cases.corpus.parent),)
    assert [str(p) for p in check(cases.pytester.path / "again.json", corpora).problems] == []


def test_all_done_gives_the_whole_report_again(cases: Cases) -> None:
    cases.run(*BOTH, JSON)
    result = cases.run(*BOTH, "--benchmark-json=again.json", "--leanner-resume=report.journal.jsonl")

    assert result.ret == 0
    result.assert_outcomes(skipped=2)
    assert len(cases.report("again.json")["benchmarks"]) == 2
    corpora = (str(cases.corpus.parent),)
    assert [str(p) for p in check(cases.pytester.path / "again.json", corpora).problems] == []


def test_a_journal_is_gone_on_with_in_place(cases: Cases) -> None:
    cases.run("-k", "fp32", JSON)
    journal = cases.pytester.path / "report.journal.jsonl"
    with journal.open("a") as file:
        file.write('{"nodeid": "torn')
    cases.run(*BOTH, JSON, "--leanner-resume=report.journal.jsonl")

    content = read_journal(journal)
    assert content.torn is None
    assert len(content.cases) == 2
    assert not journal.with_name("report.journal.jsonl.old").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"commit": "0" * 40}, "environment commit: saved"),
        ({"dirty": True}, "commit: now with changes that are in no commit"),
        ({"torch": "3"}, 'environment torch: saved "2", now "3"'),
        ({"gpu": "another"}, 'environment gpu: saved null, now "another"'),
    ],
)
def test_what_is_not_the_same_is_measured_again_and_why(
    cases: Cases, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    cases.run("-k", "fp32", JSON)
    other = {"torch": "2", "gpu": None, "commit": "f" * 40, "dirty": False, **change}
    monkeypatch.setattr(session, "describe", lambda *_: dict(other))
    result = cases.run("-k", "fp32", "--benchmark-json=again.json", "--leanner-resume=report.journal.jsonl")

    result.assert_outcomes(passed=1)
    assert f"leanner: fp32: measured again: {said}" in result.stdout.str()


def test_a_resumed_run_of_some_cases_leaves_the_files_of_the_others(cases: Cases) -> None:
    cases.run(*BOTH, JSON)
    journal = cases.pytester.path / "report.journal.jsonl"
    for given in (("-k", "fp32"), BOTH):
        result = cases.run(*given, JSON, "--leanner-resume=report.journal.jsonl")
        assert result.ret == 0
        for saved in read_journal(journal).cases.values():
            assert damaged(cases.pytester.path / "report.json", saved.record.files) == []
    # both are still to be had
    result.assert_outcomes(skipped=2)


def test_the_old_journal_may_be_resumed_and_is_not_replaced(cases: Cases) -> None:
    cases.run(*BOTH, JSON)
    old = cases.pytester.path / "report.journal.jsonl.old"
    (cases.pytester.path / "report.journal.jsonl").rename(old)
    before = old.read_bytes()
    killed = cases.pytester.path / "report.journal.jsonl"
    killed.write_bytes(before.splitlines(keepends=True)[0])
    kept = killed.read_bytes()

    result = cases.run(*BOTH, JSON, "--leanner-resume=report.journal.jsonl.old")
    assert result.ret == 0
    result.assert_outcomes(skipped=2)
    assert old.read_bytes() == before
    assert old.with_name(f"{old.name}.2").read_bytes() == kept
    again = cases.run("-k", "fp32", JSON, "--leanner-resume=report.journal.jsonl.old")
    again.assert_outcomes(skipped=1)
    assert old.read_bytes() == before
    assert old.with_name(f"{old.name}.3").exists()
    for saved in read_journal(old).cases.values():
        assert damaged(cases.pytester.path / "report.json", saved.record.files) == []


def test_a_broken_journal_ends_the_run_at_once(cases: Cases) -> None:
    (cases.pytester.path / "mine.jsonl").write_text("no journal\n")
    result = cases.run("-k", "fp32", JSON, "--leanner-resume=mine.jsonl")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["*leanner: mine.jsonl:1: expected a line of JSON*"])


def whole_lines(journal: Path) -> bytes:
    return journal.read_bytes().rpartition(b"\n")[0]


def test_f23_a_killed_run_loses_the_running_case_alone(tmp_path: Path, shaped_file: Path) -> None:
    corpus = write_corpus(tmp_path / "corpora" / "tmvar3")
    journal = tmp_path / "report.journal.jsonl"
    wanted = ("-k", "fp32 or int8", f"--leanner-tagger={shaped_file}", f"--benchmark-json={tmp_path / 'report.json'}")
    command = [sys.executable, "-m", "pytest", *arguments(corpus, *wanted)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            # Of a line that is being written no case is read.
            wait_until(lambda: journal.exists() and b'"nodeid"' in whole_lines(journal), "the first case", 100)
        finally:
            process.send_signal(signal.SIGKILL)

    assert not (tmp_path / "report.json").exists()
    saved = read_journal(journal).cases["benchmarks/test_baseline.py::test_case[fp32]"]
    assert saved.record.time is not None
    assert len(saved.record.time.rounds_s) == 10
    assert saved.benchmark is not None
    assert json.loads(json.dumps(saved.benchmark, allow_nan=False))["stats"]["rounds"] == 10
