from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from leanner.runs.diffs import against_baseline
from leanner.runs.diffs import against_run
from leanner.scoring.diff import Tally


if TYPE_CHECKING:
    from leanner.runs.run import Run


def test_each_case_against_the_baseline_of_its_run(run: Run) -> None:
    found = {each.configuration: each for each in against_baseline(run)}

    assert list(found) == ["bf16", "fp16", "int8"]
    # they forget every eighth, and every third mention
    diffs = {name: each.diff for name, each in found.items()}
    assert diffs["bf16"] is not None
    assert diffs["bf16"].total == Tally(lost_right=9)
    assert diffs["bf16"].by_corpus == {"tmvar": Tally(lost_right=9)}
    assert diffs["int8"] is not None
    assert diffs["int8"].total == Tally(lost_right=24)
    assert diffs["fp16"] is None
    assert found["fp16"].reason == "no stored spans of fp16: this machine lacks what it takes"
    assert found["fp16"].to_json()["reason"] == found["fp16"].reason


def test_the_baseline_itself_only_if_asked_for(run: Run) -> None:
    (found,) = against_baseline(run, ["fp32"])
    assert found.diff is not None
    assert found.diff.changes == ()


def test_each_case_against_the_same_of_another_run(run: Run) -> None:
    bf16, int8 = run.measured[1:]
    swapped = {"a": replace(bf16, files=int8.files)}
    spans = {int8.files["predictions"]["path"]: replace(run.predictions(int8), configuration="bf16")}
    earlier = replace(run, report=replace(run.report, cases=swapped), _read=spans)
    found = {each.configuration: each for each in against_run(earlier, run)}

    assert found["bf16"].diff is not None
    assert found["bf16"].diff.total == Tally(gained_right=21, lost_right=6)
    assert found["bf16"].against == str(run.path)
    assert found["int8"].reason == f"{run.path} has no case int8 on cuda"


def test_runs_on_different_texts_are_not_compared(run: Run) -> None:
    cases = {
        node: replace(record, corpus=record.corpus and replace(record.corpus, sha256="0" * 64))
        for node, record in run.report.cases.items()
    }
    earlier = replace(run, report=replace(run.report, cases=cases))
    for each in against_run(earlier, run):
        assert str(each.reason).startswith("expected both runs on the same corpus, found tmvar (sha256 00000000…)")


def test_without_the_corpus_it_says_so(run: Run) -> None:
    found = list(against_baseline(replace(run, documents=None, no_documents="no corpus here")))
    assert {each.reason for each in found if each.configuration != "fp16"} == {"no corpus here"}
