from __future__ import annotations

import dataclasses

from typing import Final

import numpy as np
import pytest

from leanner.scoring.bootstrap import MIN_ARTICLES
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.contrasts import f1_contrasts
from scoring.scored_documents import counts_of
from scoring.scored_documents import simulated_taggers


#: Of two factors: the first, the second, and their interaction.
WEIGHTS: Final = np.array([[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5], [1.0, -1.0, -1.0, 1.0]])
RECALLS: Final = (0.90, 0.89, 0.86, 0.82)


def test_of_two_taggers_it_is_their_loss() -> None:
    baseline, candidate = simulated_taggers(100, seed=1, recalls=(0.9, 0.86))
    loss = f1_loss(baseline, candidate, seed=3)
    (contrast,) = f1_contrasts([baseline, candidate], np.array([[1.0, -1.0]]), seed=3)

    assert (contrast.points, contrast.low, contrast.high) == pytest.approx((loss.points, loss.low, loss.high))


def test_intervals_agree_with_a_plain_loop() -> None:
    """Draw articles one by one with another generator, score each draw from scratch."""
    taggers = simulated_taggers(300, seed=3, recalls=RECALLS, corpora=3)
    random = np.random.default_rng(99)
    drawn = []
    for _ in range(2_000):
        rows: list[int] = []
        for corpus in taggers[0].corpora:
            own = [i for i, (name, _) in enumerate(taggers[0].keys) if name == corpus]
            rows += random.choice(own, size=len(own)).tolist()
        f1 = []
        for counts in taggers:
            tp, fp, fn = counts.matches[rows].sum(axis=(0, 1)).tolist()
            f1.append(100 * tp / (tp + (fp + fn) / 2))
        drawn.append([(f1[1] - f1[0] + f1[3] - f1[2]) / 2, (f1[2] + f1[3] - f1[0] - f1[1]) / 2,
                      (f1[3] - f1[2]) - (f1[1] - f1[0])])  # fmt: skip
    ends = np.percentile(drawn, [2.5, 97.5], axis=0)

    for place, contrast in enumerate(f1_contrasts(taggers, WEIGHTS)):
        low, high = ends[:, place]
        assert contrast.low == pytest.approx(low, abs=0.1 * (high - low))
        assert contrast.high == pytest.approx(high, abs=0.1 * (high - low))


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = WEIGHTS @ [100 * 2 * recall / (1 + recall) for recall in RECALLS]
    covered = np.zeros(3, dtype=int)
    for seed in range(150):
        taggers = simulated_taggers(60, seed=seed, recalls=RECALLS, mentions=5)
        for place, each in enumerate(f1_contrasts(taggers, WEIGHTS, resamples=1_000)):
            assert each.low is not None
            assert each.high is not None
            covered[place] += each.low <= truth[place] <= each.high

    # 95 % of 150 is 142.5, standard deviation 2.7.
    assert all(135 <= number <= 149 for number in covered)


def test_taggers_that_agree_everywhere_differ_by_exactly_nothing() -> None:
    (counts,) = simulated_taggers(30, seed=1, recalls=(0.9,))
    for each in f1_contrasts([counts] * 4, WEIGHTS):
        assert (each.points, each.low, each.high) == (0.0, 0.0, 0.0)


def test_few_articles_give_points_but_no_interval() -> None:
    for each in f1_contrasts(simulated_taggers(MIN_ARTICLES - 1, seed=0, recalls=RECALLS), WEIGHTS):
        assert each.points is not None
        assert (each.low, each.high) == (None, None)
        assert each.reason == "19 articles; an interval takes at least 20"


def test_undefined_f1_is_unknown() -> None:
    nothing = counts_of([("A", f"{i:02d}", [(0, 0, 0)] * 3) for i in range(30)])
    for each in f1_contrasts([nothing] * 4, WEIGHTS):
        assert each.points is None
        assert str(each.reason).startswith("F1 is undefined")


def test_what_cannot_be_contrasted_is_refused() -> None:
    taggers = simulated_taggers(30, seed=0, recalls=RECALLS)
    with pytest.raises(ValueError, match=r"a weight for each of 3 taggers, found the shape \(3, 4\)"):
        f1_contrasts(taggers[:3], WEIGHTS)
    with pytest.raises(ValueError, match="scored on the same labels"):
        f1_contrasts([*taggers[:3], dataclasses.replace(taggers[3], labels=frozenset())], WEIGHTS)
    with pytest.raises(ValueError, match="at least 1000 resamples, found 10"):
        f1_contrasts(taggers, WEIGHTS, resamples=10)
