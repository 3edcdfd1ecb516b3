from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scipy import stats

from factorial.made import cells
from factorial.made import design_of
from factorial.made import joules
from factorial.made import timed
from leanner.factorial.sessions import over_sessions
from leanner.report.costs import Memory


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord


TWO = design_of(2)
TRUTH = np.array([10.0, 5.0, 8.0, 3.0])


def drawn(seed: int, number: int) -> list[list[CaseRecord]]:
    """Sessions that are slower or faster by 5 % as a whole, and 1 % from case to case."""
    rng = np.random.default_rng(seed)
    seconds = TRUTH * np.exp(rng.normal(0.0, 0.05, (number, 1)) + rng.normal(0.0, 0.01, (number, 4)))
    return [cells(TWO, time=[timed([each] * 10) for each in session]) for session in seconds.tolist()]


def medians(sessions: Sequence[Sequence[CaseRecord]]) -> list[list[float]]:
    return [[r.time.median_s for r in records if r.time and r.time.median_s] for records in sessions]


def test_the_interval_is_that_of_students_t() -> None:
    sessions = drawn(1, 5)
    response = over_sessions("time", TWO, sessions)
    values = np.log(medians(sessions))
    by_hand = (
        (values[:, 0] + values[:, 2] - values[:, 1] - values[:, 3]) / 2,
        (values[:, 0] + values[:, 1] - values[:, 2] - values[:, 3]) / 2,
        values[:, 1] + values[:, 2] - values[:, 0] - values[:, 3],
    )

    for effect, sample in zip(response.effects, by_hand, strict=True):
        interval = stats.ttest_1samp(sample, 0.0).confidence_interval(0.95)
        assert effect.value == pytest.approx(np.exp(np.mean(sample)))
        assert effect.low == pytest.approx(np.exp(interval.low))
        assert effect.high == pytest.approx(np.exp(interval.high))
    assert response.basis == "scatter of 5 sessions"
    assert response.mean == pytest.approx(np.exp(values.mean()))
    assert response.cells == pytest.approx(np.exp(values.mean(axis=0)))


def test_what_slows_a_session_as_a_whole_widens_nothing() -> None:
    sessions = [cells(TWO, time=[timed([slow * each] * 10) for each in TRUTH]) for slow in (1.0, 1.3, 2.0)]
    for effect in over_sessions("time", TWO, sessions).effects:
        assert (effect.low, effect.high) == pytest.approx((effect.value, effect.value))


def test_intervals_cover_the_truth_although_cases_differ_between_sessions() -> None:
    exact = np.exp(TWO.effects_of(-np.log(TRUTH)))
    covered = np.zeros(3, dtype=int)
    for seed in range(200):
        for place, effect in enumerate(over_sessions("time", TWO, drawn(seed, 3)).effects):
            assert effect.low is not None
            assert effect.high is not None
            covered[place] += effect.low <= exact[place] <= effect.high

    # 95 % of 200 is 190, standard deviation 3.1.
    assert all(180 <= number <= 199 for number in covered)


def test_memory_has_an_interval_from_sessions() -> None:
    sessions = [
        cells(TWO, memory=[Memory(mb * factor, None, 1.0) for mb in (800.0, 400.0, 800.0, 390.0 + factor)])
        for factor in (1.0, 1.1)
    ]
    response = over_sessions("host", TWO, sessions)

    assert response.effects[0].low is not None
    assert response.effects[0].low < response.effects[0].value
    assert response.unit == "MB"


def test_what_one_session_does_not_know_has_no_effects() -> None:
    known = cells(TWO, energy=[joules([2.0] * 5)] * 4)
    unknown = over_sessions("energy", TWO, [known, cells(TWO)])
    assert (unknown.effects, unknown.cells) == ((), (None,) * 4)
    assert unknown.reason == "cpu_package: this machine shows no RAPL zone"

    other = over_sessions("energy", TWO, [known, cells(TWO, energy=[joules([2.0] * 5, source="nvml-power")] * 4)])
    assert (other.effects, other.reason) == ((), "joules of different sources: nvml-power and rapl")

    none = over_sessions("host", TWO, [cells(TWO, memory=[Memory(0.0, None, 1.0)] * 4)] * 2)
    assert (none.effects, none.reason) == ((), "a value is not positive: there are no ratios")
