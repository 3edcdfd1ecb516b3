from __future__ import annotations

import json
import shutil

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench import strict_json
from leanner.check.report import UnreadableError
from leanner.runs.run import Run
from leanner.runs.run import read_run
from leanner.runs.run import with_corpus


if TYPE_CHECKING:
    from pathlib import Path

    from check.reports import Run as Measured


def test_the_cases_stand_in_the_order_of_the_table(run: Run) -> None:
    assert [record.configuration for record in run.records] == ["fp32", "bf16", "fp16", "int8"]
    assert [record.configuration for record in run.measured] == ["fp32", "bf16", "int8"]


def test_spans_are_those_of_the_case(run: Run) -> None:
    bf16 = run.measured[1]
    assert run.predictions(bf16).case == ("bf16", "cuda")
    assert run.baseline_predictions(bf16).case == ("fp32", "cuda")


def test_what_has_no_spans_says_why(run: Run) -> None:
    with pytest.raises(ValueError, match="no stored spans of fp16: this machine lacks what it takes"):
        run.predictions(run.records[2])


def test_spans_of_another_case_are_refused(run: Run) -> None:
    fp32, bf16 = run.measured[:2]
    with pytest.raises(ValueError, match=r"expected the spans of bf16 on cuda in .*, found those of fp32 on cuda"):
        run.predictions(replace(bf16, files=fp32.files))


def test_spans_that_were_changed_are_refused(measured: Measured, tmp_path: Path) -> None:
    shutil.copytree(measured.folder, tmp_path / "copy")
    found = read_run(tmp_path / "copy" / measured.path.name)
    (path,) = (tmp_path / "copy" / "report.files").glob("bf16*.predictions*")
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="expected the sha256"):
        found.predictions(found.measured[1])


def test_another_corpus_is_named(measured: Measured) -> None:
    found = with_corpus(read_run(measured.path), ["bundled"], [])
    assert found.documents is None
    assert str(found.no_documents).startswith("expected the corpus of the run, found another (bundled, sha256 ")
    assert str(found.no_documents).endswith("pass the corpus of the run as --corpora")


def test_a_corpus_that_is_not_there_is_named(measured: Measured, tmp_path: Path) -> None:
    found = with_corpus(read_run(measured.path), [str(tmp_path / "nowhere")], [])
    assert found.documents is None
    assert "nowhere" in str(found.no_documents)


def test_a_report_that_breaks_its_schema_is_refused(measured: Measured, tmp_path: Path) -> None:
    broken = strict_json(measured.path)
    broken["leanner"]["options"] = 3
    broken["leanner"]["selection"] = 4
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken))
    with pytest.raises(UnreadableError, match=r"broken.json: leanner\..* \(and 1 more; leanner check lists them\)"):
        read_run(path)
