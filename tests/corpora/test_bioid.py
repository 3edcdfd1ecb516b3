"""BioC XML, Bio-ID with its byte offsets, and its table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hypothesis import given

from corpora.writers import Text
from corpora.writers import annotations_csv
from corpora.writers import bioc_xml
from corpora.writers import texts
from leanner.corpora import bioid
from leanner.corpora.bad import BadDocuments
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.types import Label


NATIVES = {
    "Uniprot:P1": "GENE",
    "NCBI gene:1|Uniprot:P1": "GENE",
    "protein:x": "GENE",
    "gene:y": "GENE",
    "NCBI taxon:9606": "SPECIES",
    "organism:z": "SPECIES",
    "GO:0005739": None,
    "CVCL_0030": None,
    "CVCL_6412|CL:1": None,
}
GOOD = [
    Text("1", "α-tubulin in mice.", ((0, 9, "Uniprot:P1"), (13, 17, "NCBI taxon:10090"))),
    Text("2", "siGli1 cells, GO.", ((2, 6, "NCBI gene:1"), (14, 16, "GO:1"))),
    Text("3", "Nothing.", ()),
]
GOOD_SPANS = [[(0, 9, "GENE"), (13, 17, "SPECIES")], [(2, 6, "GENE")], []]


def _read(folder: Path, content: str | bytes, bad: BadDocuments | None = None) -> list[NativeDocument]:
    captions = folder / "caption_bioc"
    captions.mkdir(exist_ok=True)
    (captions / "9.xml").write_bytes(content.encode() if isinstance(content, str) else content)
    (captions / "._9.xml").write_bytes(b"\x00\x05\x16\x07")
    return list(bioid.read(folder, bad or BadDocuments()))


def _spans(document: NativeDocument) -> list[tuple[int, int, str]]:
    return [(mention.start, mention.end, mention.label.value) for mention in document.mentions]


def _expected(document: Text) -> list[tuple[int, int, str]]:
    return [(s, e, label) for s, e, native in document.mentions if (label := NATIVES[native]) is not None]


@given(texts(list(NATIVES)))
def test_byte_offsets_round_trip(documents: list[Text]) -> None:
    with TemporaryDirectory() as folder:
        read = _read(Path(folder), bioc_xml(documents, "bytes"))
    assert [(d.id, d.article, d.text) for d in read] == [(d.name, f"9{d.name}", d.text) for d in documents]
    for document, written in zip(read, documents, strict=True):
        assert _spans(document) == _expected(written)
        assert document.labels == {Label.GENE, Label.SPECIES}
        unmapped = sum(NATIVES[native] is None for *_, native in written.mentions)
        assert sum(count for _, count in document.unmapped) == unmapped


@given(texts(list(NATIVES)))
def test_the_table_says_the_same(documents: list[Text]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        annotated = _read(folder, bioc_xml(documents, "bytes"))
        (folder / "caption_bioc").rename(folder / "hidden")
        captions = folder / "caption_bioc_unannotated"
        captions.mkdir()
        (captions / "9.xml").write_text(bioc_xml(documents, "bytes", annotated=False), encoding="utf-8")
        (folder / "annotations.csv").write_text(annotations_csv(documents), encoding="utf-8", newline="")
        assert bioid.recognise(folder)
        read = list(bioid.read(folder, BadDocuments()))
    assert [replace(document, path=Path()) for document in annotated] == [
        replace(document, path=Path(), line=annotated[number].line) for number, document in enumerate(read)
    ]


def test_go_is_no_gene(tmp_path: Path) -> None:
    _, second, _ = _read(tmp_path, bioc_xml(GOOD, "bytes"))
    assert _spans(second) == [(2, 6, "GENE")]
    assert second.unmapped == (("GO", 1),)


def _line_of(content: str, piece: str) -> int:
    assert content.count(piece) == 1
    return content[: content.index(piece)].count("\n") + 1


XML = bioc_xml(GOOD, "bytes")


@pytest.mark.parametrize(
    ("old", "new", "expected", "found"),
    [
        ('offset="7" length="10"', 'offset="7" length="99"', "byte offsets at the border", "byte 99"),
        ('offset="7" length="10"', 'offset="8" length="9"', "byte offsets at the border", "byte 1"),
        ('offset="7" length="10"', 'offset="7" length="0"', "a location within the 18 characters", "start=0, end=0"),
        ('offset="9" length="4"', 'offset="0" length="4"', "a location within the 17 characters", "start=-7"),
        ('offset="9" length="4"', 'offset="9" length="four"', "a whole number as length", "'four'"),
    ],
)
def test_a_bad_location(tmp_path: Path, old: str, new: str, expected: str, found: str) -> None:
    line = _line_of(XML, old)
    broken = XML.replace(old, new)
    with pytest.raises(CorpusError, match=rf"9\.xml:{line}: expected {expected}.*found {found}"):
        _read(tmp_path, broken)
    bad = BadDocuments("skip")
    assert len(_read(tmp_path, broken, bad)) == 2
    assert [error.line for error in bad.errors] == [line]


@pytest.mark.parametrize(
    ("old", "new", "expected", "found"),
    [
        ("<text>Gli1</text>", "<text>Gli2</text>", "'Gli2' at 2-6", "'Gli1'"),
        (">NCBI gene:1<", ">Ensembl:1<", "a label of Bio-ID", "the label 'Ensembl'"),
    ],
)
def test_a_bad_annotation(tmp_path: Path, old: str, new: str, expected: str, found: str) -> None:
    line = 1 + max(
        number for number, text in enumerate(XML[: XML.index(old)].split("\n")) if text.strip().startswith("<annot")
    )
    with pytest.raises(CorpusError, match=rf"9\.xml:{line}: expected {expected}.*found {found}"):
        _read(tmp_path, XML.replace(old, new))


def test_a_repeated_id_across_files(tmp_path: Path) -> None:
    _read(tmp_path, XML)
    (tmp_path / "caption_bioc" / "a.xml").write_text(bioc_xml(GOOD[1:2], "bytes"), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"a\.xml:\d+: expected each document id once, found '2' again"):
        list(bioid.read(tmp_path, BadDocuments()))


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_truncated_xml_keeps_what_was_complete(tmp_path: Path, cut: float) -> None:
    broken = XML[: int(len(XML) * cut)]
    bad = BadDocuments("skip")
    read = _read(tmp_path, broken, bad)
    assert len(read) == broken.count("</document>")
    [error] = bad.errors
    assert (error.line, error.expected) == (broken.count("\n") + 1, "well-formed XML")
    assert "cut off" in error.found


def test_malformed_xml_names_its_line(tmp_path: Path) -> None:
    broken = XML.replace("<text>Gli1</text>", "<text>Gli1</texts>")
    line = _line_of(XML, "<text>Gli1</text>")
    with pytest.raises(CorpusError, match=rf"9\.xml:{line}: expected well-formed XML, found mismatched tag"):
        _read(tmp_path, broken)


def test_wrong_encoding_names_its_line(tmp_path: Path) -> None:
    line = _line_of(XML, "<text>siGli1 cells, GO.</text>")
    broken = XML.encode().replace(b"siGli1 cells", b"siGli\xe9 cells")
    bad = BadDocuments("skip")
    assert [document.id for document in _read(tmp_path, broken, bad)] == ["1"]
    assert [(error.line, error.expected, error.found) for error in bad.errors] == [(line, "UTF-8", "byte 0xe9")]


@pytest.mark.parametrize(
    "declaration",
    ['<!ENTITY a "lol">', '<!ENTITY a SYSTEM "file:///etc/hostname">', '<!ENTITY % a "lol">'],
)
def test_entities_are_refused(tmp_path: Path, declaration: str) -> None:
    body = "<collection><document><id>1</id></document></collection>"
    with pytest.raises(CorpusError, match=r"9\.xml:2: expected BioC XML without entity declarations, found the entity"):
        _read(tmp_path, f'<?xml version="1.0"?>\n<!DOCTYPE collection [{declaration}]>\n{body}')


def test_a_document_type_is_not_fetched(tmp_path: Path) -> None:
    declared = XML.replace(
        "<collection>", '<!DOCTYPE collection SYSTEM "https://example.invalid/BioC.dtd">\n<collection>'
    )
    assert len(_read(tmp_path, declared)) == 3


def test_other_xml(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"9\.xml:2: expected BioC XML \(<collection>\), found <article>"):
        _read(tmp_path, "<?xml version='1.0'?>\n<article/>")


def test_the_table_without_captions(tmp_path: Path) -> None:
    (tmp_path / "annotations.csv").write_text("x\n")
    assert not bioid.recognise(tmp_path)
    with pytest.raises(CorpusError, match=r"found annotations\.csv without the captions"):
        list(bioid.read(tmp_path, BadDocuments()))


@pytest.mark.parametrize(
    ("change", "line", "expected", "found"),
    [
        (("first left", "left"), 1, "the columns", "none named first left"),
        ((",0,9,", ",0,99,"), 2, "offsets with 0 <= start < end <= 18", "start=0, end=99"),
        ((",13,17,", ",12,16,"), 3, "'mice' at 12-16", "' mic'"),
        ((",13,17,", ",13,"), 3, "17 columns", "16"),
        ((",13,17,", ",13,x,"), 3, "a whole number as last right", "'x'"),
    ],
)
def test_a_bad_table(tmp_path: Path, change: tuple[str, str], line: int, expected: str, found: str) -> None:
    captions = tmp_path / "caption_bioc_unannotated"
    captions.mkdir()
    (captions / "9.xml").write_text(bioc_xml(GOOD, "bytes", annotated=False), encoding="utf-8")
    table = annotations_csv(GOOD)
    assert table.count(change[0]) == 1
    (tmp_path / "annotations.csv").write_text(table.replace(*change), encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"annotations\.csv:{line}: expected {expected}.*found {found}"):
        list(bioid.read(tmp_path, BadDocuments()))


def test_a_bad_row_of_the_table_costs_its_caption(tmp_path: Path) -> None:
    captions = tmp_path / "caption_bioc_unannotated"
    captions.mkdir()
    (captions / "9.xml").write_text(bioc_xml(GOOD, "bytes", annotated=False), encoding="utf-8")
    table = annotations_csv(GOOD).encode().replace(b",mice,", b",m\xedce,").replace(b",2,6,", b",2,")
    (tmp_path / "annotations.csv").write_bytes(table)
    bad = BadDocuments("skip")
    assert [document.id for document in bioid.read(tmp_path, bad)] == ["3"]
    assert [(error.line, error.found) for error in bad.errors] == [(3, "byte 0xed"), (4, "16")]


def test_rows_without_a_caption(tmp_path: Path) -> None:
    captions = tmp_path / "caption_bioc_unannotated"
    captions.mkdir()
    (captions / "9.xml").write_text(bioc_xml(GOOD[:1], "bytes", annotated=False), encoding="utf-8")
    table = annotations_csv(GOOD)
    (tmp_path / "annotations.csv").write_text(table, encoding="utf-8")
    assert len(list(bioid.read(tmp_path, BadDocuments()))) == 1, "the other articles are not there at all"
    (tmp_path / "annotations.csv").write_text(table.replace("92,Figure_1", "91,Figure_2"), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"csv:4: expected the caption of Figure_2 of article 91, found none"):
        list(bioid.read(tmp_path, BadDocuments()))


def test_captions_without_annotations_take_the_table(tmp_path: Path) -> None:
    bare = bioc_xml(GOOD, "bytes", annotated=False)
    (tmp_path / "annotations.csv").write_text(annotations_csv(GOOD), encoding="utf-8")
    assert [_spans(document) for document in _read(tmp_path, bare)] == GOOD_SPANS


def test_the_figure_and_the_doi_of_a_caption(tmp_path: Path) -> None:
    directory = '<infon key="sourcedata_figure_dir">Figure_1</infon>'
    bare = bioc_xml(GOOD, "bytes", annotated=False)
    assert bare.count(directory) == len(GOOD)
    content = bare.replace(directory, '<infon key="figure">Figure 1</infon><infon key="doi">10.1/x</infon>')
    (tmp_path / "annotations.csv").write_text(annotations_csv(GOOD), encoding="utf-8")
    read = _read(tmp_path, content)
    assert [_spans(document) for document in read] == GOOD_SPANS
    assert {document.doi for document in read} == {"10.1/x"}
    (tmp_path / "annotations.csv").unlink()
    assert {document.doi for document in _read(tmp_path, content)} == {"10.1/x"}
    assert {document.doi for document in _read(tmp_path, bare)} == {None}
