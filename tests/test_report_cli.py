"""``leanner report`` and ``leanner diff``, as a user calls them."""

from __future__ import annotations

import json
import shutil

from typing import TYPE_CHECKING

import pytest

from check.reports import Run
from leanner.cli import main


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of fp32 and bf16."""
    return Run(tmp_path_factory.mktemp("pair"), only=("fp32", "bf16")).written()


@pytest.mark.parametrize(
    ("form", "begin"), [("html", "<!DOCTYPE html>"), ("csv", "configuration,device,"), ("latex", r"% \usepackage")]
)
def test_a_file_of_each_format(
    form: str, begin: str, pair: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["report", str(pair.path), "-o", str(out), "--format", form, "--corpora", pair.corpora]) == 0

    assert out.read_text().lstrip().startswith(begin)
    assert "bf16" in out.read_text()
    assert capsys.readouterr().out == f"{out}\n"


def test_a_folder_of_figures(pair: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "figures"
    assert main(["report", str(pair.path), "-o", str(out), "--format", "svg", "--corpora", pair.corpora]) == 0

    names = ["front.svg", "scores.svg", "gains.svg"]
    assert capsys.readouterr().out.split() == [str(out / name) for name in names]
    assert {path.name for path in out.iterdir()} == set(names)


def test_without_the_corpus_it_says_so_and_goes_on(
    pair: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    assert main(["report", str(pair.path), "-o", str(out), "--corpora", "bundled"]) == 0

    assert "no spans: expected the corpus of the run, found another (bundled" in capsys.readouterr().err
    assert "expected the corpus of the run, found another" in out.read_text()


def test_a_report_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, out = tmp_path / "missing.json", tmp_path / "out.html"
    assert main(["report", str(missing), "-o", str(out)]) == 2
    assert "missing.json: cannot be read: No such file or directory" in capsys.readouterr().err

    assert main(["report", str(missing), "-o", str(out), "--missing-ok"]) == 0
    assert "nothing written" in capsys.readouterr().err
    assert not out.exists()


def test_what_is_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert main(["report", str(other), "-o", str(tmp_path / "out.html"), "--missing-ok"]) == 2
    assert "expected a report of pytest-benchmark" in capsys.readouterr().err
    assert main(["diff", str(other)]) == 2


def test_where_nothing_can_be_written(pair: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "nowhere" / "out.csv"
    assert main(["report", str(pair.path), "-o", str(out), "--format", "csv"]) == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_a_diff_as_a_table(pair: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(pair.path), "--corpora", pair.corpora, "--sentences", "1"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "bf16 on cuda against fp32"
    assert lines[2].split() == ["gained", "right", "gained", "wrong", "lost", "right", "lost", "wrong"]
    assert lines[3].split() == ["all", "0", "0", "9", "0"]
    assert "  tmvar 1002, sentence 1: TP53 is lost in mice." in lines
    assert "    - SPECIES 'mice' (right)" in lines
    assert lines[-1] == "  1 of 9 sentences shown (--sentences)"


def test_a_diff_against_another_run_as_json(pair: Run, capsys: pytest.CaptureFixture[str]) -> None:
    case = ["--configuration", "bf16"]
    assert main(["diff", str(pair.path), str(pair.path), "--corpora", pair.corpora, "--json", *case]) == 0

    baseline, other = json.loads(capsys.readouterr().out)
    assert (baseline["against"], other["against"]) == ("fp32", str(pair.path))
    assert baseline["total"] == {
        "gained_right": 0, "gained_wrong": 0, "lost_right": 9, "lost_wrong": 0, "unscored": 0
    }  # fmt: skip
    assert len(baseline["changes"]) == 9
    assert baseline["changes"][0]["mention"] == "mice"
    assert other["changes"] == []


def test_a_diff_takes_the_corpus_and_a_case_of_the_run(pair: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(pair.path), "--corpora", "bundled"]) == 2
    assert "expected the corpus of the run, found another" in capsys.readouterr().err
    assert main(["diff", str(pair.path), "--corpora", pair.corpora, "--configuration", "int3"]) == 2
    assert "--configuration: expected one of bf16, fp32; found int3" in capsys.readouterr().err


def test_a_diff_takes_the_names_that_compare_takes(
    pair: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ["--store", str(tmp_path / "store")]
    assert main(["accept", str(pair.path), "--unchecked", "--reason", "first", *store]) == 0
    run_id = capsys.readouterr().out.partition(":")[0]
    saved = tmp_path / ".benchmarks" / "machine" / "0001_saved.json"
    saved.parent.mkdir(parents=True)
    shutil.copy(pair.path, saved)
    given = ["--corpora", pair.corpora, "--json", "--configuration", "bf16", *store]

    for name in (run_id, "baseline"):
        assert main(["diff", name, str(pair.path), *given]) == 0
        _, other = json.loads(capsys.readouterr().out)
        assert run_id in other["against"]
        assert other["changes"] == []
    assert main(["diff", run_id, *given]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    # pytest-benchmark saves no spans
    assert main(["diff", "0001", str(pair.path), *given]) == 0
    _, other = json.loads(capsys.readouterr().out)
    assert other["against"].endswith("0001_saved.json")
    assert "expected the file" in other["reason"]


def test_a_diff_of_names_of_no_run(pair: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(tmp_path / "store"), "--corpora", pair.corpora]
    for given, said in (
        (["no-such-run"], "which is none of them"),
        (["baseline"], "expected NEW behind baseline"),
        (["baseline", str(pair.path)], "expected a baseline of the machine of"),
    ):
        assert main(["diff", *given, *store]) == 2
        assert said in capsys.readouterr().err
