from __future__ import annotations

import json

from typing import TYPE_CHECKING

import pytest

from hypothesis import given
from hypothesis import settings
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

from leanner.scoring import agreement
from leanner.scoring.agreement import second_opinion
from leanner.scoring.counts import count_matches
from leanner.scoring.f1 import f1_scores
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from leanner.types import Span
from scoring.scored_documents import LABELS
from scoring.scored_documents import tagged_documents


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction

Tagged = list[tuple[Document, "Prediction"]]


def document(text: str, *spans: Span) -> Document:
    return Document("1", "A", "x", frozenset(Label), (Sentence(text, 0, spans),))


@settings(max_examples=300)
@given(tagged_documents(on_words=True))
def test_on_whole_words_seqeval_and_we_agree_exactly(tagged: Tagged) -> None:
    documents, predictions = [d for d, _ in tagged], [p for _, p in tagged]
    opinion = second_opinion(documents, predictions)
    scores = f1_scores(count_matches(documents, predictions)).overall

    assert (opinion.gold_left_out, opinion.predicted_left_out) == (0, 0)
    assert opinion.exact
    pairs = [(opinion.micro, scores.micro), *((opinion.labels[label], scores.labels[label]) for label in LABELS)]
    for theirs, ours in pairs:
        # seqeval divides thrice and we once: equal to the last digit but one.
        assert theirs == (None if ours is None else pytest.approx(ours, rel=1e-15, abs=0))


@given(tagged_documents())
def test_what_words_cannot_represent_is_counted_and_the_rest_agrees(tagged: Tagged) -> None:
    documents, predictions = [d for d, _ in tagged], [p for _, p in tagged]
    opinion = second_opinion(documents, predictions)
    total = count_matches(documents, predictions).total()

    assert opinion.exact
    assert opinion.gold + opinion.gold_left_out == total.tp + total.fn
    json.dumps(opinion.to_dict(), allow_nan=False)


def test_a_mention_glued_to_letters_is_left_out() -> None:
    opinion = second_opinion(
        [document("siGli1 in mice", Span(2, 6, Label.GENE), Span(10, 14, Label.SPECIES))],
        [((Span(2, 6, Label.GENE), Span(10, 14, Label.SPECIES)),)],
    )

    assert (opinion.gold, opinion.gold_left_out, opinion.predicted_left_out) == (1, 1, 1)
    assert opinion.labels == {Label.GENE: None, Label.SPECIES: 1.0, Label.DISEASE: None}


def test_overlapping_predictions_cannot_share_words() -> None:
    opinion = second_opinion(
        [document("breast cancer gene", Span(0, 13, Label.DISEASE))],
        [((Span(0, 13, Label.DISEASE), Span(7, 18, Label.GENE)),)],
    )

    assert opinion.predicted_left_out == 1
    assert opinion.micro == 1.0


def test_f29_tags_without_a_beginning_are_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """``I-X I-X``: seqeval's default, which is lenient, takes it for an entity; the second opinion must not."""
    gold, predicted = [["B-X", "I-X"]], [["I-X", "I-X"]]
    assert f1_score(gold, predicted) == 1.0
    assert f1_score(gold, predicted, mode="strict", scheme=IOB2, zero_division=0) == 0.0

    made: list[list[str]] = []
    tags = agreement._tags

    def without_a_beginning(length: int, spans: list[tuple[int, int, Label]]) -> list[str]:
        made.append(tags(length, spans))
        # the first are gold
        return made[-1] if len(made) == 1 else [tag.replace("B-", "I-") for tag in made[-1]]

    monkeypatch.setattr(agreement, "_tags", without_a_beginning)
    opinion = second_opinion([document("p53 gene", Span(0, 8, Label.GENE))], [((Span(0, 8, Label.GENE),),)])
    assert made == [["B-GENE", "I-GENE"]] * 2
    assert (opinion.micro, opinion.exact) == (0.0, False)


def test_f29_adjacent_spans_of_a_label_stay_apart() -> None:
    """Lenient matching would call one long span and two short ones equal in places."""
    opinion = second_opinion(
        [document("p53 p63", Span(0, 3, Label.GENE), Span(4, 7, Label.GENE))], [((Span(0, 7, Label.GENE),),)]
    )

    assert opinion.micro == 0.0
    assert opinion.exact


@pytest.mark.parametrize("text", ["", " ", "no mention here"])
def test_f29_nothing_to_find_is_unknown_without_warnings(text: str) -> None:
    opinion = second_opinion([document(text)], [((),)])

    assert opinion.micro is None
    assert set(opinion.labels.values()) == {None}
    assert opinion.exact


def test_a_label_with_gold_only_or_predictions_only_is_zero() -> None:
    opinion = second_opinion([document("p53 mice", Span(0, 3, Label.GENE))], [((Span(4, 8, Label.SPECIES),),)])

    assert (opinion.labels[Label.GENE], opinion.labels[Label.SPECIES], opinion.micro) == (0.0, 0.0, 0.0)
    assert type(opinion.micro) is float
    assert opinion.exact
