from __future__ import annotations

import json

from pathlib import Path

import pytest

from bench import write_corpus
from leanner.cli import main
from leanner.combinations import combined
from measure.search.made import Clock
from measure.search.made import candidate
from measure.search.made import loader


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A search among two made-up candidates."""
    load = loader(Clock())
    monkeypatch.setattr("leanner.taggers.by_name.load_by_name", lambda *_, **__: load())
    found = (candidate("int8-static+lean", 4), candidate("int8", 9, 2))
    monkeypatch.setattr("leanner.measure.search.space.candidates", lambda _: found)
    corpora = write_corpus(tmp_path / "corpora", 80)
    return ["search", "--corpora", str(corpora), "--lock", "off", "--budget", "1h", "--max-f1-drop", "5"]


def test_a_winner_is_printed_with_the_command_that_takes_it_home(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = tmp_path / "log.jsonl", tmp_path / "out.json"
    assert main([*arguments, "--log", str(log), "--json", str(out)]) == 0

    output = capsys.readouterr().out
    assert "int8-static+lean: " in output
    command = "take it home: leanner export --tagger bundled --configuration int8-static+lean tagger/"
    assert output.splitlines()[-1] == command
    assert combined("int8-static+lean").passes
    assert json.loads(out.read_text())["winner"]["configuration"] == "int8-static+lean"

    assert main([*arguments, "--replay", str(log)]) == 0
    assert capsys.readouterr().out == output
    assert main([*arguments, "--resume", str(log)]) == 0
    assert capsys.readouterr().out == output
    assert main([*arguments, "--resume", str(log), "--seed", "1"]) == 2
    assert "seed is 1 and was 0" in capsys.readouterr().err


def test_without_a_winner_the_exit_status_is_1(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("leanner.measure.search.space.candidates", lambda _: (candidate("int8", 9, 2),))
    assert main([*arguments, "--log", str(tmp_path / "log.jsonl")]) == 1
    assert "no confirmed winner for a loss of F1 of at most 5 points" in capsys.readouterr().out


def test_an_interruption_says_how_to_go_on(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("leanner.measure.search.run.try_candidate", interrupt)
        assert main([*arguments, "--log", str(log)]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == f"leanner search: interrupted; --resume {log} goes on"
    assert main([*arguments, "--resume", str(log)]) == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--corpora", "nowhere"), "nowhere: expected "),
        (("--replay", "nothing.jsonl"), "nothing.jsonl: No such file or directory"),
        (("--tagger-labels", "map.toml"), "expected --tagger hf:… beside --tagger-labels, found bundled"),
        (("--sentences", "40"), "expected 20 articles or more in each half of the corpora"),
    ],
)
def test_what_cannot_be_searched_is_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    log = () if "--replay" in more else ("--log", str(tmp_path / "log.jsonl"))
    assert main([*arguments, *log, *more]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("leanner search: ")
    assert message in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--budget", "20"), "expected a time like 90s, 20m or 1h, found '20'"),
        (("--budget", "0s"), "found '0s'"),
        (("--max-f1-drop", "-1"), "expected percentage points of F1, 0 or more, found '-1'"),
        (("--max-f1-drop", "nan"), "found 'nan'"),
        (("--log", "a", "--replay", "b"), "not allowed with argument"),
    ],
)
def test_a_wrong_argument_is_an_error_with_the_usage(
    capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["search", *more])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
