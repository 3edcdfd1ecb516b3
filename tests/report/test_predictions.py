from __future__ import annotations

import gzip
import hashlib
import json
import re

from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import Final

import pytest

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.report.predictions import Predictions
from leanner.report.predictions import PredictionsError
from leanner.report.predictions import packed
from leanner.report.predictions import read_predictions
from leanner.report.predictions import spans_sha256
from leanner.report.predictions import store_predictions
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span
from measure.fakes import ALL
from measure.fakes import FakeTagger
from measure.fakes import articles


DOCUMENTS = articles(3)
SPANS = list(FakeTagger(forgets=2).tag(DOCUMENTS))
CASE: Final[Any] = {"configuration": "int8", "device": "cpu"}
HEADER = b'{"layout":2,"configuration":"int8","device":"cpu",'


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return tmp_path / store_predictions(tmp_path / "bench.json", "int8", DOCUMENTS, SPANS, ALL, **CASE).path


spans = st.builds(
    lambda start, length, label: Span(start, start + length, label),
    st.integers(0, 10**6),
    st.integers(1, 100),
    st.sampled_from(Label),
)
tagged = st.lists(
    st.tuples(st.text(), st.lists(st.lists(spans, max_size=3).map(tuple), max_size=3).map(tuple)), max_size=4
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tagged, st.sets(st.sampled_from(Label)))
def test_they_come_back(tmp_path: Path, content: list[tuple[str, Any]], labels: set[Label]) -> None:
    documents = [
        Document(name, "ü", f"article of {name}", ALL, tuple(Sentence("") for _ in sentences))
        for name, sentences in content
    ]
    given_spans = [sentences for _, sentences in content]

    file = store_predictions(tmp_path / "bench.json", "x", documents, given_spans, labels, **CASE)
    back = read_predictions(tmp_path / file.path)

    assert (back.configuration, back.device) == ("int8", "cpu")
    assert back.labels == labels
    assert back.on(documents) == given_spans
    assert [(each.corpus, each.document, each.article) for each in back.documents] == [
        (each.corpus, each.id, each.article) for each in documents
    ]


def test_the_file_lies_beside_the_report_with_its_digest(tmp_path: Path) -> None:
    file = store_predictions(tmp_path / "bench.json", "int8 on cuda:0", DOCUMENTS, SPANS, ALL, **CASE)

    assert file.path == f"bench.files/int8-on-cuda-0.{file.sha256[:8]}.predictions.jsonl.gz"
    assert file.sha256 == hashlib.sha256((tmp_path / file.path).read_bytes()).hexdigest()
    assert file.to_json() == {"path": file.path, "sha256": file.sha256}
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) == ["bench.files", file.path]


def test_the_same_spans_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = packed(DOCUMENTS, SPANS, ALL, **CASE)
    monkeypatch.setattr("time.time", lambda: 1e9)

    assert packed(DOCUMENTS, iter(SPANS), [*ALL], **CASE) == first
    one, two = (store_predictions(tmp_path / name, name, DOCUMENTS, SPANS, ALL, **CASE).sha256 for name in ("a", "b"))
    assert one == two
    assert packed(DOCUMENTS, list(FakeTagger().tag(DOCUMENTS)), ALL, **CASE) != first


def test_the_same_spans_of_another_case_are_told_apart(tmp_path: Path) -> None:
    # Naive: spans of a case that lost nothing stand for those of one that did.
    files = [
        store_predictions(
            tmp_path / "a.json", f"{name}.{device}", DOCUMENTS, SPANS, ALL, configuration=name, device=device
        )
        for name, device in (("fp32", "cpu"), ("int8", "cpu"), ("int8", "cuda"))
    ]
    read = [read_predictions(tmp_path / file.path) for file in files[:2]]

    assert len({file.sha256 for file in files}) == 3
    assert [(each.configuration, each.device) for each in read] == [("fp32", "cpu"), ("int8", "cpu")]


def test_a_line_is_one_document(stored: Path) -> None:
    lines = [json.loads(line) for line in gzip.decompress(stored.read_bytes()).splitlines()]

    assert lines[0] == {"layout": 2, **CASE, "labels": ["DISEASE", "GENE", "SPECIES"], "documents": 3}
    assert lines[1] == {
        "corpus": "made-up",
        "document": "0",
        "article": "0",
        "spans": [[[0, 4, "GENE"]], [[10, 16, "DISEASE"]]],
    }
    assert len(lines) == 4


def rewritten(path: Path, number: int, line: bytes | None) -> Path:
    """Replace a line of the file, 1-based; ``None`` removes it."""
    lines = gzip.decompress(path.read_bytes()).splitlines()
    lines[number - 1 : number] = [] if line is None else [line]
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))
    return path


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (1, b"{}", ":1: header.layout: expected this field, found none; is this a file of predictions?"),
        (1, b'{"layout":1,"labels":[],"documents":3}', ":1: expected layout 2, found 1"),
        (1, b'{"layout":2,"labels":[],"documents":3}', ":1: header.configuration: expected this field, found none"),
        (
            1,
            HEADER + b'"labels":["CHEMICAL"],"documents":3}',
            ":1: header.labels[0]: expected one of GENE, ",
        ),
        (1, HEADER + b'"labels":["GENE"],"documents":4}', ":5: expected 4 documents, found 3"),
        (3, b"not json", ':3: expected a line of JSON, found "not json'),
        (3, b"\xff\xfe", ":3: expected a line of JSON, found "),
        (3, b"[]", ":3: expected corpus, document, article and the spans"),
        (3, b'{"corpus":"a","document":"b","spans":[]}', ":3: expected corpus, document, article and the spans"),
        (3, b'{"corpus":"a","document":1,"article":"c","spans":[]}', ":3: expected corpus, document, article and"),
        (4, b'{"corpus":"a","document":"b","article":"c","spans":[[[4,4,"GENE"]]]}', ":4: expected corpus, "),
        (4, b'{"corpus":"a","document":"b","article":"c","spans":[[[0,4.0,"GENE"]]]}', ":4: expected corpus, "),
        (4, b'{"corpus":"a","document":"b","article":"c","spans":[[[false,4,"GENE"]]]}', ":4: expected corpus, "),
        (4, b'{"corpus":"a","document":"b","article":"c","spans":[[[0,4,"DRUG"]]]}', ":4: expected corpus, "),
        (4, b'{"corpus":"a","document":"b","article":"c","spans":[[[0,4]]]}', ":4: expected corpus, "),
        (4, b'{"corpus":"a","document":"b","article":"c","spans":[],"more":1}', ":4: expected corpus, "),
        (4, None, ":4: expected 3 documents, found 2"),
    ],
)
def test_an_error_names_file_and_line(stored: Path, number: int, line: bytes | None, message: str) -> None:
    with pytest.raises(PredictionsError) as caught:
        read_predictions(rewritten(stored, number, line))

    assert str(caught.value).startswith(f"{stored}{message}")


def test_a_damaged_file_is_an_error_with_its_line(stored: Path) -> None:
    content = stored.read_bytes()
    for damaged in (content[:-10], content[:30] + b"\0" + content[31:], b"no gzip", b""):
        stored.write_bytes(damaged)
        with pytest.raises(PredictionsError, match=rf"^{stored}:\d: .*expected "):
            read_predictions(stored)
    with pytest.raises(FileNotFoundError):
        read_predictions(stored.with_name("missing"))


def test_they_fit_the_documents_that_were_tagged_and_no_others(stored: Path) -> None:
    predictions = read_predictions(stored)
    assert predictions.on(DOCUMENTS) == SPANS

    for documents, message in (
        (DOCUMENTS[:2], "expected predictions for 2 documents, found 3"),
        (articles(4), "expected predictions for 4 documents, found 3"),
        (
            DOCUMENTS[::-1],
            "expected made-up 2 of article 2 with 2 sentences as document 1, found made-up 0 of",
        ),
        ((replace(DOCUMENTS[0], sentences=()), *DOCUMENTS[1:]), "with 0 sentences as document 1, found"),
        ((replace(DOCUMENTS[0], corpus="other"), *DOCUMENTS[1:]), "expected other 0 of article 0"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            predictions.on(documents)


def test_as_many_predictions_as_documents_are_needed() -> None:
    with pytest.raises(ValueError, match="shorter"):
        packed(DOCUMENTS, SPANS[:2], ALL, **CASE)


def test_the_digest_of_spans_tells_every_difference() -> None:
    gene, disease = Span(0, 4, Label.GENE), Span(0, 4, Label.DISEASE)
    predictions: list[list[Any]] = [
        [((gene,), ())],
        [((), (gene,))],
        [((gene,),), ((),)],
        [((disease,), ())],
        [((gene, Span(5, 6, Label.GENE)), ())],
        [((Span(0, 5, Label.GENE),), ())],
        [((), ())],
    ]

    assert len({spans_sha256(prediction) for prediction in predictions}) == len(predictions)
    assert spans_sha256(predictions[0]) == spans_sha256([((Span(0, 4, Label.GENE),), ())])


def test_nothing_was_tagged_is_something_too(tmp_path: Path) -> None:
    file = store_predictions(tmp_path / "a.json", "a", (), (), (), **CASE)

    assert read_predictions(tmp_path / file.path) == Predictions("int8", "cpu", frozenset(), ())
