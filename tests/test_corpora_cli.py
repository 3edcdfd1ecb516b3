from __future__ import annotations

import argparse
import io
import json
import re

from pathlib import Path

import pytest

from rich.console import Console

from corpora.synthetic import native
from corpora.synthetic import source
from leanner import corpora_cli
from leanner.corpora.merge import MergedCorpus
from leanner.corpora.native import CorpusError
from leanner.types import Label


CORPUS = MergedCorpus(
    [
        source(
            "bioid",
            [
                native(
                    "The siGli1 mouse.",
                    (6, 10, Label.GENE),
                    (4, 10, Label.GENE),
                    labels=frozenset({Label.GENE, Label.SPECIES}),
                    unmapped=(("GO", 3),),
                )
            ],
        ),
        source("sourcedata", [native("Cancer in mice.", (0, 6, Label.DISEASE))]),
    ]
)


def leanner(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="leanner")
    corpora_cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["corpora", *arguments])
    return int(args.run(args))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, dict[str, object]]]:
    calls: list[tuple[object, dict[str, object]]] = []

    def load(locations: object, **options: object) -> MergedCorpus:
        calls.append((locations, options))
        return CORPUS

    monkeypatch.setattr(corpora_cli, "load_corpus", load)
    return calls


def test_stats_as_json(loaded: list[tuple[object, dict[str, object]]], capsys: pytest.CaptureFixture[str]) -> None:
    assert leanner("stats", "bundled", "mine=x", "--json", "--sentences", "9", "--on-bad-document", "skip") == 0
    assert loaded == [(["bundled", "mine=x"], {"sentences": 9, "seed": 0, "on_bad_document": "skip"})]
    printed = json.loads(capsys.readouterr().out)
    assert printed["name"] == "bioid+sourcedata"
    assert printed["sha256"] == CORPUS.sha256()
    assert printed["corpora"]["bioid"]["mentions"] == {"GENE": 1, "SPECIES": 0, "DISEASE": None}
    assert printed["corpora"]["bioid"]["overlapping"] == {"GENE": 1}
    assert printed["corpora"]["bioid"]["unmapped"] == {"GO": 3}
    assert printed["total"]["documents"] == 2
    assert printed["bad_documents"] == []


@pytest.mark.usefixtures("loaded")
def test_stats_as_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert leanner("stats") == 0
    printed = capsys.readouterr().out
    lines = (re.split(r" {2,}", line.strip()) for line in printed.splitlines())
    rows = {cells[0]: cells[1:] for cells in lines if len(cells) == 4}
    assert rows["documents"] == ["1", "1", "2"]
    assert rows["DISEASE"] == ["-", "1", "1"]
    assert rows["overlapping"] == ["1", "0", "1"]
    assert "bioid, of other types: GO 3" in printed
    assert CORPUS.sha256() in printed


def test_table_has_thousands_and_every_row() -> None:
    statistics = CORPUS.statistics()
    console = Console(file=io.StringIO(), width=100)
    table = corpora_cli.table([("[a]", statistics.total)])
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    assert "[a]" in console.file.getvalue()
    assert table.row_count == 17


def test_bad_corpus_is_a_message_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object, **__: object) -> MergedCorpus:
        raise CorpusError(Path("a[b].txt"), 3, expected="six columns", found="five", advice="repair it")

    monkeypatch.setattr(corpora_cli, "load_corpus", load)
    assert leanner("stats", "x") == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "a[b].txt:3: expected six columns, found five" in streams.err


def test_fetch_says_where_things_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fetch(names: list[str], to: Path) -> list[Path]:
        return [to / name for name in names]

    monkeypatch.setattr(corpora_cli, "fetch", fetch)
    assert leanner("fetch", "tmvar", "variome", "--to", str(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert f"tmvar: {tmp_path / 'tmvar'}" in printed
    assert f"LEANNER_CORPORA={tmp_path}" in printed


def test_fetch_goes_on_after_a_server_that_is_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fetch(names: list[str], to: Path) -> list[Path]:
        if names == ["bioid"]:
            raise CorpusError(to, None, expected="to download", found="nothing", advice="try again later")
        return [to / name for name in names]

    monkeypatch.setattr(corpora_cli, "fetch", fetch)
    assert leanner("fetch", "--to", str(tmp_path)) == 2
    streams = capsys.readouterr()
    assert streams.out.count("✓") == 4
    assert "try again later" in streams.err


def test_fetch_of_an_unknown_corpus_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert leanner("fetch", "nothing-such") == 2
    assert "found nothing-such" in capsys.readouterr().err
