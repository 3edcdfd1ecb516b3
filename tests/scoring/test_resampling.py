from __future__ import annotations

import numpy as np

from leanner.scoring.resampling import resample
from scoring.scored_documents import counts_of
from scoring.scored_documents import simulated_taggers


def test_a_tagger_is_drawn_alike_whoever_else_is() -> None:
    taggers = simulated_taggers(40, seed=2, recalls=(0.9, 0.8, 0.7))
    three, two = resample(taggers, 1_000, seed=5), resample(taggers[1:], 1_000, seed=5)

    assert three.drawn.shape == (1_000, 3)
    assert np.array_equal(three.drawn[:, 1:], two.drawn)
    for ours, theirs in zip(three.left_out, two.left_out, strict=True):
        assert np.array_equal(ours[:, 1:], theirs)


def test_a_draw_that_leaves_one_f1_undefined_is_left_out_for_all() -> None:
    rows = [("A", f"{i:02d}", [(int(i == 0), 0, 0), (0, 0, 0), (0, 0, 0)]) for i in range(30)]
    wild = [("A", f"{i:02d}", [(int(i == 0), 1, 0), (0, 0, 0), (0, 0, 0)]) for i in range(30)]
    drawn = resample([counts_of(rows), counts_of(wild)], 1_000, seed=0).drawn

    assert 0 < len(drawn) < 1_000
    assert np.isfinite(drawn).all()
