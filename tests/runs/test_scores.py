from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from leanner.runs.scores import scores_of


if TYPE_CHECKING:
    from leanner.runs.run import Run


def test_each_part_has_an_interval_and_a_loss(run: Run) -> None:
    bf16 = run.measured[1]
    scores, reason = scores_of(run, bf16)
    of = {score.part: score for score in scores}

    assert reason is None
    assert list(of) == ["all", "GENE", "SPECIES", "DISEASE", "tmvar"]
    assert bf16.f1 is not None
    assert bf16.f1_drop is not None
    assert of["all"].f1 == bf16.f1["micro"]
    assert of["all"].loss == pytest.approx(bf16.f1_drop.points)
    assert of["tmvar"].interval == of["all"].interval
    for score in scores:
        assert score.f1 is not None
        assert score.interval is not None
        assert score.interval[0] <= score.f1 <= score.interval[1]
        assert score.loss_interval is not None


def test_without_the_corpus_f1_stays_and_the_rest_has_a_reason(run: Run) -> None:
    bf16 = run.measured[1]
    scores, reason = scores_of(replace(run, documents=None, no_documents="no corpus here"), bf16)

    assert reason == "no corpus here"
    assert bf16.f1 is not None
    assert [score.f1 for score in scores][:2] == [bf16.f1["micro"], bf16.f1["GENE"]]
    assert {(score.interval, score.reason, score.loss, score.loss_reason) for score in scores} == {
        (None, "no corpus here", None, "no corpus here")
    }
