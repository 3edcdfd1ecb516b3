"""BRAT stand-off, and Variome."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hypothesis import given

from corpora.writers import Text
from corpora.writers import brat
from corpora.writers import texts
from leanner.corpora import variome
from leanner.corpora.bad import BadDocuments
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.types import Label


ONE, TWO = "1-01-Abstract-p01", "2-03-Results-p02"
GOOD = [
    Text(ONE, "Loss of MLH1 in\ncolon cancer.\n", ((8, 12, "gene"), (16, 28, "disease"))),
    Text(TWO, "Nothing here.", ()),
]


def _named(documents: list[Text]) -> list[Text]:
    return [Text(f"{text.name}-01-Abstract-p01", text.text, text.mentions) for text in documents]


def _spans(document: NativeDocument) -> list[tuple[int, int, str]]:
    return [(mention.start, mention.end, mention.label.value) for mention in document.mentions]


@given(texts(["gene", "disease", "Disorder", "mutation"]))
def test_round_trip(documents: list[Text]) -> None:
    labels = {"gene": "GENE", "disease": "DISEASE", "Disorder": "DISEASE"}
    with TemporaryDirectory() as folder:
        brat(Path(folder) / "data", _named(documents))
        read = list(variome.read(Path(folder), BadDocuments()))
    for document, written in zip(read, documents, strict=True):
        assert (document.article, document.text) == (written.name, written.text)
        assert _spans(document) == [(s, e, labels[native]) for s, e, native in written.mentions if native in labels]
        assert document.labels == {Label.GENE, Label.DISEASE}


def test_line_ends_are_characters_of_the_text(tmp_path: Path) -> None:
    brat(tmp_path / "data", [Text(ONE, "a\r\nMLH1\r\n", ((3, 7, "gene"),))])
    [document] = variome.read(tmp_path, BadDocuments())
    assert document.text == "a\r\nMLH1\r\n"
    assert _spans(document) == [(3, 7, "GENE")]


@pytest.mark.parametrize(
    ("line", "spans", "unmapped"),
    [
        ("T1\tdisease 16 21;22 28\tcolon cancer", [(16, 28, "DISEASE")], {}),
        ("T1\tdisease 8 15;16 21\tMLH1 in colon", [(8, 21, "DISEASE")], {}),
        ("T1\tdisease 8 12;16 21\tMLH1 colon", [], {"disease (discontinuous)": 1}),
        ("T1\tdisease 16 21;8 12\tcolon MLH1", [], {"disease (discontinuous)": 1}),
        ("T1\tsize 8 12;16 21\tMLH1 colon", [], {"size": 1}),
    ],
)
def test_mentions_in_pieces(
    tmp_path: Path, line: str, spans: list[tuple[int, int, str]], unmapped: dict[str, int]
) -> None:
    brat(tmp_path / "data", GOOD[:1])
    (tmp_path / "data" / f"{ONE}.ann").write_text(line + "\n")
    [document] = variome.read(tmp_path, BadDocuments())
    assert _spans(document) == spans
    assert dict(document.unmapped) == unmapped


@pytest.mark.parametrize(
    ("line", "expected", "found"),
    [
        ("T2\tgene 8 12", "3 tab-separated columns", "2"),
        ("T2\tgene 8 99\tMLH1", "offsets with 0 <= start < end <= 30", "start=8, end=99"),
        ("T2\tgene 8 8\t", "offsets with 0 <= start < end", "start=8, end=8"),
        ("T2\tgene 7 11\tMLH1", "'MLH1' at 7 11", "' MLH'"),
        ("T2\tprotein 8 12\tMLH1", "a label of Variome", "the label 'protein'"),
        ("T2\tgene eight\tMLH1", "label, start and end", "'gene eight'"),
        ("2\tgene 8 12\tMLH1", "3 tab-separated columns", "3"),
    ],
)
def test_a_bad_line(tmp_path: Path, line: str, expected: str, found: str) -> None:
    brat(tmp_path / "data", GOOD)
    (tmp_path / "data" / f"{ONE}.ann").write_text(f"T1\tgene 8 12\tMLH1\n\n{line}\n")
    with pytest.raises(CorpusError, match=rf"{ONE}\.ann:3: expected {expected}.*found {found}"):
        list(variome.read(tmp_path, BadDocuments()))
    bad = BadDocuments("skip")
    assert [document.id for document in variome.read(tmp_path, bad)] == [TWO]
    assert len(bad.errors) == 1


def test_a_text_without_annotations_is_an_error(tmp_path: Path) -> None:
    brat(tmp_path / "data", GOOD)
    (tmp_path / "data" / f"{TWO}.ann").unlink()
    bad = BadDocuments("skip")
    assert [document.id for document in variome.read(tmp_path, bad)] == [ONE]
    assert bad.errors[0].path.name == f"{TWO}.ann"


def test_wrong_encoding_names_its_line(tmp_path: Path) -> None:
    brat(tmp_path / "data", GOOD)
    (tmp_path / "data" / f"{ONE}.txt").write_bytes(b"Loss of MLH1 in\ncol\xf3n cancer.\n")
    with pytest.raises(CorpusError, match=rf"{ONE}\.txt:2: expected UTF-8, found byte 0xf3"):
        list(variome.read(tmp_path, BadDocuments()))


def test_recognised_by_names_and_annotations(tmp_path: Path) -> None:
    assert not variome.recognise(tmp_path)
    brat(tmp_path / "data", [Text("report", "Some text.")])
    assert not variome.recognise(tmp_path)
    with pytest.raises(CorpusError, match="expected Variome"):
        list(variome.read(tmp_path, BadDocuments()))
    brat(tmp_path / "data", GOOD)
    assert variome.recognise(tmp_path)


def test_annotations_without_a_text_are_an_error(tmp_path: Path) -> None:
    brat(tmp_path / "data", GOOD)
    (tmp_path / "data" / f"{TWO}.txt").unlink()
    with pytest.raises(
        CorpusError, match=rf"{TWO}\.txt: expected the text that {TWO}\.ann annotates, found no such file"
    ):
        list(variome.read(tmp_path, BadDocuments()))
    bad = BadDocuments("skip")
    assert [document.id for document in variome.read(tmp_path, bad)] == [ONE]
    assert len(bad.errors) == 1
