from __future__ import annotations

from collections import Counter

import pytest

from hypothesis import given
from hypothesis import strategies as st

from corpora.synthetic import native
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.corpora.resolve import resolve
from leanner.types import Document
from leanner.types import Label
from leanner.types import Span


GENE, SPECIES, DISEASE = Label.GENE, Label.SPECIES, Label.DISEASE


def spans(document: Document) -> list[tuple[int, int, Label]]:
    """The spans in offsets of the document."""
    return [
        (sentence.start + span.start, sentence.start + span.end, span.label)
        for sentence in document.sentences
        for span in sentence.spans
    ]


def test_longest_mention_wins() -> None:
    document, counts = resolve(native("breast cancer type 1 protein", (0, 13, DISEASE), (0, 28, GENE)), "mine")
    assert spans(document) == [(0, 28, GENE)]
    assert counts.overlapping == {DISEASE: 1}


def test_leftmost_of_equally_long_mentions_wins() -> None:
    document, counts = resolve(native("abcdef", (2, 5, GENE), (0, 3, SPECIES)), "mine")
    assert spans(document) == [(0, 3, SPECIES)]
    assert counts.overlapping == {GENE: 1}


def test_same_span_is_gene_then_disease_then_species() -> None:
    document, counts = resolve(native("VHL", (0, 3, SPECIES), (0, 3, DISEASE), (0, 3, GENE)), "mine")
    assert spans(document) == [(0, 3, GENE)]
    assert counts.overlapping == {SPECIES: 1, DISEASE: 1}
    document, _ = resolve(native("VHL", (0, 3, SPECIES), (0, 3, DISEASE)), "mine")
    assert spans(document) == [(0, 3, DISEASE)]


def test_mention_that_a_dropped_one_overlaps_stays() -> None:
    # the middle one gives way to the first; the last touches only the middle one
    document, _ = resolve(native("abcdefghij", (0, 5, GENE), (4, 8, GENE), (7, 10, GENE)), "mine")
    assert spans(document) == [(0, 5, GENE), (7, 10, GENE)]


def test_touching_mentions_both_stay() -> None:
    document, counts = resolve(native("siGli1", (0, 2, GENE), (2, 6, GENE)), "mine")
    assert spans(document) == [(0, 2, GENE), (2, 6, GENE)]
    assert counts.overlapping == {}


def test_exact_copies_are_counted_apart() -> None:
    document, counts = resolve(native("mouse", *[(0, 5, SPECIES)] * 3), "mine")
    assert spans(document) == [(0, 5, SPECIES)]
    assert counts.repeated == {SPECIES: 2}
    assert counts.overlapping == {}


def test_spans_are_relative_to_their_sentence() -> None:
    text = "TP53 is lost. BRCA1 is not."
    document, counts = resolve(native(text, (0, 4, GENE), (14, 19, GENE)), "mine")
    assert [sentence.text for sentence in document.sentences] == ["TP53 is lost.", "BRCA1 is not."]
    assert document.sentences[1].start == 14
    assert document.sentences[1].spans == (Span(0, 5, GENE),)
    assert counts.joined == 0


def test_mention_across_a_border_joins_sentences() -> None:
    text = "It is lost. Here are mice. This one stays."
    document, counts = resolve(native(text, (6, 16, GENE)), "mine")
    assert [sentence.text for sentence in document.sentences] == ["It is lost. Here are mice.", "This one stays."]
    assert counts.joined == 1


def test_dropped_mention_joins_nothing() -> None:
    text = "Loss of TP53. Mice die."
    document, _ = resolve(native(text, (0, 12, GENE), (8, 18, SPECIES)), "mine")
    assert len(document.sentences) == 2


def test_sentences_do_not_cross_passages() -> None:
    text = "Loss of TP53 in mice"
    document, _ = resolve(native(text, passages=((0, 12), (13, 20))), "mine")
    assert [sentence.text for sentence in document.sentences] == ["Loss of TP53", "in mice"]


def test_mention_keeps_its_white_space() -> None:
    text = "It is lost.  Mice die. "
    document, counts = resolve(native(text, (11, 17, SPECIES), (18, 23, DISEASE)), "mine")
    assert spans(document) == [(11, 17, SPECIES), (18, 23, DISEASE)]
    assert [sentence.text for sentence in document.sentences] == ["It is lost.", "  Mice die. "]
    assert counts.outside == {}


@pytest.mark.parametrize(
    "document",
    [
        native("It is lost.  Mice die.", (11, 13, GENE)),
        native("It is lost. Title", (12, 17, GENE), passages=((0, 11),)),
        native("It is lost. Title", (6, 14, GENE), passages=((0, 11),)),
        native("Title. It is lost.", (2, 12, GENE), passages=((7, 18),)),
    ],
    ids=["white space", "behind the passages", "sticks out behind", "sticks out before"],
)
def test_mention_in_no_sentence_is_counted(document: NativeDocument) -> None:
    merged, counts = resolve(document, "mine")
    assert spans(merged) == []
    assert counts.outside == {GENE: 1}


def test_empty_document_has_no_sentences() -> None:
    document, counts = resolve(native(""), "mine")
    assert document.sentences == ()
    assert counts.joined == 0


@pytest.mark.parametrize("offsets", [(3, 6), (-1, 2), (2, 2), (3, 1)])
def test_offsets_outside_the_text_are_refused(offsets: tuple[int, int]) -> None:
    with pytest.raises(CorpusError, match=r"made-up\.txt:1: expected offsets .* found GENE"):
        resolve(native("TP53 "[:5], (*offsets, GENE)), "mine")


def test_label_that_is_not_annotated_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"expected mentions of GENE .* found DISEASE 0-4"):
        resolve(native("TP53", (0, 4, DISEASE), labels=frozenset({GENE})), "mine")


_TEXT = st.text(st.sampled_from("aBi1.?) \n\u03b1\U0001d6fd\u200e\u00a0"), max_size=60)


@st.composite
def documents(draw: st.DrawFn) -> NativeDocument:
    text = draw(_TEXT)
    mentions = []
    if text:
        for _ in range(draw(st.integers(0, 8))):
            start = draw(st.integers(0, len(text) - 1))
            mentions.append((start, draw(st.integers(start + 1, len(text))), draw(st.sampled_from(Label))))
    border = draw(st.integers(0, len(text)))
    passages = draw(st.sampled_from([((0, len(text)),), ((0, border), (border, len(text))), ((border, len(text)),)]))
    return native(text, *mentions, passages=passages)


@given(documents())
def test_every_mention_is_kept_as_annotated_or_counted(document: NativeDocument) -> None:
    merged, counts = resolve(document, "mine")
    annotated = {(m.start, m.end, m.label) for m in document.mentions}
    kept = spans(merged)
    for sentence in merged.sentences:
        assert sentence.text == document.text[sentence.start : sentence.start + len(sentence.text)]
    assert set(kept) <= annotated
    assert len(kept) == len(set(kept))
    lost = sum(map(sum, ((t.values()) for t in (counts.overlapping, counts.repeated, counts.outside))))
    assert len(kept) + lost == len(document.mentions)
    by_label = Counter(label for _, _, label in kept)
    for table in (counts.overlapping, counts.repeated, counts.outside):
        by_label.update(table)
    assert by_label == Counter(m.label for m in document.mentions)


@given(documents())
def test_sentences_are_sorted_and_apart(document: NativeDocument) -> None:
    merged, counts = resolve(document, "mine")
    position = 0
    for sentence in merged.sentences:
        assert sentence.start >= position
        assert sentence.text.strip()
        position = sentence.start + len(sentence.text)
    without, _ = resolve(native(document.text, passages=document.passages), "mine")
    assert counts.joined == len(without.sentences) - len(merged.sentences)


@given(documents())
def test_no_dropped_mention_would_have_fitted(document: NativeDocument) -> None:
    """Greedy by hand: in the order of precedence, a mention is kept exactly if its characters are free."""
    merged, counts = resolve(document, "mine")
    order = {GENE: 0, DISEASE: 1, SPECIES: 2}
    taken: set[int] = set()
    expected = set()
    for m in sorted(set(document.mentions), key=lambda m: (m.start - m.end, m.start, order[m.label])):
        characters = set(range(m.start, m.end))
        if document.text[m.start : m.end].strip() and not characters & taken:
            taken |= characters
            expected.add((m.start, m.end, m.label))
    assert set(spans(merged)) <= expected
    blank = sum(not document.text[m.start : m.end].strip() for m in set(document.mentions))
    assert len(expected) - len(spans(merged)) == sum(counts.outside.values()) - blank
