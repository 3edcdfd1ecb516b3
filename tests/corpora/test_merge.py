from __future__ import annotations

import pickle
import tracemalloc

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corpora.synthetic import generated
from corpora.synthetic import native
from corpora.synthetic import source
from leanner.corpora.merge import MergedCorpus
from leanner.corpora.merge import Source
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.types import Label


if TYPE_CHECKING:
    from leanner.corpora.bad import BadDocuments


GENE, SPECIES, DISEASE = Label.GENE, Label.SPECIES, Label.DISEASE


def test_documents_come_by_corpus_then_as_the_files_have_them() -> None:
    corpus = MergedCorpus(
        [source("tmvar", [native("B.", name="2"), native("A.", name="1")]), source("bioid", [native("C.", name="9")])]
    )
    assert corpus.name == "bioid+tmvar"
    assert [(each.corpus, each.id) for each in corpus] == [("bioid", "9"), ("tmvar", "2"), ("tmvar", "1")]
    assert list(corpus) == list(corpus)


def test_statistics_say_everything_that_was_left_out() -> None:
    gene = frozenset({GENE, SPECIES})
    corpus = MergedCorpus(
        [
            source(
                "bioid",
                [
                    native(
                        "The siGli1 mouse. It is lost.",
                        (6, 10, GENE),
                        (4, 10, GENE),
                        (11, 16, SPECIES),
                        (11, 16, SPECIES),
                        (13, 20, SPECIES),
                        name="1",
                        article="7",
                        labels=gene,
                        unmapped=(("GO", 2),),
                    ),
                    native("A caption.", name="2", article="7", labels=gene, unmapped=(("GO", 1), ("CL", 1))),
                ],
            ),
            source("sourcedata", [native("A  caption .", name="1"), native("Cancer.", (0, 6, DISEASE), name="2")]),
        ]
    )
    statistics = corpus.statistics()
    bioid = statistics.corpora["bioid"]
    assert (bioid.documents, bioid.articles, bioid.sentences, bioid.joined) == (2, 1, 2, 1)
    assert bioid.mentions == {GENE: 1, SPECIES: 1}
    assert bioid.overlapping == {GENE: 1, SPECIES: 1}
    assert bioid.dropped == 2
    assert bioid.repeated == {SPECIES: 1}
    assert bioid.unmapped == {"GO": 3, "CL": 1}
    assert bioid.as_json()["mentions"] == {"GENE": 1, "SPECIES": 1, "DISEASE": None}
    sourcedata = statistics.corpora["sourcedata"]
    assert (sourcedata.documents, sourcedata.duplicates) == (1, 1)
    assert statistics.total.documents == 3
    assert statistics.total.words == sum((8, 3, 2))
    assert statistics.total.mentions == {GENE: 1, SPECIES: 1, DISEASE: 1}


def test_twins_are_found_before_the_sample_is_drawn() -> None:
    bioid = [native(f"Caption {n} shows mice.", name=f"{n}") for n in range(20)]
    twins = [native(f"Caption {n} shows mice .", name=f"{n}") for n in range(10, 30)]
    corpus = MergedCorpus([source("bioid", bioid), source("sourcedata", twins)], sentences=8)
    drawn = [each.sentences[0].text for each in corpus if each.corpus == "sourcedata"]
    assert drawn
    assert all(int(text.split()[1]) >= 20 for text in drawn)
    assert corpus.statistics().corpora["sourcedata"].duplicates == 10


def test_repeated_document_id_is_refused_across_files() -> None:
    corpus = MergedCorpus([source("mine", [native("A.")]), source("mine", [native("B.")])])
    with pytest.raises(CorpusError, match="expected each document id once in mine, found '1' again"):
        list(corpus)


def test_same_id_in_two_corpora_is_fine() -> None:
    corpus = MergedCorpus([source("mine", [native("A.")]), source("yours", [native("B.")])])
    assert len(list(corpus)) == 2


def test_skipped_documents_are_counted_and_listed_once() -> None:
    documents = [native("A."), native("B."), native("C", (0, 5, GENE), name="2"), native("D.", name="3")]
    corpus = MergedCorpus([source("mine", documents)], on_bad_document="skip")
    assert [each.sentences[0].text for each in corpus] == ["A.", "D."]
    list(corpus)
    statistics = corpus.statistics()
    assert statistics.total.bad == 2
    assert [error.found for error in statistics.errors] == ["'1' again", "GENE 0-5"]


def test_errors_of_readers_are_listed() -> None:
    def read(bad: BadDocuments) -> Iterator[NativeDocument]:
        yield native("A.")
        bad.report(CorpusError(Path("x"), 3, expected="six columns", found="five", advice="repair it"))
        yield native("B.", name="2")

    skipping = MergedCorpus([Source("mine", read)], on_bad_document="skip", sentences=10)
    assert len(list(skipping)) == 2
    assert [error.line for error in skipping.statistics().errors] == [3]
    with pytest.raises(CorpusError, match="six columns"):
        list(MergedCorpus([Source("mine", read)]))


def test_digest_depends_on_everything_but_the_path() -> None:
    document = native("The siGli1 mouse.", (6, 10, GENE))

    def digest(changed: NativeDocument, name: str = "mine") -> str:
        return MergedCorpus([source(name, [changed])]).sha256()

    base = digest(document)
    assert digest(replace(document, path=Path("elsewhere.txt"), line=7)) == base
    others = [
        digest(document, "yours"),
        digest(replace(document, id="2")),
        digest(replace(document, article="2")),
        digest(replace(document, text="The siGli2 mouse.")),
        digest(replace(document, mentions=())),
        digest(replace(document, labels=frozenset({GENE}))),
        digest(replace(document, passages=((0, 10), (10, 17)))),
    ]
    assert len({base, *others}) == len(others) + 1


def test_digest_is_the_same_on_every_machine() -> None:
    corpus = MergedCorpus([generated("mine", 3)], sentences=10, seed=4)
    assert corpus.sha256() == "bc80f9bb5e7b830b63cdff0db34b9c8e3ad3a255e39661445a1d718228cf35a0"


def test_digest_needs_no_reading_after_an_iteration() -> None:
    readings = []

    def read(bad: BadDocuments) -> Iterator[NativeDocument]:
        del bad
        readings.append(1)
        yield native("A.")

    corpus = MergedCorpus([Source("mine", read)])
    list(corpus)
    corpus.sha256()
    corpus.statistics()
    assert len(readings) == 1


def test_unfinished_iteration_leaves_no_half_statistics() -> None:
    corpus = MergedCorpus([source("mine", [native("A."), native("B.", name="2")])])
    next(iter(corpus))
    assert corpus.statistics().total.documents == 2


def test_files_that_change_meanwhile_are_noticed() -> None:
    documents = [native("A.")]
    corpus = MergedCorpus([source("mine", documents)])
    list(corpus)
    documents.append(native("B.", name="2"))
    with pytest.raises(ValueError, match="changed meanwhile"):
        list(corpus)


def test_corpus_travels_to_another_process() -> None:
    corpus = MergedCorpus([generated("mine", 2)], sentences=5)
    assert list(pickle.loads(pickle.dumps(corpus))) == list(corpus)


def test_no_corpus_and_unknown_policy_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one corpus"):
        MergedCorpus([])
    with pytest.raises(ValueError, match="policy"):
        MergedCorpus([source("mine", [])], on_bad_document="ignore")  # type: ignore[arg-type]


def test_memory_stays_flat() -> None:
    """A sentence leaves 40 bytes of fingerprint behind; its document would be 340."""

    def peak_bytes(articles: int) -> int:
        corpus = MergedCorpus([generated("mine", articles)])
        tracemalloc.start()
        try:
            sentences = sum(len(document.sentences) for document in corpus)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert sentences == 10 * articles
        return peak

    assert peak_bytes(2_200) - peak_bytes(200) < 100 * 20_000
