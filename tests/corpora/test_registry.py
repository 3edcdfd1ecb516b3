"""Which corpora lie where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corpora.writers import Text
from corpora.writers import bioc_xml
from corpora.writers import brat
from corpora.writers import medmentions
from corpora.writers import pubtator
from corpora.writers import token_rows
from leanner.corpora.bad import BadDocuments
from leanner.corpora.native import CorpusError
from leanner.corpora.registry import READERS
from leanner.corpora.registry import read_corpus
from leanner.corpora.registry import recognise_all


if TYPE_CHECKING:
    from pathlib import Path


TEXT = Text("1", "MLH1 in mice", (), 4)


@pytest.fixture
def five(tmp_path: Path) -> Path:
    """A folder with all five corpora, and things beside them that are none."""
    (tmp_path / "BioIDtraining_2" / "caption_bioc").mkdir(parents=True)
    (tmp_path / "BioIDtraining_2" / "caption_bioc" / "1.xml").write_text(bioc_xml([TEXT], "bytes"))
    medmentions(tmp_path / "deep" / "MedMentions-master", [TEXT])
    (tmp_path / "tmvar").mkdir()
    (tmp_path / "tmvar" / "tmVar3Corpus.txt").write_text(pubtator([TEXT]))
    release = tmp_path / "sourcedata" / "token_classification" / "ner" / "v2.0.3"
    release.mkdir(parents=True)
    (release / "train.jsonl").write_text(token_rows([TEXT]))
    brat(tmp_path / "variome" / "data", [Text("1-01-Abstract-p01", "Text.")])
    for left_out in ("training", ".cache"):
        (tmp_path / left_out).mkdir()
        (tmp_path / left_out / "tmVar3Corpus.txt").write_text(pubtator([TEXT]))
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "tmvar3.txt").write_text(pubtator([TEXT]))
    (tmp_path / "notes.txt").write_text("no corpus")
    return tmp_path


def test_all_five_are_found_and_nothing_else(five: Path) -> None:
    assert recognise_all(five) == [
        ("bioid", five / "BioIDtraining_2"),
        ("medmentions", five / "deep" / "MedMentions-master"),
        ("sourcedata", five / "sourcedata"),
        ("tmvar", five / "tmvar"),
        ("variome", five / "variome"),
    ]
    assert list(READERS) == [name for name, _ in recognise_all(five)]


def test_a_corpus_is_read_from_its_folder_or_one_above(five: Path) -> None:
    for name, folder in recognise_all(five):
        there = list(read_corpus(name, folder, BadDocuments()))
        assert len(there) == 1
        assert list(read_corpus(name, five, BadDocuments())) == there


@pytest.mark.parametrize(("name", "folder"), [("tmvar", "variome"), ("variome", "tmvar"), ("bioid", "deep")])
def test_a_folder_that_is_another_corpus(five: Path, name: str, folder: str) -> None:
    other = recognise_all(five / folder)[0][0]
    with pytest.raises(CorpusError, match=rf"{folder}: expected {name} \(.*\), found another corpus: {other} in"):
        list(read_corpus(name, five / folder, BadDocuments()))


def test_no_corpus_and_too_many(five: Path) -> None:
    with pytest.raises(CorpusError, match=r"predictions: expected tmvar .*found no corpus"):
        list(read_corpus("tmvar", five / "predictions", BadDocuments()))
    with pytest.raises(CorpusError, match="found no such folder"):
        list(read_corpus("tmvar", five / "missing", BadDocuments()))
    (five / "copy").mkdir()
    (five / "copy" / "tmVar3Corpus.txt").write_text(pubtator([TEXT]))
    with pytest.raises(CorpusError, match="found 2 of them"):
        list(read_corpus("tmvar", five, BadDocuments()))
