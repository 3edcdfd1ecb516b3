from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.scoring.counts import count_matches
from leanner.scoring.diff import Tally
from leanner.scoring.diff import diff
from leanner.scoring.diff import spread
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span
from scoring.scored_documents import span_lists
from scoring.scored_documents import tagged_documents


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction

GENE, SPECIES, DISEASE = Label
TEXT = "Loss of BRCA1 in breast cancer of mice"
GOLD = (Span(8, 13, GENE), Span(17, 30, DISEASE), Span(34, 38, SPECIES))


def document(corpus: str = "A", labels: frozenset[Label] = frozenset(Label), number: int = 1) -> Document:
    return Document(str(number), corpus, "x", labels, (Sentence("Title.", 0), Sentence(TEXT, 7, GOLD)))


def test_what_is_gained_and_lost_right_and_wrong() -> None:
    before = [((), (Span(8, 13, GENE), Span(24, 30, DISEASE)))]
    after = [((Span(0, 5, GENE),), (Span(8, 13, SPECIES), Span(17, 30, DISEASE)))]
    found = diff([document()], before, after)

    assert [(c.gained, c.right, c.place, c.mention, c.span.label) for c in found.changes] == [
        (True, False, 0, "Title", GENE),
        (False, True, 1, "BRCA1", GENE),
        (True, False, 1, "BRCA1", SPECIES),
        (True, True, 1, "breast cancer", DISEASE),
        (False, False, 1, "cancer", DISEASE),
    ]
    assert found.total == Tally(gained_right=1, gained_wrong=2, lost_right=1, lost_wrong=1)
    assert list(found.by_label) == ["DISEASE", "GENE", "SPECIES"]
    assert found.by_words == {"1": Tally(gained_wrong=2, lost_right=1, lost_wrong=1), "2": Tally(gained_right=1)}


def test_a_label_that_is_not_annotated_is_neither_right_nor_wrong() -> None:
    found = diff([document(labels=frozenset({GENE}))], [((), (GOLD[1],))], [((), (GOLD[0],))])

    assert [change.right for change in found.changes] == [True, None]
    assert found.total == Tally(gained_right=1, unscored=1)


def test_long_mentions_are_counted_together() -> None:
    long = Document("1", "A", "x", frozenset(Label), (Sentence("a b c d e f g", 0),))
    found = diff([long], [((Span(0, 9, GENE),),)], [((Span(0, 13, GENE), Span(0, 7, GENE)),)])

    assert {words: (t.gained_wrong, t.lost_wrong) for words, t in found.by_words.items()} == {"4": (1, 0), "5+": (1, 1)}


def test_the_same_spans() -> None:
    found = diff([document()], [((), GOLD)], [((), GOLD[::-1])])

    assert found.changes == ()
    assert found.total == Tally()
    assert spread(found, 5) == []


def test_sentences_of_each_corpus_in_turn() -> None:
    documents = [document(corpus, number=number) for number, corpus in enumerate("AAAB")]
    found = diff(documents, [((), ())] * 4, [((), GOLD)] * 4)

    assert [(c[0].corpus, c[0].document, len(c)) for c in spread(found, 3)] == [
        ("A", "0", 3),
        ("B", "3", 3),
        ("A", "1", 3),
    ]
    assert len(spread(found, 9)) == 4


def test_another_number_of_sentences_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        diff([document()], [((),)], [((), ())])


@given(st.data())
def test_changes_are_the_differences_of_the_matches(data: st.DataObject) -> None:
    tagged = data.draw(tagged_documents())
    documents, before = [d for d, _ in tagged], [p for _, p in tagged]
    after: list[Prediction] = [
        tuple(tuple(data.draw(span_lists(sentence.text))) for sentence in document.sentences) for document in documents
    ]
    found = diff(documents, before, after)
    counts = count_matches(documents, before), count_matches(documents, after)

    for corpus in (None, *counts[0].corpora):
        tally = found.total if corpus is None else found.by_corpus.get(corpus, Tally())
        old, new = (each.total(corpus=corpus) for each in counts)
        assert new.tp - old.tp == tally.gained_right - tally.lost_right
        assert new.fp - old.fp == tally.gained_wrong - tally.lost_wrong
    for label in Label:
        tally = found.by_label.get(label.value, Tally())
        old, new = (each.total(label) for each in counts)
        assert (new.tp - old.tp, new.fp - old.fp) == (
            tally.gained_right - tally.lost_right,
            tally.gained_wrong - tally.lost_wrong,
        )


@given(st.data())
def test_applied_to_one_tagger_the_changes_give_the_other(data: st.DataObject) -> None:
    tagged = data.draw(tagged_documents())
    documents, before = [d for d, _ in tagged], [p for _, p in tagged]
    after: list[Prediction] = [
        tuple(tuple(data.draw(span_lists(sentence.text))) for sentence in document.sentences) for document in documents
    ]
    spans = {(d.id, n): set(s) for d, p in zip(documents, before, strict=True) for n, s in enumerate(p)}
    for change in diff(documents, before, after).changes:
        at = spans[change.document, change.place]
        assert (change.span in at) is not change.gained
        at ^= {change.span}

    assert spans == {(d.id, n): set(s) for d, p in zip(documents, after, strict=True) for n, s in enumerate(p)}
