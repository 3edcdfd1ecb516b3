from __future__ import annotations

import dataclasses
import time
import tracemalloc

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.scoring.bootstrap import MIN_ARTICLES
from leanner.scoring.bootstrap import F1Loss
from leanner.scoring.bootstrap import f1_loss
from scoring.scored_documents import counts_of
from scoring.scored_documents import simulated_counts


if TYPE_CHECKING:
    from leanner.scoring.counts import ArticleCounts


Row = tuple[str, str, list[tuple[int, int, int]]]


@st.composite
def pairs(draw: st.DrawFn, *, min_articles: int = 0) -> tuple[list[Row], list[Row]]:
    """Two taggers' counts on the same gold."""
    both: tuple[list[Row], list[Row]] = ([], [])
    for number in range(draw(st.integers(min_articles, 40))):
        corpus = draw(st.sampled_from("ABC"))
        gold = [draw(st.integers(0, 6)) for _ in range(3)]
        for rows in both:
            matches = []
            for spans in gold:
                tp = draw(st.integers(0, spans))
                matches.append((tp, draw(st.integers(0, 4)), spans - tp))
            rows.append((corpus, f"{number:02d}", matches))
    return both


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_equal_predictions_lose_exactly_nothing(both: tuple[list[Row], list[Row]]) -> None:
    counts = counts_of(both[0])
    loss = f1_loss(counts, counts, resamples=1_000)

    assert loss.points in (0.0, None)
    if loss.low is not None:
        assert (loss.points, loss.low, loss.high) == (0.0, 0.0, 0.0)


@settings(max_examples=40, deadline=None)
@given(pairs(min_articles=MIN_ARTICLES), st.integers(0, 2**32))
def test_interval_is_ordered_finite_and_repeatable(both: tuple[list[Row], list[Row]], seed: int) -> None:
    baseline, candidate = map(counts_of, both)
    loss = f1_loss(baseline, candidate, resamples=1_000, seed=seed)

    assert loss == f1_loss(baseline, candidate, resamples=1_000, seed=seed)
    if loss.reason is None:
        assert loss.low is not None
        assert loss.high is not None
        assert -100 <= loss.low <= loss.high <= 100
        assert (type(loss.points), type(loss.low), type(loss.high)) == (float, float, float)
    else:
        assert loss.low is loss.high is None


@settings(max_examples=40, deadline=None)
@given(pairs(), st.randoms(use_true_random=False))
def test_permuting_articles_within_a_corpus_keeps_the_loss(both: tuple[list[Row], list[Row]], random: object) -> None:
    order = list(range(len(both[0])))
    random.shuffle(order)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    renamed = [counts_of([(c, f"{order[i]:02d}", m) for i, (c, _, m) in enumerate(rows)]) for rows in both]

    assert f1_loss(*renamed, resamples=1_000).points == f1_loss(*map(counts_of, both), resamples=1_000).points


def test_loss_is_positive_where_the_candidate_is_worse() -> None:
    baseline, candidate = simulated_counts(200, seed=1, recalls=(0.9, 0.8))
    loss = f1_loss(baseline, candidate)

    assert loss.points is not None
    assert loss.points == pytest.approx(100 * (1.8 / 1.9 - 1.6 / 1.8), abs=0.5)
    assert loss.low is not None
    assert 0 < loss.low < loss.points
    back = f1_loss(candidate, baseline)
    assert back.points == -loss.points
    # The same draws: the interval is mirrored.
    assert back.high == pytest.approx(-loss.low)


def test_interval_agrees_with_a_plain_loop() -> None:
    """Draw articles one by one with another generator, score each draw from scratch."""
    baseline, candidate = simulated_counts(400, seed=3, recalls=(0.9, 0.86), corpora=3)
    loss = f1_loss(baseline, candidate)

    random = np.random.default_rng(99)
    losses = []
    for _ in range(2_000):
        rows: list[int] = []
        for corpus in baseline.corpora:
            own = [i for i, (name, _) in enumerate(baseline.keys) if name == corpus]
            rows += random.choice(own, size=len(own)).tolist()
        f1 = []
        for counts in (baseline, candidate):
            tp, fp, fn = counts.matches[rows].sum(axis=(0, 1)).tolist()
            f1.append(tp / (tp + (fp + fn) / 2))
        losses.append(100 * (f1[0] - f1[1]))
    low, high = np.percentile(losses, [2.5, 97.5])

    assert loss.low == pytest.approx(low, abs=0.1 * (high - low))
    assert loss.high == pytest.approx(high, abs=0.1 * (high - low))


def test_interval_covers_the_true_loss_about_as_often_as_it_says() -> None:
    recalls = (0.90, 0.88)
    truth = 100 * (2 * 0.90 / 1.90 - 2 * 0.88 / 1.88)
    covered = 0
    for seed in range(200):
        loss = f1_loss(*simulated_counts(60, seed=seed, recalls=recalls, mentions=5), resamples=1_000)
        assert loss.low is not None
        assert loss.high is not None
        covered += loss.low <= truth <= loss.high

    # 95 % of 200 is 190, standard deviation 3.1.
    assert 182 <= covered <= 198


def test_a_loss_at_the_bound_rarely_seems_smaller() -> None:
    """The error that matters: an interval wholly below the true loss passes what should not."""
    recalls = (0.90, 0.88)
    truth = 100 * (2 * 0.90 / 1.90 - 2 * 0.88 / 1.88)
    missed = 0
    for seed in range(200):
        loss = f1_loss(*simulated_counts(20, seed=seed, recalls=recalls, mentions=5), resamples=1_000)
        assert loss.high is not None
        missed += loss.high < truth

    # Nominally 5 of 200; the percentile interval of n draws misses 22.
    assert missed <= 12


def test_pairing_narrows_the_interval() -> None:
    baseline, candidate = simulated_counts(100, seed=5, recalls=(0.9, 0.89))
    other_luck = simulated_counts(100, seed=5, recalls=(0.9, 0.89))[1].matches.copy()
    # The same articles' counts, shuffled among articles with the same gold would unpair them;
    # moving the misses to other articles by hand keeps gold and total.
    gold = other_luck[:, :, 0] + other_luck[:, :, 2]
    random = np.random.default_rng(1)
    found = random.binomial(gold, 0.89)
    unpaired = dataclasses.replace(
        candidate, matches=np.stack([found, np.zeros_like(found), gold - found], axis=2).astype(np.int64)
    )

    assert _width(f1_loss(baseline, candidate)) < 0.7 * _width(f1_loss(baseline, unpaired))


def test_stratified_draws_keep_each_corpus_its_size() -> None:
    """Two corpora that differ only from each other: stratified, there is nothing to vary."""
    easy = [("A", f"{i}", [(10, 0, 0)] * 3) for i in range(30)]
    hard = [("B", f"{i}", [(1, 0, 9)] * 3) for i in range(10)]
    worse = [("B", f"{i}", [(0, 0, 10)] * 3) for i in range(10)]
    loss = f1_loss(counts_of(easy + hard), counts_of(easy + worse))

    assert loss.points is not None
    assert loss.points > 0
    assert loss.low == pytest.approx(loss.points)
    assert loss.high == pytest.approx(loss.points)


def test_a_corpus_of_one_article_still_varies() -> None:
    rows = [("A", f"{i:02d}", [(5, 0, 5)] * 3) for i in range(20)]
    alone = [("B", "0", [(50, 0, 0)] * 3)]
    worse = [("B", "0", [(0, 0, 50)] * 3)]

    assert _width(f1_loss(counts_of(rows + alone), counts_of(rows + worse))) > 1


def test_few_articles_give_a_loss_but_no_interval() -> None:
    baseline, candidate = simulated_counts(MIN_ARTICLES - 1, seed=0, recalls=(0.9, 0.8))
    loss = f1_loss(baseline, candidate)

    assert loss.points is not None
    assert loss.points > 0
    assert (loss.low, loss.high) == (None, None)
    assert loss.reason == "19 articles; an interval takes at least 20"


def test_articles_without_annotated_labels_are_no_evidence() -> None:
    baseline, candidate = simulated_counts(MIN_ARTICLES, seed=0, recalls=(0.9, 0.8))
    annotated = baseline.annotated.copy()
    annotated[0] = False
    bare = [dataclasses.replace(counts, annotated=annotated) for counts in (baseline, candidate)]

    assert f1_loss(baseline, candidate).low is not None
    assert f1_loss(*bare).articles == MIN_ARTICLES - 1
    assert f1_loss(*bare).low is None


def test_undefined_f1_is_unknown() -> None:
    nothing = counts_of([("A", f"{i:02d}", [(0, 0, 0)] * 3) for i in range(30)])
    loss = f1_loss(nothing, nothing)

    assert loss.points is None
    assert loss.reason is not None


def test_resamples_without_any_span_are_left_out() -> None:
    rows = [("A", f"{i:02d}", [(int(i == 0), 0, 0), (0, 0, 0), (0, 0, 0)]) for i in range(30)]
    loss = f1_loss(counts_of(rows), counts_of(rows), resamples=1_000)

    assert 0 < loss.resamples < 1_000
    assert (loss.low, loss.high) == (0.0, 0.0)


def test_other_articles_labels_or_gold_are_refused() -> None:
    baseline, _ = simulated_counts(30, seed=0, recalls=(0.9, 0.8))
    fewer, _ = simulated_counts(29, seed=0, recalls=(0.9, 0.8))
    with pytest.raises(ValueError, match="found 1 of the baseline only and 0 of the candidate only"):
        f1_loss(baseline, fewer)
    with pytest.raises(ValueError, match="scored on the same labels"):
        f1_loss(baseline, dataclasses.replace(baseline, labels=frozenset()))
    matches = baseline.matches.copy()
    matches[3, 1, 2] += 1
    with pytest.raises(ValueError, match=f"other numbers in {baseline.keys[3][0]} {baseline.keys[3][1]}"):
        f1_loss(baseline, dataclasses.replace(baseline, matches=matches))


def test_numbers_out_of_range_are_refused() -> None:
    baseline, candidate = simulated_counts(30, seed=0, recalls=(0.9, 0.8))
    with pytest.raises(ValueError, match="at least 1000 resamples, found 999"):
        f1_loss(baseline, candidate, resamples=999)
    with pytest.raises(ValueError, match="confidence between 0 and 1, found 95"):
        f1_loss(baseline, candidate, confidence=95)


@pytest.fixture(scope="module")
def ten_thousand_sentences() -> tuple[ArticleCounts, ArticleCounts]:
    """10,000 sentences in 1,500 articles."""
    return simulated_counts(1_500, seed=0, recalls=(0.85, 0.845), mentions=4)


def test_takes_less_than_a_second(ten_thousand_sentences: tuple[ArticleCounts, ArticleCounts]) -> None:
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        f1_loss(*ten_thousand_sentences)
        seconds.append(time.perf_counter() - start)

    assert min(seconds) < 1


def test_memory_does_not_grow_with_the_resamples(ten_thousand_sentences: tuple[ArticleCounts, ArticleCounts]) -> None:
    peaks = []
    for resamples in (2_000, 8_000):
        tracemalloc.start()
        f1_loss(*ten_thousand_sentences, resamples=resamples)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 64e6


def _width(loss: F1Loss) -> float:
    assert loss.low is not None
    assert loss.high is not None
    return loss.high - loss.low
