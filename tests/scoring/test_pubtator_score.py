from __future__ import annotations

import itertools
import json
import os

from collections import Counter
from pathlib import Path

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.scoring.matches import Matches
from leanner.scoring.mentions import PubTatorMentions
from leanner.scoring.mentions import read_mentions
from leanner.scoring.pubtator_score import remarks
from leanner.scoring.pubtator_score import report
from leanner.scoring.pubtator_score import score_documents
from leanner.types import Label
from leanner.types import Span
from scoring.scored_documents import LABELS


GENE, SPECIES, DISEASE = Label.GENE, Label.SPECIES, Label.DISEASE
SPANS = st.builds(
    lambda start, length, label: Span(start, start + length, label),
    st.integers(0, 6),
    st.integers(1, 4),
    st.sampled_from((GENE, DISEASE)),
)
FILES = st.dictionaries(st.sampled_from("abc"), st.sets(SPANS, max_size=6))


@pytest.mark.parametrize(
    ("start", "end", "relaxed"),
    [
        *[(start, end, 1) for start in (9, 10, 11) for end in (14, 15, 16)],
        *[(8, 15, 0), (12, 15, 0), (10, 13, 0), (10, 17, 0), (9, 17, 0)],
    ],
)
def test_each_border_may_differ_by_one_character(start: int, end: int, relaxed: int) -> None:
    gold, predicted = {"1": {Span(10, 15, GENE)}}, {"1": {Span(start, end, GENE)}}

    assert score_documents(gold, predicted, "relaxed")[GENE] == Matches(relaxed, 1 - relaxed, 1 - relaxed)
    same = int((start, end) == (10, 15))
    assert score_documents(gold, predicted, "strict")[GENE] == Matches(same, 1 - same, 1 - same)


def test_labels_must_be_equal() -> None:
    totals = score_documents({"1": {Span(0, 3, GENE)}}, {"1": {Span(0, 3, SPECIES)}}, "relaxed")

    assert totals == {GENE: Matches(fn=1), SPECIES: Matches(fp=1), DISEASE: Matches()}


def test_a_gold_mention_is_matched_once() -> None:
    totals = score_documents({"1": {Span(5, 9, GENE)}}, {"1": {Span(5, 9, GENE), Span(4, 9, GENE)}}, "relaxed")

    assert totals[GENE] == Matches(tp=1, fp=1)


def test_the_largest_pairing_is_found() -> None:
    """Taking the equal pair first would leave the other two alone."""
    gold = {"1": {Span(4, 9, GENE), Span(5, 10, GENE)}}
    predicted = {"1": {Span(5, 10, GENE), Span(6, 11, GENE)}}

    assert score_documents(gold, predicted, "relaxed")[GENE] == Matches(tp=2)


def test_a_document_in_one_file_only_is_all_missed_or_all_false() -> None:
    totals = score_documents({"1": {Span(0, 3, GENE)}}, {"2": {Span(0, 3, GENE)}})

    assert totals[GENE] == Matches(tp=0, fp=1, fn=1)


@given(FILES, FILES)
def test_strict_is_set_arithmetic_over_documents(gold: dict[str, set[Span]], predicted: dict[str, set[Span]]) -> None:
    totals = score_documents(gold, predicted)

    for label in LABELS:
        one, other = (
            Counter((name, s.start, s.end) for name, spans in file.items() for s in spans if s.label == label)
            for file in (gold, predicted)
        )
        assert totals[label] == Matches((one & other).total(), (other - one).total(), (one - other).total())


@given(st.sets(SPANS, max_size=5), st.sets(SPANS, max_size=5))
def test_relaxed_is_the_largest_of_all_pairings(gold: set[Span], predicted: set[Span]) -> None:
    totals = score_documents({"1": gold}, {"1": predicted}, "relaxed")
    strict = score_documents({"1": gold}, {"1": predicted}, "strict")
    mirrored = score_documents({"1": predicted}, {"1": gold}, "relaxed")

    for label in LABELS:
        wanted = [span for span in gold if span.label == label]
        found = [span for span in predicted if span.label == label]
        few, many = sorted((wanted, found), key=len)
        best = max(
            sum(abs(a.start - b.start) <= 1 and abs(a.end - b.end) <= 1 for a, b in zip(few, chosen, strict=True))
            for chosen in itertools.permutations(many, len(few))
        )
        assert totals[label] == Matches(best, len(found) - best, len(wanted) - best)
        assert totals[label].tp >= strict[label].tp
        assert mirrored[label].tp == best


def test_report_has_the_shape_that_was_promised() -> None:
    result = report(score_documents({"1": {Span(0, 3, GENE), Span(4, 6, GENE)}}, {"1": {Span(0, 3, GENE)}}))

    assert list(result) == ["strict"]
    assert list(result["strict"]) == ["GENE", "SPECIES", "DISEASE", "micro"]
    gene = {"tp": 1, "fp": 0, "fn": 1, "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)}
    nothing = {"tp": 0, "fp": 0, "fn": 0, "precision": None, "recall": None, "f1": None}
    assert result["strict"] == {"GENE": gene, "SPECIES": nothing, "DISEASE": nothing, "micro": gene}
    json.dumps(result, allow_nan=False)


def test_remarks_tell_what_the_scores_hide() -> None:
    gold = PubTatorMentions(
        Path("gold"), {"1": set(), "2": set()}, {"1": 5, "2": 6}, Counter(Chemical=3), relations=4, misplaced=[7, 9]
    )
    predicted = PubTatorMentions(Path("predicted"), {"1": set(), "3": set()}, {"1": 8})

    assert remarks(gold, predicted) == [
        "1 document (2) only in gold: all mentions there count as missed",
        "1 document (3) only in predicted: all mentions there count as false",
        "1 document (1) with different texts: the offsets may not mean the same",
        "gold: types not scored: Chemical (3)",
        "gold: 4 relation lines passed over",
        "gold:7: the text at the offsets is not the mention (2 such lines); offsets are scored as they stand",
    ]
    assert remarks(predicted, predicted) == []


@pytest.mark.skipif("LEANNER_CORPORA" not in os.environ, reason="LEANNER_CORPORA does not name the native corpora")
def test_golden_numbers_of_hunflair2_on_tmvar() -> None:
    corpora = Path(os.environ["LEANNER_CORPORA"])
    predicted = corpora / "hunflair2_predictions" / "tmvar3.txt"
    if not predicted.exists():
        pytest.skip(f"{predicted} is not there")
    gold = read_mentions(corpora / "tmvar3" / "tmVar3Corpus.txt")

    totals = score_documents(gold.spans, read_mentions(predicted).spans)

    assert totals == {
        GENE: Matches(2_356, 467, 284),
        SPECIES: Matches(984, 49, 186),
        DISEASE: Matches(2_675, 633, 560),
    }
    relaxed = score_documents(gold.spans, read_mentions(predicted).spans, "relaxed")
    assert [relaxed[label].tp for label in (GENE, SPECIES, DISEASE)] == [2_362, 984, 2_681]
