from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import strict_json
from bench import write_corpus
from leanner.cli import main
from leanner.peers.names import ENGINES
from leanner.peers.names import LEAN
from leanner.peers.result import Peers
from leanner.peers.result import Rates
from leanner.report.record import CorpusInfo
from peers.test_table import row


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the comparison was asked for; it is not made."""
    found: dict[str, Any] = {}

    def bench_peers(subject: Any, load: Any, names: Any, **options: Any) -> Peers:  # noqa: ANN401 - looked at below
        found.update(subject=subject, load=load, names=names, **options)
        options["say"]("round 1 of 7")
        info = CorpusInfo("made up", "0" * 64, 48, 400, 72, 24)
        return Peers(
            (row("flair"),), "bundled", "0" * 64, info, 10, None, Rates("made up", None, 1e11), {"threads": 1}, {}, 0
        )

    monkeypatch.setattr("leanner.peers.running.bench_peers", bench_peers)
    return found


def test_it_prints_a_table_and_writes_json(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, out = write_corpus(tmp_path / "tmvar"), tmp_path / "peers.json"
    arguments = ["--corpora", str(corpus), "--round-sentences", "10", "--rounds", "7", "--lock", "off"]
    assert main(["bench-peers", *arguments, "--json", str(out)]) == 0
    output = capsys.readouterr()
    assert "leanner bench-peers" in output.out
    # Who waits for minutes, and not at a terminal, is told for what.
    assert output.err == "round 1 of 7\n"
    assert strict_json(out)["rows"][0]["name"] == "flair"
    assert (asked["names"], asked["rounds"], asked["engines"], asked["seed"]) == (LEAN, 7, ENGINES, 0)
    assert asked["subject"].info.sentences == 48
    assert 10 <= asked["subject"].timed.sentences < 48


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--configurations", "int9"], "--configurations: expected one of fp32, .*, found 'int9'"),
        (["--configurations", "lean", "int8"], "expected configurations in the lean runtime, .* found int8"),
        (["--corpora", "nowhere"], "nowhere"),
        (["--corpora", "bundled", "--tagger", "nothing.pt"], "found no file 'nothing.pt'"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    import re

    assert main(["bench-peers", "--lock", "off", "--sentences", "20", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert re.search(message, line)


@pytest.mark.usefixtures("asked")
def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--corpora", str(write_corpus(tmp_path / "tmvar")), "--lock", "off"]
    assert main(["bench-peers", *arguments, "--json", str(tmp_path / "no" / "peers.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("engines", [(), ("openvino-int8",)])
def test_engines_may_be_left_out(asked: dict[str, Any], tmp_path: Path, engines: tuple[str, ...]) -> None:
    arguments = ["--corpora", str(write_corpus(tmp_path / "tmvar")), "--lock", "off", "--engines", *engines]
    assert main(["bench-peers", *arguments]) == 0
    assert tuple(asked["engines"]) == engines


@pytest.mark.parametrize("arguments", [["--rounds", "1"], ["--sentences", "0"], ["--round-sentences", "few"]])
def test_numbers_that_make_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench-peers", *arguments])
    assert caught.value.code == 2
    assert "expected a whole number of" in capsys.readouterr().err
