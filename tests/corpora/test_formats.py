"""A user's own corpus in four formats, with and without a label map."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hypothesis import given
from hypothesis import strategies as st

from corpora.writers import Text
from corpora.writers import bioc_xml
from corpora.writers import brat
from corpora.writers import conll
from corpora.writers import pubtator
from corpora.writers import texts
from leanner.corpora.bad import BadDocuments
from leanner.corpora.formats import read_custom
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.types import Label


FORMATS = ("pubtator", "brat", "bioc", "conll")
MAP = '[labels]\nProtein = "GENE"\norganism = "SPECIES"\n"cell line" = "ignore"\n'
GOOD = [Text("1", "MLH1 in mice", ((0, 4, "Protein"), (8, 12, "organism")), 4), Text("2", "None here", (), 4)]


def _write(folder: Path, form: str, documents: list[Text]) -> Path:
    folder.mkdir(exist_ok=True)
    match form:
        case "pubtator":
            (folder / "mine.txt").write_bytes(pubtator(documents).encode())
            return folder / "mine.txt"
        case "brat":
            brat(folder / "sub", documents)
            return folder / "sub" / f"{documents[0].name}.txt"
        case "bioc":
            (folder / "mine.xml").write_bytes(bioc_xml(documents, "characters").encode())
            return folder / "mine.xml"
        case _:
            (folder / "mine.conll").write_bytes(conll(documents).encode())
            return folder / "mine.conll"


def _read(path: Path, bad: BadDocuments | None = None) -> list[NativeDocument]:
    return list(read_custom("mine", path, bad or BadDocuments()))


def _spans(document: NativeDocument) -> list[tuple[int, int, str]]:
    return [(mention.start, mention.end, mention.label.value) for mention in document.mentions]


@given(st.data(), st.sampled_from(FORMATS))
def test_round_trip(data: st.DataObject, form: str) -> None:
    labels = {"Protein": "GENE", "organism": "SPECIES"}
    documents = data.draw(texts(list(labels), on_words=form == "conll"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, form, documents)
        (folder / "labels.toml").write_text(MAP)
        read = _read(folder)
    names = [f"sub/{document.name}" if form == "brat" else document.name for document in documents]
    assert [(document.id, document.article, document.text) for document in read] == [
        (name, name, document.text) for name, document in zip(names, documents, strict=True)
    ]
    for document, written in zip(read, documents, strict=True):
        assert _spans(document) == [(start, end, labels[native]) for start, end, native in written.mentions]
        assert document.labels == {Label.GENE, Label.SPECIES}


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_by_itself(tmp_path: Path, form: str) -> None:
    path = _write(tmp_path, form, GOOD)
    (path.parent / "labels.toml").write_text(MAP)
    read = _read(path)
    assert _spans(read[0]) == [(0, 4, "GENE"), (8, 12, "SPECIES")]
    assert len(read) == (1 if form == "brat" else 2)


@pytest.mark.parametrize("form", FORMATS)
def test_names_like_ours_map_by_themselves(tmp_path: Path, form: str) -> None:
    _write(tmp_path, form, [Text("1", "MLH1 in mice", ((0, 4, "Gene"), (8, 12, "SPECIES")), 4)])
    [document] = _read(tmp_path)
    assert _spans(document) == [(0, 4, "GENE"), (8, 12, "SPECIES")]
    assert document.labels == {Label.GENE, Label.SPECIES}


@pytest.mark.parametrize(("form", "line"), [("pubtator", 3), ("brat", 1), ("bioc", 14), ("conll", 2)])
def test_an_unmapped_label_is_named_with_its_map(tmp_path: Path, form: str, line: int) -> None:
    _write(tmp_path, form, GOOD)
    toml = tmp_path / "labels.toml"
    with pytest.raises(CorpusError, match=rf'label \'Protein\'; add Protein = "GENE" .* under \[labels\] in {toml}'):
        _read(tmp_path)
    toml.write_text('[labels]\norganism = "SPECIES"\n')
    with pytest.raises(
        CorpusError, match=rf"expected a label of {toml} \(organism\), found the label 'Protein'"
    ) as info:
        _read(tmp_path)
    if form != "bioc":
        assert info.value.line == line
    bad = BadDocuments("skip")
    assert [document.id[-1] for document in _read(tmp_path, bad)] == ["2"]
    assert len(bad.errors) == 1


def test_what_the_map_says_is_annotated(tmp_path: Path) -> None:
    _write(tmp_path, "pubtator", GOOD)
    (tmp_path / "labels.toml").write_text(f'annotated = ["DISEASE"]\nformat = "pubtator"\n{MAP}')
    assert {document.labels for document in _read(tmp_path)} == {frozenset({Label.DISEASE})}


def test_bioc_offsets_in_bytes(tmp_path: Path) -> None:
    documents = [Text("1", "β MLH1", ((2, 6, "Gene"),))]
    (tmp_path / "mine.xml").write_bytes(bioc_xml(documents, "bytes").encode())
    with pytest.raises(CorpusError, match="say what its offsets count"):
        _read(tmp_path)
    (tmp_path / "labels.toml").write_text('offsets = "bytes"\n')
    assert _spans(_read(tmp_path)[0]) == [(2, 6, "GENE")]


def test_bioc_passages_and_sentences(tmp_path: Path) -> None:
    def annotated(text: str, offset: int, surface: str, at: int) -> str:
        location = f'<location offset="{at}" length="{len(surface)}"/>'
        annotation = f'<annotation id="1"><infon key="type">gene</infon>{location}<text>{surface}</text></annotation>'
        return f"<offset>{offset}</offset><text>{text}</text>{annotation}"

    title = f"<passage>{annotated('On MLH1', 0, 'MLH1', 3)}</passage>"
    sentence = f"<passage><offset>8</offset><sentence>{annotated('MSH2 too.', 8, 'MSH2', 8)}</sentence></passage>"
    (tmp_path / "mine.xml").write_text(
        f"<collection><document><id>1</id>{title}{sentence}</document></collection>", encoding="utf-8"
    )
    [document] = _read(tmp_path)
    assert document.text == "On MLH1\nMSH2 too."
    assert document.passages == ((0, 7), (8, 17))
    assert [document.text[start:end] for start, end, _ in _spans(document)] == ["MLH1", "MSH2"]


def test_pubtator_of_other_people(tmp_path: Path) -> None:
    lines = ["1|t|MLH1", "1|a|binds PMS2", "1\t0\t4\tMLH1\tGene", "1\t11\t15\tPMS2\tGene\t5\tx", "1\tBind\t4\t5"]
    (tmp_path / "mine.PubTator").write_text("\n".join(lines))
    assert _spans(_read(tmp_path)[0]) == [(0, 4, "GENE"), (11, 15, "GENE")]


def test_a_repeated_id_across_files(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(pubtator([Text("1", "x y", (), 1)]))
    with pytest.raises(CorpusError, match=r"b\.txt:1: expected each document id once, found '1' again"):
        _read(tmp_path)


CONLL = """-DOCSTART- -X- O

MLH1 NN B-Gene
and CC O
PMS2 NN S-Gene

HIV IOB E-Species

-DOCSTART- -X- O

Mus NN I-Species
musculus NN I-Species
rat NN B-Species
# NN O
"""


def test_conll_documents_and_schemes(tmp_path: Path) -> None:
    (tmp_path / "mine.conll").write_text(CONLL)
    first, second = _read(tmp_path)
    assert first.text == "MLH1 and PMS2\nHIV"
    assert first.passages == ((0, 13), (14, 17))
    assert [first.text[start:end] for start, end, _ in _spans(first)] == ["MLH1", "PMS2", "HIV"]
    assert second.text == "Mus musculus rat #"
    assert [second.text[start:end] for start, end, _ in _spans(second)] == ["Mus musculus", "rat"]
    assert [(document.id, document.line) for document in (first, second)] == [("mine:1", 1), ("mine:9", 9)]


def test_conll_without_document_marks(tmp_path: Path) -> None:
    (tmp_path / "mine.tsv").write_text("# sent_id = 1\nA\tO\n\n\nB\tB-Gene\n")
    assert [(document.id, document.text) for document in _read(tmp_path)] == [("mine:1", "A"), ("mine:5", "B")]


@pytest.mark.parametrize(
    ("line", "content", "expected", "found"),
    [
        (3, "MLH1", "3 columns|2 columns", "1"),
        (4, "and O", "3 columns", "2"),
        (3, "MLH1 NN X-Gene", "O, or B-, I-, E- or S- and a label", "the tag 'X-Gene'"),
        (3, "MLH1 NN B-Cell", "a label named GENE", "the label 'Cell'"),
    ],
)
def test_a_bad_conll_line(tmp_path: Path, line: int, content: str, expected: str, found: str) -> None:
    lines = CONLL.splitlines()
    lines[line - 1] = content
    (tmp_path / "mine.conll").write_text("\n".join(lines))
    with pytest.raises(CorpusError, match=rf"mine\.conll:{line}: expected ({expected}).*found {found}"):
        _read(tmp_path)
    bad = BadDocuments("skip")
    assert [document.id for document in _read(tmp_path, bad)] == ["mine:9"]
    assert len(bad.errors) == 1


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("[labels]\nGene = \n", 2, "expected TOML"),
        ('formt = "brat"\n', None, "expected the keys format, offsets, annotated, labels, found 'formt'"),
        ('format = "xml"\n', None, "expected format as one of pubtator, brat, bioc, conll, found 'xml'"),
        ('offsets = "words"\n', None, "expected offsets as one of characters, bytes, found 'words'"),
        ('annotated = "GENE"\n', None, "expected annotated as a list of GENE, SPECIES, DISEASE, found 'GENE'"),
        ('[labels]\nGene = "Genes"\n', None, "expected Gene as one of GENE, SPECIES, DISEASE, ignore, found 'Genes'"),
        ("[labels]\nGene = 3\n", None, "expected Gene as one of"),
        ('[labels]\nGene = ["GENE"]\n', None, "expected Gene as one of"),
        ('annotated = [["GENE"]]\n', None, "expected annotated as a list of GENE, SPECIES, DISEASE"),
        ('labels = "GENE"\n', None, r"expected \[labels\] as a table"),
    ],
)
def test_a_bad_map(tmp_path: Path, content: str, line: int | None, message: str) -> None:
    _write(tmp_path, "conll", GOOD)
    (tmp_path / "labels.toml").write_text(content)
    with pytest.raises(CorpusError, match=message) as info:
        _read(tmp_path)
    assert info.value.path == tmp_path / "labels.toml"
    assert info.value.line == line


def test_nothing_there_and_nothing_known(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="expected the corpus mine, found nothing there"):
        _read(tmp_path / "missing")
    (tmp_path / "README.txt").write_text("1|t|looks like PubTator")
    (tmp_path / "notes.txt").write_text("Some notes.\n")
    with pytest.raises(CorpusError, match=r'write format = "…" into .*labels\.toml'):
        _read(tmp_path)
    (tmp_path / "labels.toml").write_text('format = "bioc"\n')
    with pytest.raises(CorpusError, match=r"expected bioc files of the corpus mine \(\.bioc, \.xml\), found none"):
        _read(tmp_path)


@pytest.mark.parametrize(
    ("gone", "message"), [(".ann", "2.ann: expected the annotations"), (".txt", "2.txt: expected")]
)
def test_brat_files_without_their_other_half_are_no_silence(tmp_path: Path, gone: str, message: str) -> None:
    brat(tmp_path, [Text("1", "MLH1", ((0, 4, "GENE"),)), Text("2", "None here")])
    (tmp_path / f"2{gone}").unlink()
    with pytest.raises(CorpusError, match=message):
        _read(tmp_path)
    bad = BadDocuments("skip")
    assert [document.id for document in _read(tmp_path, bad)] == ["1"]
    assert len(bad.errors) == 1


def test_an_annotation_file_is_no_corpus(tmp_path: Path) -> None:
    brat(tmp_path, [Text("1", "MLH1", ((0, 4, "GENE"),))])
    with pytest.raises(CorpusError, match="found none that begins like one of them"):
        _read(tmp_path / "1.ann")
