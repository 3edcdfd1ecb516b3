from __future__ import annotations

import json
import math

from typing import TYPE_CHECKING
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.scoring.counts import count_matches
from leanner.scoring.f1 import f1_scores
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from scoring.scored_documents import LABELS
from scoring.scored_documents import counts_of
from scoring.scored_documents import tagged_documents
from scoring.span_oracle import naive_matches


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction


def test_known_scores() -> None:
    scores = f1_scores(
        counts_of(
            [
                ("A", "1", [(3, 1, 0), (0, 0, 0), (2, 0, 2)]),
                ("A", "2", [(1, 0, 1), (0, 0, 0), (0, 0, 0)]),
                ("B", "1", [(0, 2, 1), (0, 0, 0), (0, 0, 0)]),
            ]
        )
    )

    assert scores.micro == pytest.approx(12 / 19)
    assert scores.precision == pytest.approx(6 / 9)
    assert scores.recall == pytest.approx(6 / 10)
    assert scores.overall.labels == {
        Label.GENE: pytest.approx(8 / 13),
        Label.SPECIES: None,
        Label.DISEASE: pytest.approx(4 / 6),
    }
    assert scores.by_corpus["A"].micro == pytest.approx(12 / 16)
    assert scores.by_corpus["B"].micro == 0.0
    assert scores.macro_over_corpora == pytest.approx(12 / 16 / 2)
    assert scores.reasons["SPECIES"] == "neither gold nor predicted spans"
    assert scores.reasons["by_corpus.B.DISEASE"] == "neither gold nor predicted spans"


def test_every_kind_of_unknown_has_its_reason() -> None:
    documents = [
        Document("1", "A", "1", frozenset({Label.GENE, Label.SPECIES}), (Sentence("p53"),)),
        Document("2", "B", "2", frozenset({Label.GENE}), ()),
    ]
    scores = f1_scores(count_matches(documents, [((),), ()], labels=[Label.GENE, Label.DISEASE]))

    assert scores.to_dict() == {
        "micro": None,
        "GENE": None,
        "SPECIES": None,
        "DISEASE": None,
        "precision": None,
        "recall": None,
        "by_corpus": {
            name: dict.fromkeys(("micro", "GENE", "SPECIES", "DISEASE", "precision", "recall")) for name in "AB"
        },
        "macro_over_corpora": None,
        "reasons": scores.reasons,
    }
    assert scores.reasons["GENE"] == "neither gold nor predicted spans"
    assert scores.reasons["by_corpus.A.SPECIES"] == "the tagger does not give this label"
    assert scores.reasons["by_corpus.B.DISEASE"] == "not annotated here"
    assert scores.reasons["macro_over_corpora"] == "no corpus has a micro F1"


@given(tagged_documents(), st.sets(st.sampled_from(LABELS)))
def test_scores_are_those_of_the_oracle(tagged: list[tuple[Document, Prediction]], labels: set[Label]) -> None:
    scores = f1_scores(count_matches((d for d, _ in tagged), (p for _, p in tagged), labels=labels)).to_dict()

    corpora = {document.corpus for document, _ in tagged}
    assert set(scores["by_corpus"]) == corpora
    _expect(scores, tagged, labels, None)
    for corpus in corpora:
        _expect(scores["by_corpus"][corpus], tagged, labels, corpus)
    known = [part["micro"] for part in scores["by_corpus"].values() if part["micro"] is not None]
    assert scores["macro_over_corpora"] == (pytest.approx(math.fsum(known) / len(known)) if known else None)


@given(tagged_documents())
def test_the_record_is_json_and_each_null_has_a_reason(tagged: list[tuple[Document, Prediction]]) -> None:
    scores = f1_scores(count_matches((d for d, _ in tagged), (p for _, p in tagged))).to_dict()

    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    assert {type(value) for value in _leaves(scores).values()} <= {float, type(None)}
    assert {place for place, value in _leaves(scores).items() if value is None} == set(scores["reasons"])


def _expect(
    scores: dict[str, Any], tagged: list[tuple[Document, Prediction]], labels: set[Label], corpus: str | None
) -> None:
    tp, fp, fn = naive_matches(tagged, labels, corpus)
    assert scores["precision"] == (tp / (tp + fp) if tp + fp else None)
    assert scores["recall"] == (tp / (tp + fn) if tp + fn else None)
    for name, wanted in [("micro", labels), *[(label.value, labels & {label}) for label in LABELS]]:
        tp, fp, fn = naive_matches(tagged, wanted, corpus)
        assert scores[name] == (pytest.approx(tp / (tp + (fp + fn) / 2)) if tp + fp + fn else None)


def _leaves(scores: dict[str, Any], prefix: str = "") -> dict[str, float | None]:
    leaves: dict[str, float | None] = {}
    for name, value in scores.items():
        if isinstance(value, dict):
            leaves |= {} if name == "reasons" else _leaves(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves
