from __future__ import annotations

import argparse
import json

from typing import TYPE_CHECKING

import pytest

from leanner import score_cli


if TYPE_CHECKING:
    from pathlib import Path

GOLD = "1|t|Loss of p53 in mice\n1\t8\t11\tp53\tGene\t7157\n1\t15\t19\tmice\tSpecies\t10090\n"
PREDICTED = "1|t|Loss of p53 in mice\n1\t8\t11\tp53\tgene\n1\t14\t19\t mice\tspecies\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    gold, predicted = tmp_path / "gold.txt", tmp_path / "predicted.txt"
    gold.write_text(GOLD)
    predicted.write_text(PREDICTED)
    return gold, predicted


def score(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    score_cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["score", *map(str, arguments)])
    return int(args.run(args))


def test_json_is_strict_unless_asked(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert score(*files, "--json") == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert output.err == ""
    assert list(result) == ["strict"]
    assert result["strict"]["micro"] == {"tp": 1, "fp": 1, "fn": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert result["strict"]["DISEASE"]["f1"] is None

    assert score(*files, "--json", "--match", "relaxed") == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result) == ["relaxed"]
    assert result["relaxed"]["micro"]["f1"] == 1.0


def test_table(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert score(*files) == 0

    output = capsys.readouterr().out
    rows = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in output.splitlines() if "│" in line}
    assert [cell.strip() for cell in rows["GENE"]] == ["1", "0", "0", "1.0000", "1.0000", "1.0000"]
    assert [cell.strip() for cell in rows["SPECIES"]] == ["0", "1", "1", "0.0000", "0.0000", "0.0000"]
    assert [cell.strip() for cell in rows["DISEASE"]] == ["0", "0", "0", "-", "-", "-"]
    assert "strict match" in output
    assert "-: nothing to divide by" in output


def test_a_missing_document_is_said_on_stderr(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    gold, predicted = files
    gold.write_text(GOLD + "\n2|t|p63\n2\t0\t3\tp63\tGene\n")

    assert score(gold, predicted, "--json") == 0

    output = capsys.readouterr()
    assert json.loads(output.out)["strict"]["GENE"]["fn"] == 1
    assert f"1 document (2) only in {gold}: all mentions there count as missed" in output.err


def test_a_bad_line_ends_with_2_and_its_place(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    gold, predicted = files
    predicted.write_text(PREDICTED + "1\t8\n")

    assert score(gold, predicted) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"leanner score: {predicted}:4: expected ")
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("name", ["absent.txt", "."])
def test_a_file_that_cannot_be_opened(
    files: tuple[Path, Path], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(tmp_path / name, files[1]) == 2
    assert f"{tmp_path / name}: cannot be read: " in capsys.readouterr().err


def test_gold_without_documents(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    files[0].write_text("\n")

    assert score(*files) == 2
    assert f"{files[0]}:1: expected PubTator documents, found none" in capsys.readouterr().err


def test_an_unknown_match_is_refused(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        score(*files, "--match", "fuzzy")

    assert caught.value.code == 2
    assert "'relaxed'" in capsys.readouterr().err
