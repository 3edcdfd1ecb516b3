from __future__ import annotations

from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from leanner.corpora.bundled_corpus import bundled_folder
from leanner.corpora.load import bundled
from leanner.corpora.native import CorpusError
from leanner.corpora.registry import READERS


def test_size_is_as_promised() -> None:
    statistics = bundled().statistics()
    assert set(statistics.corpora) == set(READERS)
    assert statistics.total.documents >= 100
    assert statistics.total.sentences >= 400
    assert sum(statistics.total.mentions.values()) >= 1_200
    assert all(each.sentences >= 60 for each in statistics.corpora.values())
    assert statistics.corpora["sourcedata"].duplicates >= 10
    assert statistics.errors == ()


def test_no_sentence_comes_twice() -> None:
    sentences = Counter(sentence.text for document in bundled() for sentence in document.sentences)
    assert [text for text, number in sentences.items() if number > 1] == []


def test_hard_cases_are_there() -> None:
    documents = list(bundled())
    statistics = bundled().statistics()
    assert statistics.total.dropped > 0
    assert any(not document.sentences for document in documents), "an empty document"
    sentences = [sentence for document in documents for sentence in document.sentences]
    glued = [
        sentence.text[span.start : span.end]
        for sentence in sentences
        for span in sentence.spans
        if any(map(str.isalnum, sentence.text[max(span.start - 1, 0) : span.start] + sentence.text[span.end :][:1]))
    ]
    assert len(glued) >= 5
    assert any(not sentence.text[: span.start].isascii() for sentence in sentences for span in sentence.spans)


def test_installation_without_data_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    with pytest.raises(CorpusError, match="expected the folder of the bundled corpus, found none"):
        bundled_folder()
