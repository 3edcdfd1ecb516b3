from __future__ import annotations

import math

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.scoring.bootstrap import F1Loss
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.verdict import decide
from scoring.scored_documents import simulated_counts


def loss(points: float | None, low: float | None, high: float | None, reason: str | None = None) -> F1Loss:
    return F1Loss(points, low, high, 0.95, 10_000, 100, 1_000, reason)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.3, 0.4, "pass"),
        (-0.3, 1.0, "pass"),
        (0.4, 1.1, "inconclusive"),
        (1.0, 1.5, "inconclusive"),
        (1.1, 1.5, "fail"),
        (0.0, 0.0, "pass"),
    ],
)
def test_the_interval_decides(low: float, high: float, verdict: str) -> None:
    decision = decide(loss((low + high) / 2, low, high), 1.0)

    assert decision.verdict == verdict
    assert (decision.mentions_needed is not None) == (verdict == "inconclusive")
    assert f"interval {low:.2f} to {high:.2f}" in decision.reasons[0]


def test_without_a_bound_the_loss_is_recorded() -> None:
    assert decide(loss(5, 4, 6), None).verdict == "recorded"
    assert decide(loss(None, None, None, "no spans"), None).verdict == "recorded"


@pytest.mark.parametrize("points", [None, 9.0, -9.0])
def test_without_an_interval_nothing_is_settled(points: float | None) -> None:
    decision = decide(loss(points, None, None, "12 articles; an interval takes at least 20"), 1.0)

    assert decision.verdict == "inconclusive"
    assert decision.mentions_needed is None
    assert decision.reasons == ("the F1 loss has no interval: 12 articles; an interval takes at least 20",)


def test_mentions_needed_by_hand() -> None:
    # The end must come from 2 to 0.5 points away: a quarter, sixteen times the mentions.
    assert decide(loss(0.5, -1.5, 2.5), 1.0).mentions_needed == 16_000
    assert decide(loss(1.5, -0.5, 3.5), 1.0).mentions_needed == 16_000
    assert "about 16,000 mentions would settle it, found 1,000" in decide(loss(0.5, -1.5, 2.5), 1.0).reasons[1]


def test_a_loss_on_the_bound_is_never_settled() -> None:
    decision = decide(loss(1.0, 0.5, 1.5), 1.0)

    assert decision.mentions_needed is None
    assert "no number of mentions" in decision.reasons[1]


@given(
    st.floats(-50, 50),
    st.floats(0, 50),
    st.floats(0, 50),
    st.floats(-50, 50),
)
def test_an_interval_shrunk_to_the_mentions_needed_is_settled(
    points: float, below: float, above: float, bound: float
) -> None:
    decision = decide(loss(points, points - below, points + above), bound)

    if decision.mentions_needed is not None:
        assert decision.verdict == "inconclusive"
        assert decision.mentions_needed > 1_000
        # A little more than needed, for rounding.
        shrink = math.sqrt(1_000 / decision.mentions_needed) * (1 - 1e-9)
        assert decide(loss(points, points - shrink * below, points + shrink * above), bound).verdict in ("pass", "fail")


@pytest.mark.parametrize("bound", [math.nan, math.inf])
def test_a_bound_is_a_number(bound: float) -> None:
    with pytest.raises(ValueError, match="expected a finite bound"):
        decide(loss(0, -1, 1), bound)


def test_as_many_mentions_as_asked_for_do_settle_it() -> None:
    recalls = (0.90, 0.885)
    first = f1_loss(*simulated_counts(40, seed=11, recalls=recalls))
    assert first.points is not None
    bound = first.points + 0.2
    decision = decide(first, bound)
    assert decision.verdict == "inconclusive"
    assert decision.mentions_needed is not None

    articles = math.ceil(40 * 1.5 * decision.mentions_needed / first.mentions)
    again = f1_loss(*simulated_counts(articles, seed=11, recalls=recalls))

    assert decide(again, bound).verdict in ("pass", "fail")
