"""The readers on real files, where LEANNER_CORPORA has them: counts published or measured independently."""

from __future__ import annotations

import os

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leanner.corpora.bad import BadDocuments
from leanner.corpora.registry import READERS
from leanner.corpora.registry import recognise_all
from leanner.types import Label


if TYPE_CHECKING:
    from leanner.corpora.native import NativeDocument


needs_corpora = pytest.mark.skipif(
    not os.environ.get("LEANNER_CORPORA"), reason="LEANNER_CORPORA does not name a folder of real corpora"
)
pytestmark = needs_corpora

GENE, SPECIES, DISEASE = Label.GENE, Label.SPECIES, Label.DISEASE


def _folder(name: str) -> Path:
    folder = dict(recognise_all(Path(os.environ["LEANNER_CORPORA"]))).get(name)
    if folder is None:
        pytest.skip(f"no {name} in LEANNER_CORPORA")
    return folder


def _read(name: str) -> list[NativeDocument]:
    return list(READERS[name].read(_folder(name), BadDocuments("error")))


def _mentions(documents: list[NativeDocument]) -> dict[Label, int]:
    return Counter(mention.label for document in documents for mention in document.mentions)


def test_variome() -> None:
    documents = _read("variome")
    assert len(documents) == 120
    assert len({document.article for document in documents}) == 10
    assert _mentions(documents) == {GENE: 1086, DISEASE: 2053}
    assert {document.labels for document in documents} == {frozenset({GENE, DISEASE})}


def test_bioid_has_no_wrong_offset() -> None:
    documents = _read("bioid")
    paths = list((_folder("bioid") / "caption_bioc").glob("[!.]*.xml"))
    assert len({document.article for document in documents}) == len(paths)
    assert {document.labels for document in documents} == {frozenset({GENE, SPECIES})}
    if len(paths) == 450:
        assert _mentions(documents) == {GENE: 46329, SPECIES: 6937}


def test_bioid_says_the_same_by_its_table(tmp_path: Path) -> None:
    folder = _folder("bioid")
    if not (folder / "annotations.csv").is_file():
        pytest.skip("no annotations.csv beside these captions")
    (tmp_path / "caption_bioc_unannotated").symlink_to(folder / "caption_bioc")
    (tmp_path / "annotations.csv").symlink_to(folder / "annotations.csv")
    by_table = READERS["bioid"].read(tmp_path, BadDocuments("error"))
    assert [document.mentions for document in by_table] == [document.mentions for document in _read("bioid")]


def test_tmvar() -> None:
    documents = _read("tmvar")
    if len(documents) == 342:
        assert _mentions(documents) == {GENE: 2640, SPECIES: 1170, DISEASE: 3235}
    else:
        assert len(documents) == 500
        mentions = _mentions(documents)
        assert (mentions[GENE], mentions[SPECIES]) == (4059, 1756)
    assert all(document.labels >= {GENE, SPECIES} for document in documents)


def test_sourcedata_and_medmentions_know_what_they_do_not_annotate() -> None:
    for name in ("sourcedata", "medmentions"):
        documents = _read(name)
        [labels] = {document.labels for document in documents if document.mentions}
        assert set(_mentions(documents)) == labels
