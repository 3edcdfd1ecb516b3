from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hypothesis import given
from scipy import stats

from leanner.scoring.by_part import f1_interval
from leanner.scoring.by_part import loss_on
from leanner.scoring.by_part import part_of
from leanner.scoring.counts import LABELS
from leanner.scoring.counts import count_matches
from scoring.scored_documents import counts_of
from scoring.scored_documents import tagged_documents
from scoring.span_oracle import naive_matches


ARTICLES = 60


@given(tagged_documents())
def test_the_counts_of_a_part_are_those_of_its_spans(tagged: Any) -> None:  # noqa: ANN401 - drawn
    counts = count_matches([document for document, _ in tagged], [prediction for _, prediction in tagged])

    for label in (None, *LABELS):
        for corpus in (None, *counts.corpora):
            found = part_of(counts, label=label, corpus=corpus).total()
            expected = naive_matches(tagged, LABELS if label is None else [label], corpus)
            assert (found.tp, found.fp, found.fn) == expected


def drawn(seed: int, corpus: str = "A") -> list[tuple[str, str, list[tuple[int, int, int]]]]:
    random = np.random.default_rng(seed)
    return [
        (corpus, f"{article:03d}", [tuple(row) for row in random.poisson((4, 1, 1.5), (3, 3)).tolist()])
        for article in range(ARTICLES)
    ]


def test_an_interval_is_that_of_a_plain_bootstrap() -> None:
    counts = counts_of(drawn(3))
    found = f1_interval(counts, resamples=20_000)
    tp, fp, fn = counts.matches.sum(axis=1).T

    def f1(tp: Any, fp: Any, fn: Any, axis: int) -> Any:  # noqa: ANN401 - arrays
        return 2 * tp.sum(axis) / (2 * tp + fp + fn).sum(axis)

    oracle = stats.bootstrap(
        (tp, fp, fn),
        f1,
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="BCa",
        random_state=np.random.default_rng(5),
    ).confidence_interval
    width = oracle.high - oracle.low

    assert found.f1 == pytest.approx(f1(tp, fp, fn, 0))
    assert found.low == pytest.approx(oracle.low, abs=0.04 * width)
    assert found.high == pytest.approx(oracle.high, abs=0.04 * width)
    assert found.reason is None


def test_what_has_no_interval_says_why() -> None:
    few = counts_of(drawn(4)[:19])
    without = counts_of([("A", str(n), [(0, 1, 0)] * 3) for n in range(30)])

    assert f1_interval(few).reason == "19 articles; an interval takes at least 20"
    assert f1_interval(few).f1 == few.total().f1
    assert f1_interval(without).reason == "no gold spans"
    assert (f1_interval(without).f1, f1_interval(without).low) == (0.0, None)


def test_a_loss_on_a_corpus_is_of_its_articles_alone() -> None:
    before = counts_of([*drawn(3), *drawn(8, "B")])
    lost = [("A", article, [(0, 0, tp + fn) for tp, _, fn in rows]) for _, article, rows in drawn(3)]
    after = counts_of([*lost, *drawn(8, "B")])

    assert loss_on(before, after, corpus="B", seed=1).points == 0
    assert loss_on(before, after, corpus="A", seed=1).points == pytest.approx(
        100 * (counts_of(drawn(3)).total().f1 or 0)
    )
