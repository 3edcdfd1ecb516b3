from __future__ import annotations

import subprocess
import sys

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.scoring.counts import count_matches
from leanner.scoring.matches import Matches
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span
from scoring.scored_documents import LABELS
from scoring.scored_documents import tagged_documents
from scoring.span_oracle import naive_matches


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction

Tagged = list[tuple[Document, "Prediction"]]
GENE, SPECIES, DISEASE = Label.GENE, Label.SPECIES, Label.DISEASE


def document(spans: list[Span], *, labels: set[Label] | None = None, corpus: str = "A", article: str = "x") -> Document:
    return Document(
        "1", corpus, article, frozenset(labels or set(Label)), (Sentence("BRCA1 in mice", 0, tuple(spans)),)
    )


def test_borders_and_label_must_be_equal() -> None:
    gold = [Span(0, 5, GENE), Span(9, 13, SPECIES)]
    counts = count_matches([document(gold)], [((Span(0, 5, DISEASE), Span(0, 4, GENE), Span(9, 13, SPECIES)),)])

    assert counts.total(GENE) == Matches(tp=0, fp=1, fn=1)
    assert counts.total(SPECIES) == Matches(tp=1)
    assert counts.total(DISEASE) == Matches(fp=1)
    assert counts.total() == Matches(tp=1, fp=2, fn=1)


def test_a_label_that_is_not_annotated_is_unknown_not_wrong() -> None:
    counts = count_matches([document([Span(0, 5, GENE)], labels={GENE})], [((Span(0, 5, GENE), Span(9, 13, SPECIES)),)])

    assert counts.total() == Matches(tp=1)
    assert counts.annotates(GENE)
    assert not counts.annotates(SPECIES)


def test_a_label_that_the_tagger_lacks_is_not_missed() -> None:
    gold = [Span(0, 5, GENE), Span(9, 13, SPECIES)]
    counts = count_matches([document(gold)], [((Span(0, 5, GENE),),)], labels={GENE, DISEASE})

    assert counts.total() == Matches(tp=1)
    assert not counts.annotates(SPECIES)


def test_the_same_span_twice_counts_once() -> None:
    counts = count_matches([document([])], [((Span(0, 5, GENE), Span(0, 5, GENE)),)])

    assert counts.total() == Matches(fp=1)


def test_articles_are_sorted_and_their_documents_summed() -> None:
    documents = [document([Span(0, 5, GENE)], corpus=c, article=a) for c, a in ("By", "Ax", "By", "Ba")]
    counts = count_matches(documents, [((),)] * 4)

    assert counts.keys == (("A", "x"), ("B", "a"), ("B", "y"))
    assert counts.corpora == ("A", "B")
    assert counts.matches[:, 0, 2].tolist() == [1, 1, 2]


def test_nothing_gives_empty_counts() -> None:
    counts = count_matches([], [])

    assert counts.total() == Matches()
    assert counts.matches.shape == (0, 3, 3)
    assert (counts + counts).keys == ()


@pytest.mark.parametrize(
    ("documents", "predictions", "message"),
    [
        ([document([])], [], "a document too many after 0 of each"),
        ([], [((),)], "a prediction too many after 0 of each"),
        ([document([])], [((), ())], "A 1: expected predictions for 1 sentences, found 2"),
        ([document([])], [((Span(9, 14, GENE),),)], "A 1, sentence at 0: expected spans within 13 characters"),
    ],
)
def test_predictions_for_other_documents_are_refused(
    documents: list[Document], predictions: list[Prediction], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        count_matches(documents, predictions)


def test_counts_of_different_labels_do_not_add() -> None:
    with pytest.raises(ValueError, match="expected counts of the labels GENE, found GENE, SPECIES, DISEASE"):
        count_matches([], [], labels=[GENE]) + count_matches([], [])


@given(tagged_documents(), st.sets(st.sampled_from(LABELS)))
def test_counts_are_those_of_the_oracle(tagged: Tagged, labels: set[Label]) -> None:
    counts = count_matches((d for d, _ in tagged), (p for _, p in tagged), labels=labels)

    for corpus in (None, "A", "B"):
        assert counts.total(corpus=corpus) == Matches(*naive_matches(tagged, labels, corpus))
        for label in labels:
            assert counts.total(label, corpus) == Matches(*naive_matches(tagged, [label], corpus))


@given(tagged_documents(), st.data())
def test_counts_add_over_a_partition(tagged: Tagged, data: st.DataObject) -> None:
    first = [data.draw(st.booleans()) for _ in tagged]
    parts = [[pair for pair, chosen in zip(tagged, first, strict=True) if chosen is side] for side in (True, False)]

    whole = count_matches(*_unzipped(tagged))
    summed = count_matches(*_unzipped(parts[0])) + count_matches(*_unzipped(parts[1]))

    assert summed.keys == whole.keys
    assert np.array_equal(summed.matches, whole.matches)
    assert np.array_equal(summed.annotated, whole.annotated)


@given(tagged_documents(), st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_matter(tagged: Tagged, random: object) -> None:
    shuffled = list(tagged)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random

    one, other = count_matches(*_unzipped(tagged)), count_matches(*_unzipped(shuffled))

    assert one.keys == other.keys
    assert np.array_equal(one.matches, other.matches)


def test_scoring_imports_neither_torch_nor_flair() -> None:
    code = (
        "import sys, leanner.scoring.counts, leanner.scoring.f1, leanner.scoring.bootstrap, leanner.scoring.verdict, "
        "leanner.scoring.agreement, leanner.score_cli; print({'torch', 'flair'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout == "set()\n"


def _unzipped(tagged: Tagged) -> tuple[list[Document], list[Prediction]]:
    return [document for document, _ in tagged], [prediction for _, prediction in tagged]
