from __future__ import annotations

import os

from pathlib import Path

import pytest

from leanner.corpora.load import bundled
from leanner.corpora.load import load_corpus
from leanner.corpora.native import CorpusError


def pubtator(name: str, text: str, *annotations: str) -> str:
    return "\n".join([f"{name}|t|{text}", f"{name}|a|", *annotations, "", ""])


@pytest.fixture(autouse=True)
def _no_corpora_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)


@pytest.fixture
def tmvar(tmp_path: Path) -> Path:
    folder = tmp_path / "tmvar3"
    folder.mkdir()
    (folder / "tmVar3Corpus.txt").write_text(pubtator("1", "TP53 in mice.", "1\t0\t4\tTP53\tGene\t7157"))
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.pubtator"
    path.write_text(pubtator("1", "BRCA1 in mice.", "1\t0\t5\tBRCA1\tGENE\t672"))
    return path


def test_corpora_below_a_folder_are_found(tmvar: Path) -> None:
    corpus = load_corpus([str(tmvar.parent)])
    assert corpus.name == "tmvar"
    (document,) = corpus
    assert document.sentences[0].text == "TP53 in mice."


def test_custom_corpus_stands_beside_the_five(tmvar: Path, mine: Path) -> None:
    corpus = load_corpus([str(tmvar), f"mine={mine}"])
    assert corpus.name == "mine+tmvar"
    assert [document.id for document in corpus] == ["1", "1"]


def test_one_of_the_five_is_read_by_its_name(tmvar: Path) -> None:
    assert load_corpus([f"tmvar={tmvar.parent}"]).sha256() == load_corpus([str(tmvar)]).sha256()
    with pytest.raises(CorpusError, match="found another corpus: tmvar in"):
        list(load_corpus([f"variome={tmvar}"]))


def test_same_place_twice_is_read_once(tmvar: Path) -> None:
    assert len(list(load_corpus([str(tmvar), f"{tmvar}/../tmvar3"]))) == 1


def test_digest_does_not_know_the_path(tmvar: Path) -> None:
    before = load_corpus([str(tmvar)]).sha256()
    moved = tmvar.rename(tmvar.parent / "elsewhere")
    assert load_corpus([str(moved)]).sha256() == before


def test_environment_names_the_default(tmvar: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEANNER_CORPORA", os.pathsep.join([str(tmvar), f"mine={mine}"]))
    assert load_corpus().name == "mine+tmvar"
    assert load_corpus([str(tmvar)]).name == "tmvar"


def test_bundled_is_the_last_resort() -> None:
    assert load_corpus().name == bundled().name == "bioid+medmentions+sourcedata+tmvar+variome"


def test_path_with_an_equals_sign_is_a_path(tmvar: Path) -> None:
    strange = tmvar.rename(tmvar.parent / "seed=1")
    assert load_corpus([str(strange)]).name == "tmvar"


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("{}/empty", "found none"),
        ("{}/gone", "found nothing"),
        ("{}/file", "found a file"),
        ("x={}/gone", "found nothing"),
    ],
)
def test_place_without_a_corpus_is_refused(tmp_path: Path, location: str, found: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match=found):
        load_corpus([location.format(tmp_path)])


def test_empty_folder_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"tmVar3Corpus\.txt.*leanner corpora fetch.*name=PATH"):
        load_corpus([str(tmp_path)])


def test_bad_documents_are_skipped_on_request(tmvar: Path) -> None:
    path = tmvar / "tmVar3Corpus.txt"
    path.write_text(path.read_text() + pubtator("2", "Mice.", "2\t0\t99\tMice\tSpecies\t1") + pubtator("3", "Rats."))
    with pytest.raises(CorpusError, match=r"tmVar3Corpus\.txt:\d"):
        list(load_corpus([str(tmvar)]))
    corpus = load_corpus([str(tmvar)], on_bad_document="skip")
    assert [document.id for document in corpus] == ["1", "3"]
    assert corpus.statistics().total.bad == 1
