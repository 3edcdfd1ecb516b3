from __future__ import annotations

from dataclasses import fields
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanner.options import Options
from leanner.report.journal import Asked
from leanner.report.journal import Saved
from leanner.report.record import TaggerInfo
from leanner.report.record import Verdict
from leanner.report.reuse import IMMATERIAL
from leanner.report.reuse import Wanted
from leanner.report.reuse import differences
from leanner.report.stored import PREDICTIONS
from leanner.report.stored import TRACES
from leanner.report.stored import store
from measure.fakes import options
from report.records import not_run
from report.records import record


ENVIRONMENT = {"torch": "2.13.0", "threads": 2, "isa": ["avx2"], "commit": "f" * 40, "dirty": False}


def asked(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any option
    """Return the options of a run as a table."""
    made = options(**changes)
    return {field.name: getattr(made, field.name) for field in fields(made)}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "bench.json"


@pytest.fixture
def saved(report: Path) -> Saved:
    files = {
        "predictions": store(report, "bf16", PREDICTIONS, b"spans").to_json(),
        "traces": store(report, "t", TRACES, b"joules").to_json(),
    }
    case = record(environment=ENVIRONMENT, files=files)
    table = asked(corpora=("mine",))
    return Saved("b::bf16", case, None, "now", Asked({**table, "corpora": ["mine"]}, ENVIRONMENT, case.corpus, None))


WANTED = Wanted(
    configuration="bf16",
    passes=({"name": "precision", "dtype": "bfloat16"},),
    device="cpu",
    weights_sha256="a" * 64,
    corpus_sha256="c" * 64,
    environment=ENVIRONMENT,
    options=asked(corpora=("mine",)),
)


def test_the_same_case_may_stand(saved: Saved, report: Path) -> None:
    assert differences(saved, WANTED, report) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"configuration": "int8"}, 'configuration: saved "bf16", now "int8"'),
        (
            {"passes": ({"name": "precision", "dtype": "float16"},)},
            'passes: saved [{"name": "precision", "dtype": "bfl',
        ),
        ({"passes": ()}, 'passes: saved [{"name": "precision", "dtype": "bfloat16"}], now []'),
        ({"device": "cuda"}, 'device: saved "cpu", now "cuda"'),
        ({"weights_sha256": "b" * 64}, f'sha256 of the tagger\'s weights: saved "{"a" * 64}", now "{"b" * 64}"'),
        ({"corpus_sha256": "d" * 64}, f'sha256 of the corpus: saved "{"c" * 64}", now "{"d" * 64}"'),
        ({"environment": {**ENVIRONMENT, "torch": "2.14"}}, 'environment torch: saved "2.13.0", now "2.14"'),
        ({"environment": {**ENVIRONMENT, "isa": []}}, 'environment isa: saved ["avx2"], now []'),
        ({"environment": {**ENVIRONMENT, "gpu": "H100"}}, 'environment gpu: saved null, now "H100"'),
        (
            {"environment": {**ENVIRONMENT, "commit": "e" * 40}},
            f'environment commit: saved "{"f" * 40}", now "{"e" * 40}"',
        ),
        (
            {"environment": {**ENVIRONMENT, "dirty": True}},
            "commit: now with changes that are in no commit; commit them",
        ),
    ],
)
def test_what_differs_is_told(saved: Saved, report: Path, change: dict[str, Any], text: str) -> None:
    (told,) = differences(saved, replace(WANTED, **change), report)

    assert told.startswith(text)


def test_changes_that_are_in_no_commit_cannot_be_compared(saved: Saved, report: Path) -> None:
    dirty = {**ENVIRONMENT, "dirty": True}
    case = replace(saved, record=replace(saved.record, environment=dirty))

    assert differences(case, WANTED, report) == [
        "commit: saved with changes that are in no commit; commit them first",
    ]
    assert len(differences(case, replace(WANTED, environment=dirty), report)) == 2


def test_outside_a_checkout_nothing_says_that_the_code_is_the_same(saved: Saved, report: Path) -> None:
    outside = {**ENVIRONMENT, "commit": None, "dirty": None}
    case = replace(saved, record=replace(saved.record, environment=outside))

    told = differences(case, replace(WANTED, environment=outside), report)

    assert [text.partition(",")[0] for text in told] == ["commit: saved unknown", "commit: now unknown"]


@pytest.mark.parametrize("name", [field.name for field in fields(Options)])
def test_every_option_matters_but_those_that_change_no_case(saved: Saved, report: Path, name: str) -> None:
    table = {**asked(corpora=("mine",)), name: "something else"}

    told = differences(saved, replace(WANTED, options=table), report)

    if name in IMMATERIAL:
        assert told == []
    else:
        (text,) = told
        assert text.startswith(f"option {name}: saved ")


def test_an_option_that_is_new_is_taken_to_matter(saved: Saved, report: Path) -> None:
    told = differences(saved, replace(WANTED, options={**WANTED.options, "turbo": True}), report)

    assert told == ["option turbo: saved null, now true"]


@pytest.mark.parametrize("verdict", [Verdict.ERROR, Verdict.NOT_RUN])
def test_without_a_result_there_is_nothing_to_stand(saved: Saved, report: Path, verdict: Verdict) -> None:
    case = replace(saved, record=replace(not_run("bf16"), verdict=verdict))

    assert differences(case, WANTED, report) == [f"it has no result: its verdict is {verdict}"]


def test_a_case_that_failed_its_bound_may_stand(saved: Saved, report: Path) -> None:
    case = replace(saved, record=replace(saved.record, verdict=Verdict.FAIL, tagger=TaggerInfo("b", "a" * 64, 1)))

    assert differences(case, WANTED, report) == []


def test_files_that_are_missing_or_changed_are_told(saved: Saved, report: Path) -> None:
    files = saved.record.files
    (report.parent / files["predictions"]["path"]).write_bytes(b"edited")
    (report.parent / files["traces"]["path"]).unlink()

    told = differences(saved, WANTED, report)

    assert [text.partition(":")[0] for text in told] == ["files.predictions.sha256", "files.traces"]
    without = replace(saved, record=replace(saved.record, files={}))
    assert differences(without, WANTED, report) == [
        "files.predictions: saved without them, so nothing can be scored against it"
    ]
