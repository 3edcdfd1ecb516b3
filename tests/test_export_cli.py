from __future__ import annotations

import re

from typing import TYPE_CHECKING

import pytest

from leanner.cli import main
from leanner.export.lean import Lean
from leanner.passes.calibration import text
from leanner.types import Label
from taggers.engines.engines import EACH
from taggers.hf.checkpoints import save_bert


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _short_check(monkeypatch: pytest.MonkeyPatch) -> None:
    few = text.calibration_text(2)
    monkeypatch.setattr("leanner.export.write.calibration_text", lambda: few)


def test_it_writes_what_can_be_loaded(shaped_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["export", "--tagger", str(shaped_file), "--configuration", "lean-int8", str(out)]
    assert main(arguments) == 0
    output = capsys.readouterr()
    assert output.out.startswith(f"{out}: {shaped_file} in lean-int8, ")
    assert output.err == ""
    lean = Lean.load(out)
    assert (lean.name, lean.manifest.configuration) == (str(shaped_file), "lean-int8")

    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"leanner export: expected an empty folder or none at {out}, found an export")
    assert main([*arguments, "--force"]) == 0


def test_a_combination_is_exported_as_a_search_names_it(shaped_file: Path, tmp_path: Path) -> None:
    name = "ffn-ls-50:share=0.25+int8+lean:batch_tokens=512"
    assert main(["export", "--tagger", str(shaped_file), "--configuration", name, str(tmp_path / "out")]) == 0
    manifest = Lean.load(tmp_path / "out").manifest
    assert (manifest.configuration, manifest.runtime.batch_tokens) == (name, 512)
    assert [each["name"] for each in manifest.passes] == ["ffn-pruning", "int8-dynamic", "lean-runtime"]


def test_what_differs_from_the_measured_case_is_said(
    shaped_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--tagger", str(shaped_file), "--configuration", "fp32", str(tmp_path / "out")]
    assert main(["export", *arguments]) == 0
    assert "fp32 was measured in Flair, this is the lean runtime" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("configuration", "tagger", "message"),
    [
        ("int9", "bundled", "--configuration: expected one of fp32, bf16, .*, found 'int9'"),
        ("lean:size=1", "bundled", "--configuration: lean:size=1: expected one of batch_tokens, .* found 'size=1'"),
        ("int8+int8-static", "bundled", "int8 twice: the weights are int8 already"),
        ("lean", "nothing.pt", "found no file 'nothing.pt'"),
        ("lean-fp16", "bundled", "lean-fp16 cannot run here: float16 needs CUDA, found cpu"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], configuration: str, tagger: str, message: str
) -> None:
    assert main(["export", "--tagger", tagger, "--configuration", configuration, str(tmp_path / "out")]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert re.search(message, line)
    assert not any(tmp_path.iterdir())


def test_a_checkpoint_of_transformers_with_its_label_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, labels, out = save_bert(tmp_path / "checkpoint"), tmp_path / "labels.toml", tmp_path / "out"
    labels.write_text('[labels]\nGene = "ignore"\n', encoding="utf-8")
    given = ["--tagger-labels", str(labels), "--configuration", "lean-int8", str(out)]
    assert main(["export", *given]) == 2
    assert "expected --tagger hf:… beside --tagger-labels, found bundled" in capsys.readouterr().err
    assert main(["export", "--tagger", f"hf:{folder}", *given]) == 0
    assert Lean.load(out).labels == {Label.SPECIES, Label.DISEASE}


def test_an_engine_that_is_missing_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("leanner.passes.engines.missing_packages", lambda engine: f"{engine} needs nncf: pip install")
    assert main(["export", "--configuration", "openvino-int8", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "leanner export: openvino-int8 cannot run here: openvino needs nncf: pip install"
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("engine", EACH)
def test_what_an_engine_runs_tags_as_others_do(
    engine: str, shaped_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("Loss of PTEN is common in glioma.\nMouse p53 suppresses tumours.\n", encoding="utf-8")
    found = []
    for name in (f"{engine}-fp32", "lean"):
        out = str(tmp_path / name)
        assert main(["export", "--tagger", str(shaped_file), "--configuration", name, out]) == 0
        assert capsys.readouterr().out.startswith(f"{out}: {shaped_file} in {name}, ")
        assert main(["tag", str(lines), "--lines", "--model", out]) == 0
        found.append(capsys.readouterr().out)
    assert found[0] == found[1]
    assert found[0].count('"begin"') > 0


def test_a_folder_that_cannot_be_written(shaped_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    arguments = ["--tagger", str(shaped_file), "--configuration", "lean", str(tmp_path / "file" / "out")]
    assert main(["export", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
