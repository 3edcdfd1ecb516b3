from __future__ import annotations

import json
import subprocess
import sys

from importlib.metadata import entry_points
from importlib.metadata import version
from pathlib import Path

import pytest

from leanner.cli import main


GOLD = "1|t|Loss of p53 in mice\n1\t8\t11\tp53\tGene\t7157\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])

    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"leanner {version('leanner')}\n"


@pytest.mark.parametrize(
    "arguments", [[], ["no-such-command"], ["corpora"], ["score"], ["export"], ["serve"], ["tag"]], ids=" ".join
)
def test_a_wrong_command_line_is_an_error_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == 2
    assert "usage: leanner" in capsys.readouterr().err


def test_score_returns_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold = tmp_path / "gold.txt"
    gold.write_text(GOLD)

    assert main(["score", str(gold), str(gold), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["strict"]["micro"]["f1"] == 1.0
    assert main(["score", str(gold), str(tmp_path / "missing.txt")]) != 0


def test_corpora_stats_of_the_bundled_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpora", "stats", "bundled", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_the_command_is_installed() -> None:
    (command,) = entry_points(group="console_scripts", name="leanner")
    assert command.load() is main


def test_the_command_line_does_not_wait_for_torch() -> None:
    code = (
        "import sys, leanner.cli\n"
        "try: leanner.cli.main(['--version'])\n"
        "finally: print(sorted({'torch', 'flair', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
