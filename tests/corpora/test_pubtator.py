"""PubTator files, and the two corpora that come so."""

from __future__ import annotations

import gzip

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hypothesis import given

from corpora.writers import Text
from corpora.writers import medmentions as write_medmentions
from corpora.writers import pubtator
from corpora.writers import texts
from leanner.corpora import medmentions
from leanner.corpora import tmvar
from leanner.corpora.bad import BadDocuments
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.types import Label


GOOD = [
    Text("1", "BRCA1 in mice. Breast cancer.", ((0, 5, "Gene"), (9, 13, "Species"), (15, 28, "Disease")), 14),
    Text("2", "β-catenin lost. It is c.1A>G.", ((0, 9, "Gene"), (22, 28, "DNAMutation")), 15),
    Text("3", "None. Nothing.", (), 5),
]
LINES = pubtator(GOOD).splitlines(keepends=True)


def _read(folder: Path, content: bytes | str, bad: BadDocuments | None = None) -> list[NativeDocument]:
    data = content.encode() if isinstance(content, str) else content
    (folder / "tmVar3Corpus.txt").write_bytes(data)
    return list(tmvar.read(folder, bad or BadDocuments()))


def _spans(document: NativeDocument) -> list[tuple[int, int, str]]:
    return [(mention.start, mention.end, mention.label.value) for mention in document.mentions]


@given(texts(["Gene", "Species", "Disease", "SNP"]))
def test_tmvar_round_trip(documents: list[Text]) -> None:
    with TemporaryDirectory() as folder:
        read = _read(Path(folder), pubtator(documents))
    assert [(document.id, document.article, document.text) for document in read] == [
        (document.name, document.name, document.text) for document in documents
    ]
    for document, written in zip(read, documents, strict=True):
        expected = [(start, end, native.upper()) for start, end, native in written.mentions if native != "SNP"]
        assert _spans(document) == expected
        assert dict(document.unmapped).get("SNP", 0) == sum(native == "SNP" for *_, native in written.mentions)
        assert document.passages == tuple(
            span for span in ((0, written.title_end), (written.title_end + 1, len(written.text))) if span[0] < span[1]
        )


@given(texts(["T116", "T116,T123", "T047", "T204", "T047,T116", "T033", "UnknownType"]))
def test_medmentions_round_trip(documents: list[Text]) -> None:
    labels = {"T116": "GENE", "T116,T123": "GENE", "T047": "DISEASE", "T204": "SPECIES", "T047,T116": "GENE"}
    with TemporaryDirectory() as folder:
        write_medmentions(Path(folder), documents)
        read = list(medmentions.read(Path(folder), BadDocuments()))
    for document, written in zip(read, documents, strict=True):
        assert document.text == written.text
        assert _spans(document) == [(s, e, labels[native]) for s, e, native in written.mentions if native in labels]
    used = {labels[native] for document in documents for *_, native in document.mentions if native in labels}
    assert {label.value for document in read for label in document.labels} == used


def test_a_label_that_never_occurs_is_unknown(tmp_path: Path) -> None:
    assert {document.labels for document in _read(tmp_path, pubtator(GOOD))} == {frozenset(Label)}
    without = [replace(GOOD[0], mentions=GOOD[0].mentions[:2]), *GOOD[1:]]
    assert {document.labels for document in _read(tmp_path, pubtator(without))} == {
        frozenset({Label.GENE, Label.SPECIES})
    }


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + pubtator(GOOD).encode().replace(b"\n", b"\r\n")
    plain = _read(tmp_path, pubtator(GOOD))
    assert _read(tmp_path, content) == plain


@pytest.mark.parametrize(
    ("line", "content", "expected", "found"),
    [
        (3, "1\t0\t5\tBRCA1\tGene\n", "6 tab-separated columns", "5"),
        (3, "1\t0\t99\tBRCA1\tGene\tC\n", "offsets with 0 <= start < end <= 29", "end=99"),
        (3, "1\t5\t5\t\tGene\tC\n", "offsets with 0 <= start < end", "start=5, end=5"),
        (4, "1\t8\t12\tmice\tSpecies\tC\n", "'mice' at 8-12", "' mic'"),
        (5, "1\t15\t28\tBreast cancer\tCancer\tC\n", "a label of tmVar 3.0", "the label 'Cancer'"),
        (3, "1\t-1\t5\tBRCA1\tGene\tC\n", "a whole number as start offset", "'-1'"),
        (3, "2\t0\t5\tBRCA1\tGene\tC\n", "a line of document '1'", "'2'"),
        (2, "1|b|Breast cancer.\n", r"PMID\|a\|abstract", r"1\|b\|"),
        (1, "BRCA1 in mice.\n", r"PMID\|t\|title", "BRCA1 in mice"),
    ],
)
def test_a_bad_line(tmp_path: Path, line: int, content: str, expected: str, found: str) -> None:
    broken = "".join([*LINES[: line - 1], content, *LINES[line:]])
    with pytest.raises(CorpusError, match=rf"tmVar3Corpus.txt:{line}: expected {expected}.*found .*{found}"):
        _read(tmp_path, broken)
    bad = BadDocuments("skip")
    assert [document.id for document in _read(tmp_path, broken, bad)] == ["2", "3"]
    assert [error.line for error in bad.errors] == [line]


def test_wrong_encoding_names_its_line(tmp_path: Path) -> None:
    broken = pubtator(GOOD).replace("BRCA1 in", "BRCé1 in", 1).encode("latin-1", "replace")
    bad = BadDocuments("skip")
    assert [document.id for document in _read(tmp_path, broken, bad)] == ["2", "3"]
    assert (bad.errors[0].line, bad.errors[0].expected, bad.errors[0].found) == (1, "UTF-8", "byte 0xe9")


def test_utf_16_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"tmVar3Corpus\.txt:1: expected UTF-8"):
        _read(tmp_path, pubtator(GOOD).encode("utf-16"))


def test_a_repeated_id(tmp_path: Path) -> None:
    bad = BadDocuments("skip")
    assert len(_read(tmp_path, pubtator([*GOOD, GOOD[0]]), bad)) == 3
    assert (bad.errors[0].line, bad.errors[0].found) == (15, "'1' again")


def test_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="expected at least one PubTator document, found none"):
        _read(tmp_path, "")


def test_a_truncated_gzip_keeps_what_was_read(tmp_path: Path) -> None:
    many = [Text(str(number), f"T047 {number:05d} and so on. More.", ((0, 4, "T047"),), 10) for number in range(3000)]
    path = write_medmentions(tmp_path, many)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    bad = BadDocuments("skip")
    read = list(medmentions.read(tmp_path, bad))
    assert 100 < len(read) < 2900
    [error] = bad.errors
    assert error.line is not None
    assert error.expected == "a complete gzip file"
    assert 0 <= error.line - 4 * len(read) - 1 <= 4
    with pytest.raises(CorpusError, match=rf"corpus_pubtator.txt.gz:{error.line}: expected a complete gzip file"):
        list(medmentions.read(tmp_path, BadDocuments()))


def test_a_file_that_is_no_gzip(tmp_path: Path) -> None:
    write_medmentions(tmp_path, GOOD).write_bytes(b"<html>not found</html>")
    with pytest.raises(CorpusError, match=r"gz:1: expected a complete gzip file"):
        list(medmentions.read(tmp_path, BadDocuments()))


def test_st21pv_is_refused_by_folder_and_by_content(tmp_path: Path) -> None:
    write_medmentions(tmp_path, GOOD, "st21pv")
    assert medmentions.recognise(tmp_path)
    with pytest.raises(CorpusError, match=r"full release.*found st21pv.*proteins among chemicals.*fetch full/data"):
        list(medmentions.read(tmp_path, BadDocuments()))
    other = tmp_path / "other"
    path = write_medmentions(other, ())
    path.write_bytes(gzip.compress(b"1|t|A b\n1|a|\n1\t0\t1\tA\tT103\tUMLS:C1\n"))
    with pytest.raises(CorpusError, match=r"gz:3: .*found st21pv"):
        list(medmentions.read(other, BadDocuments()))


def test_an_unknown_semantic_type(tmp_path: Path) -> None:
    write_medmentions(tmp_path, [Text("1", "A b", ((0, 1, "T116,Gene"),), 1)])
    with pytest.raises(CorpusError, match=r"gz:3: expected UMLS semantic types .*found the label 'T116,Gene'"):
        list(medmentions.read(tmp_path, BadDocuments()))


@pytest.mark.parametrize(
    ("types", "label"),
    [
        ("T028", Label.GENE),
        ("T126", Label.GENE),
        ("T192,T116", Label.GENE),
        ("T123", None),
        ("T033", None),
        ("T191", Label.DISEASE),
        ("T005,T047", Label.SPECIES),
        ("T016", Label.SPECIES),
        ("T101", None),
        ("UnknownType", None),
    ],
)
def test_semantic_types(types: str, label: Label | None) -> None:
    assert medmentions.label_of(types) is label


@pytest.mark.parametrize("annotated_from", [480, 481])
def test_the_left_to_right_marks_of_medmentions(tmp_path: Path, annotated_from: int) -> None:
    title = "x" * 480 + "\u200e" + "BRCA1" + "y" * 13 + " z"
    path = write_medmentions(tmp_path, ())
    mention = f"27928244\t480\t499\t{title[annotated_from:499]}\tT028\tC1"
    path.write_bytes(gzip.compress(f"27928244|t|{title}\n27928244|a|\n{mention}\n".encode()))
    [document] = medmentions.read(tmp_path, BadDocuments())
    assert _spans(document) == [(481, 499, "GENE")]


def test_the_drifting_offsets_of_tmvar(tmp_path: Path) -> None:
    # published corrections: wrong and true start
    true = {343: 342, 753: 751, 1156: 1153, 1487: 1483, 1631: 1627, 2043: 2037}
    letters = list("x" * 2100)
    for start in true.values():
        letters[start : start + 4] = "PAX6"
    lines = [f"21904390|t|{''.join(letters)}", "21904390|a|"]
    lines += [f"21904390\t{start}\t{start + 4}\tPAX6\tGene\t5080" for start in true]
    [document] = _read(tmp_path, "\n".join(lines))
    assert _spans(document) == [(start, start + 4, "GENE") for start in true.values()]
    elsewhere = "\n".join(lines).replace("21904390", "1")
    with pytest.raises(CorpusError, match=":3: expected 'PAX6' at 343-347"):
        _read(tmp_path, elsewhere)


def test_a_folder_without_the_files(tmp_path: Path) -> None:
    for reader in (medmentions, tmvar):
        assert not reader.recognise(tmp_path)
        with pytest.raises(CorpusError, match="found no such file"):
            list(reader.read(tmp_path, BadDocuments()))
