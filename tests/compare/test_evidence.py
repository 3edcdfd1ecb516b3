from __future__ import annotations

import math

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from leanner.compare.evidence import Basis
from leanner.compare.evidence import CaseSpread
from leanner.compare.evidence import Evidence
from leanner.compare.evidence import of_costs
from leanner.compare.evidence import of_sessions
from leanner.compare.metrics import BY_NAME
from leanner.compare.outcome import Outcome
from leanner.compare.outcome import decide
from leanner.compare.outcome import outlook
from leanner.compare.thresholds import parse
from leanner.report.costs import Domain
from leanner.report.costs import Energy
from leanner.report.costs import Marginal
from report.records import record


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


(TIME,) = parse("time:5%")
QUIET = CaseSpread(variance=0.01**2, freedom=20.0, sessions=6)


def timed(*seconds: float) -> CaseRecord:
    """A case with these rounds."""
    time = record().time
    assert time is not None
    return record(time=replace(time, rounds_s=seconds, median_s=float(np.median(seconds))))


def metered(joules: tuple[float, ...], random_pct: float | None, marginal: Marginal | None = None) -> CaseRecord:
    """A case with a window for each of these joules."""
    total = sum(joules)
    return record(
        energy=Energy(
            domains={"cpu_package": Domain(total, "rapl", None)},
            rounds_j=joules,
            total_j=total,
            net_j=None,
            per_1000_sentences_j=total / len(joules),
            low_j=None,
            high_j=None,
            systematic_pct=5.0,
            random_pct=random_pct,
            marginal=marginal,
        )
    )


def rounds(factor: float, seed: int, number: int = 12) -> CaseRecord:
    return timed(*(factor * np.exp(np.random.default_rng(seed).normal(0.0, 0.02, number))).tolist())


def test_rounds_within_a_session_are_compared_by_scipys_test() -> None:
    before, after = rounds(1.0, 1), rounds(1.03, 2)
    found = of_costs(BY_NAME["time"], [before], [after], None)

    assert before.time is not None
    assert after.time is not None
    expected = stats.mannwhitneyu(before.time.rounds_s, after.time.rounds_s, method="asymptotic").pvalue
    assert found.p == pytest.approx(expected)
    assert found.basis is Basis.WITHIN
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.worse_by < found.high


def test_a_change_must_be_seen_in_the_rounds_and_between_the_sessions() -> None:
    before, after = rounds(1.0, 1), rounds(1.1, 2)
    alone = of_costs(BY_NAME["time"], [before], [after], None)
    quiet = of_costs(BY_NAME["time"], [before], [after], QUIET)
    loud = of_costs(BY_NAME["time"], [before], [after], replace(QUIET, variance=0.1**2))

    assert alone.p is not None
    assert quiet.p is not None
    assert loud.p is not None
    assert alone.p <= quiet.p < 0.001
    assert loud.p > 0.3
    assert quiet.basis is loud.basis is Basis.SESSIONS


def test_too_few_stored_sessions_are_not_used() -> None:
    found = of_costs(BY_NAME["time"], [rounds(1.0, 1)], [rounds(1.1, 2)], replace(QUIET, sessions=4))

    assert found.basis is Basis.WITHIN


def test_joules_take_the_larger_of_sensors_and_scatter() -> None:
    steady, scattered = (10.0,) * 10, tuple(10.0 * (1 + 0.05 * (-1) ** number) for number in range(10))

    def half(random_pct: float, joules: tuple[float, ...]) -> float:
        found = of_costs(BY_NAME["energy"], [metered(steady, 1e-9)], [metered(joules, random_pct)], None)
        assert found.low is not None
        assert found.high is not None
        return (math.log1p(found.high / found.before) - math.log1p(found.low / found.before)) / 2

    t = float(stats.t.isf(0.025, 9))
    assert half(3.0, steady) == pytest.approx(0.03)
    assert half(1.0, scattered) == pytest.approx(t * float(np.std(scattered, ddof=1)) * math.sqrt(10) / sum(scattered))


def test_joules_without_a_random_part_have_no_p() -> None:
    found = of_costs(BY_NAME["energy"], [metered((1.0, 1.0), None)], [metered((2.0, 2.0), 1.0)], QUIET)

    assert (found.p, found.reason) == (None, "the random part of the joules is unknown")


def test_slopes_are_compared_by_their_intervals() -> None:
    points = tuple((10 * number, float(number)) for number in range(6))
    lines = [Marginal(value, value - 1.0, value + 1.0, 0.0, 0.0, 0.0, points) for value in (10.0, 12.0)]
    before, after = ([metered((1.0, 1.0), 1.0, line)] for line in lines)
    found = of_costs(BY_NAME["marginal"], before, after, None)

    sd = [1.0 / float(stats.t.isf(0.025, 4)) / value for value in (10.0, 12.0)]
    assert found.p == pytest.approx(2 * stats.norm.sf(math.log(1.2) / math.hypot(*sd)))


@given(st.floats(-0.3, 0.3), st.floats(1e-6, 0.1), st.floats(1.0, 1e6), st.integers(1, 50), st.integers(1, 5))
def test_p_is_below_five_percent_where_the_interval_leaves_no_change_out(
    change: float, sd: float, freedom: float, before: int, after: int
) -> None:
    p, half = of_sessions(change, sd**2, freedom, before, after)

    if not math.isclose(abs(change), float(half), rel_tol=1e-6):
        assert (float(p) < 0.05) == (abs(change) > float(half))


def evidence(worse_by: float, half: float, **changes: Any) -> Evidence:  # noqa: ANN401 - any field
    base = Evidence(100.0, 100.0 + worse_by, worse_by, worse_by - half, worse_by + half, 0.001, Basis.SESSIONS)
    return replace(base, **changes)


@pytest.mark.parametrize(
    ("worse_by", "half", "adjusted", "outcome"),
    [
        (7.0, 1.0, 0.001, Outcome.WORSE),
        (7.0, 1.0, 0.05, Outcome.INCONCLUSIVE),
        (4.0, 0.5, 0.001, Outcome.SAME),
        (4.0, 2.0, 0.001, Outcome.INCONCLUSIVE),
        (-7.0, 1.0, 0.001, Outcome.BETTER),
        (7.0, 1.0, None, Outcome.INCONCLUSIVE),
        (5.0, 0.0, 0.001, Outcome.SAME),
    ],
    ids=["worse", "chance", "small", "wide", "better", "no-p", "at"],
)
def test_outcomes(worse_by: float, half: float, adjusted: float | None, outcome: Outcome) -> None:
    assert decide(evidence(worse_by, half), adjusted, TIME) is outcome


def test_what_is_not_gated_has_no_outcome() -> None:
    assert decide(evidence(50.0, 1.0), 0.0001, None) is Outcome.NOT_GATED


def test_what_would_settle_it() -> None:
    # the interval must shrink from 2 to 1: four times as much of what there was
    assert outlook(evidence(4.0, 2.0, number=3.0), TIME, 1) == "about 12 sessions of each run would settle it"
    assert outlook(evidence(-4.0, 2.0, number=3.0), TIME, 1) == "about 12 sessions of each run would settle it"
    assert "no practical number" in outlook(evidence(5.0, 2.0), TIME, 1)
    assert outlook(evidence(4.0, 2.0, p=None, reason="a reason"), TIME, 1) == "a reason"
    # beyond the threshold it is p that must shrink, and the more tests the further
    few, many = (outlook(evidence(7.0, 7.0, number=10.0, units="rounds"), TIME, tests) for tests in (1, 48))
    assert few == "about 11 rounds of each run would settle it"
    assert many == "about 28 rounds of each run would settle it"
