from __future__ import annotations

from pathlib import Path

import pytest

from leanner.corpora.native import CorpusError
from leanner.measure.subject import load_subject
from measure.fakes import options


GOOD = "1|t|TP53 is lost in mice.\n1|a|It causes cancer.\n1\t0\t4\tTP53\tGENE\t7157\n\n"
BAD = "2|t|BRCA1 too.\n2|a|\n2\t0\t4\tBRCA1\tGENE\t672\n\n"


@pytest.fixture(autouse=True)
def _no_corpora_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.pubtator"
    path.write_text(GOOD)
    return path


def test_numbers_are_those_of_the_documents(mine: Path) -> None:
    subject = load_subject(options(corpora=(f"mine={mine}",)))

    assert subject.info.name == "mine"
    assert (subject.info.articles, subject.info.sentences, subject.info.mentions) == (1, 2, 1)
    assert subject.info.tokens == len(["TP53", "is", "lost", "in", "mice", ".", "It", "causes", "cancer", "."])
    assert [sentence.text for sentence in subject.documents[0].sentences] == [
        "TP53 is lost in mice.",
        "It causes cancer.",
    ]
    assert subject.quality == ()


def test_only_the_bundled_corpus_alone_is_called_so(mine: Path) -> None:
    assert load_subject(options()).info.name == "bundled"
    assert load_subject(options(corpora=("bundled",), sentences=20)).info.name == "bundled"
    assert load_subject(options(corpora=("bundled", f"mine={mine}"), sentences=20)).info.name != "bundled"


def test_the_sample_is_seeded_and_in_the_hash() -> None:
    first, again, other = (load_subject(options(sentences=30, seed=seed)).info for seed in (0, 0, 1))

    assert first == again
    assert first.sha256 != other.sha256
    assert first.sentences < load_subject(options()).info.sentences


def test_bad_documents_stop_or_are_told(mine: Path) -> None:
    mine.write_text(GOOD + BAD)

    with pytest.raises(CorpusError, match=r"mine\.pubtator"):
        load_subject(options(corpora=(f"mine={mine}",)))
    subject = load_subject(options(corpora=(f"mine={mine}",), on_bad_document="skip"))
    assert subject.info.articles == 1
    assert len(subject.quality) == 1
    assert subject.quality[0].startswith("a bad document was left out: ")
    assert "mine.pubtator" in subject.quality[0]


def test_no_text_is_an_error(mine: Path) -> None:
    mine.write_text("1|t|\n1|a|\n\n")

    with pytest.raises(ValueError, match="no sentence"):
        load_subject(options(corpora=(f"mine={mine}",)))
