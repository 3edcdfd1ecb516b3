"""SourceData in both layouts."""

from __future__ import annotations

import json

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hypothesis import assume
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from corpora.writers import Text
from corpora.writers import article_rows
from corpora.writers import texts
from corpora.writers import token_rows
from leanner.corpora import sourcedata
from leanner.corpora.bad import BadDocuments
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.types import Label


LABELS = {"GENEPROD": "GENE", "ORGANISM": "SPECIES", "DISEASE": "DISEASE", "CELL_LINE": None}
TYPES = {"geneprod": "GENE", "protein": "GENE", "organism": "SPECIES", "tissue": None}
GOOD = [
    Text("1", "LC3 in mice", ((0, 3, "GENEPROD"), (7, 11, "ORGANISM"))),
    Text("2", "HeLa with gliomas", ((0, 4, "CELL_LINE"), (10, 17, "DISEASE"))),
]


def _read(folder: Path, content: str | bytes, bad: BadDocuments | None = None) -> list[NativeDocument]:
    release = folder / "token_classification" / "ner" / "v2.0.3"
    release.mkdir(parents=True, exist_ok=True)
    (release / "train.jsonl").write_bytes(content.encode() if isinstance(content, str) else content)
    return list(sourcedata.read(folder, bad or BadDocuments()))


def _spans(document: NativeDocument) -> list[tuple[int, int, str]]:
    return [(mention.start, mention.end, mention.label.value) for mention in document.mentions]


@given(texts(list(LABELS), on_words=True))
def test_token_rows_round_trip(documents: list[Text]) -> None:
    with TemporaryDirectory() as folder:
        read = _read(Path(folder), token_rows(documents))
    for number, (document, written) in enumerate(zip(read, documents, strict=True), start=1):
        assert (document.id, document.article, document.line) == (f"train:{number}", f"train:{number}", number)
        assert document.text == written.text
        assert _spans(document) == [(s, e, LABELS[native]) for s, e, native in written.mentions if LABELS[native]]


@given(texts(list(TYPES)), st.sampled_from(["", "  "]))
@example([Text("1", "ab ab", ((3, 5, "protein"),))], "  ")
@example([Text("1", "00 00 0\u2028", ((6, 8, "geneprod"),))], "  ")
def test_article_rows_round_trip(documents: list[Text], lead: str) -> None:
    assume(not lead or not any(document.text[0].isspace() for document in documents))
    with TemporaryDirectory() as folder:
        (Path(folder) / "test.jsonl").write_text(article_rows(documents, lead))
        read = list(sourcedata.read(Path(folder), BadDocuments()))
    assert [(d.id, d.article) for d in read] == [(f"10.1/{d.name}/p1", f"10.1/{d.name}") for d in documents]
    for document, written in zip(read, documents, strict=True):
        marked = [(s, e, TYPES[native]) for s, e, native in written.mentions if TYPES[native]]
        assert [(document.text[s:e], label) for s, e, label in _spans(document)] == [
            (written.text[s:e], label) for s, e, label in marked
        ]
        if not lead:
            assert _spans(document) == marked


def test_runs_of_words_and_glued_signs(tmp_path: Path) -> None:
    row = {
        "words": ["A", "PI", "3", "-", "kinase", "β", "cells"],
        "labels": ["O", "B-GENEPROD", "I-GENEPROD", "I-GENEPROD", "I-GENEPROD", "B-GENEPROD", "O"],
        "text": " (A) PI3-kinase β-cells ",
    }
    [document] = _read(tmp_path, json.dumps(row))
    assert [document.text[s:e] for s, e, _ in _spans(document)] == ["PI3-kinase", "β"]


def test_disease_is_unknown_where_the_release_has_none(tmp_path: Path) -> None:
    assert {document.labels for document in _read(tmp_path, token_rows(GOOD))} == {frozenset(Label)}
    assert {document.labels for document in _read(tmp_path, token_rows(GOOD[:1]))} == {
        frozenset({Label.GENE, Label.SPECIES})
    }


def test_the_newest_release_is_read(tmp_path: Path) -> None:
    for version, text in (("v2.0.10", "new"), ("v2.0.9", "old")):
        release = tmp_path / "token_classification" / "ner" / version
        release.mkdir(parents=True)
        (release / "train.jsonl").write_text(token_rows([Text("1", text)]))
    assert [document.text for document in sourcedata.read(tmp_path, BadDocuments())] == ["new"]


def _article(**changes: object) -> dict[str, object]:
    tag = {"entity_type": "protein", "category": "entity", "text": "20–4", "in_caption": True, "local_offsets": [0, 4]}
    panel = {"panel_id": "p", "text": "20-4 cells", "tags": [tag | changes]}
    return {"doi": "10.1/x", "figures": [{"panels": [panel, {"panel_id": "q", "text": "No tags.", "tags": []}]}]}


def _read_article(folder: Path, row: object, bad: BadDocuments | None = None) -> list[NativeDocument]:
    (folder / "train.jsonl").write_text(f"{json.dumps(row)}\n")
    return list(sourcedata.read(folder, bad or BadDocuments()))


def test_tags_may_differ_by_the_kind_of_dash_and_panels_without_tags_are_unknown(tmp_path: Path) -> None:
    first, second = _read_article(tmp_path, _article())
    assert _spans(first) == [(0, 4, "GENE")]
    assert first.labels == {Label.GENE}
    assert second.labels == frozenset()


def test_categories_give_labels_too(tmp_path: Path) -> None:
    first, _ = _read_article(tmp_path, _article(entity_type="", category="disease"))
    assert _spans(first) == [(0, 4, "DISEASE")]
    first, _ = _read_article(tmp_path, _article(in_caption=False, local_offsets=[]))
    assert first.mentions == ()
    assert first.unmapped == (("GENEPROD (not in the caption)", 1),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"local_offsets": [1, 5]}, r"train\.jsonl:1: expected '20–4' at 1-5 of panel p, found '0-4 '"),
        ({"local_offsets": [0, 99]}, r"train\.jsonl:1: expected '20–4' at 0-99"),
        ({"local_offsets": [0]}, r"train\.jsonl:1: expected local_offsets with a start and an end, found \[0\]"),
        ({"local_offsets": {"start": 0}}, r"train\.jsonl:1: expected local_offsets as a list, found"),
        ({"entity_type": "virus"}, r"train\.jsonl:1: expected a label of SourceData .*found the label 'virus'"),
    ],
)
def test_a_bad_tag(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        _read_article(tmp_path, _article(**changes))


def test_a_repeated_doi(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(article_rows([Text("1", "a b"), Text("1", "a b")]))
    bad = BadDocuments("skip")
    assert len(list(sourcedata.read(tmp_path, bad))) == 1
    assert [(error.line, error.found) for error in bad.errors] == [(2, "'10.1/1' again")]


@pytest.mark.parametrize(
    ("line", "expected", "found"),
    [
        (b'{"words": ["a"], "labels": ["O", "O"], "text": "a"}', "1 labels, one a word", "2"),
        (b'{"words": ["b"], "labels": ["O"], "text": "a"}', "the word 'b' next in the text", "'a'"),
        (b'{"words": ["b"], "labels": ["O"], "text": "a b"}', "the word 'b' next in the text", "'a b'"),
        (b'{"words": ["a"], "labels": ["B-VIRUS"], "text": "a"}', "a label of SourceData", "the label 'VIRUS'"),
        (b'{"words": ["a"], "labels": [3], "text": "a"}', "O, or B-, I-, E- or S- and a label", "the tag 3"),
        (b'{"words": null, "labels": ["O"], "text": "a"}', "words as a list of strings", "another kind"),
        (b'{"words": [1], "labels": ["O"], "text": "a"}', "words as a list of strings", "another kind"),
        (b'{"words": ["a"], "labels": 1, "text": "a"}', "labels as a list", "another kind"),
        (b'{"words": ["a"], "labels": ["O"], "text": 1}', "text as a string", "another kind"),
        (b'{"doi": "10.1/x", "figures": "x"}', "figures as a list of objects", "another kind"),
        (b'{"doi": "10.1/x", "figures": [{"panels": [1]}]}', "panels as a list of objects", "another kind"),
        (b'{"doi": "10.1/x", "figures": [{"panels": [{"text": 1}]}]}', "the text of a panel as a string", "another"),
        (b'{"doi": "10.1/x", "figures": [{"panels": [{"tags": [1]}]}]}', "the tags of a panel as a list", "another"),
        (b'{"words": ["a"]}', "an object with words and labels", "words"),
        (b'{"words": ["a"', "a JSON object", "Expecting"),
        (b"[1]", "an object with words and labels", "list"),
        (b'{"words": ["\xe9"], "labels": ["O"], "text": "x"}', "UTF-8", "byte 0xe9"),
    ],
)
def test_a_bad_row(tmp_path: Path, line: bytes, expected: str, found: str) -> None:
    first, second = token_rows(GOOD).encode().splitlines()
    content = b"\n".join([first, line, second])
    with pytest.raises(CorpusError, match=rf"train\.jsonl:2: expected {expected}.*found {found}"):
        _read(tmp_path, content)
    bad = BadDocuments("skip")
    assert [document.id for document in _read(tmp_path, content, bad)] == ["train:1", "train:3"]
    assert len(bad.errors) == 1


def test_bare_splits_are_recognised_by_their_rows(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"question": "?"}\n')
    assert not sourcedata.recognise(tmp_path)
    (tmp_path / "train.jsonl").write_text(token_rows(GOOD))
    assert sourcedata.recognise(tmp_path)
    (tmp_path / "train.jsonl").write_text(article_rows([Text("1", "a b")]))
    assert sourcedata.recognise(tmp_path)
    assert not sourcedata.recognise(tmp_path.parent)
    with pytest.raises(CorpusError, match="expected SourceData"):
        list(sourcedata.read(tmp_path.parent, BadDocuments()))


def test_a_damaged_first_row_is_reported_and_not_overlooked(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(token_rows(GOOD).splitlines()[0][:-1])
    assert sourcedata.recognise(tmp_path)
    with pytest.raises(CorpusError, match=r"train\.jsonl:1: expected a JSON object"):
        list(sourcedata.read(tmp_path, BadDocuments()))


def test_the_other_tasks_beside_ner_are_left_alone(tmp_path: Path) -> None:
    tasks = tmp_path / "token_classification"
    for task in ("ner", "panelization"):
        (tasks / task / "v2.0.3").mkdir(parents=True)
        (tasks / task / "v2.0.3" / "train.jsonl").write_text(token_rows(GOOD))
    for folder in (tmp_path, tasks):
        assert sourcedata.recognise(folder)
        assert len(list(sourcedata.read(folder, BadDocuments()))) == len(GOOD)


def test_an_article_row_gives_its_doi(tmp_path: Path) -> None:
    assert {document.doi for document in _read_article(tmp_path, _article())} == {"10.1/x"}
    assert {document.doi for document in _read_article(tmp_path, _article() | {"doi": "EMBO-7"})} == {None}
