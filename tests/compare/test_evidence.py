from __future__ import annotations

import math

from dataclasses import replace

import numpy as np
import pytest

from leanner.compare.evidence import CaseSpread
from leanner.compare.evidence import of_costs
from leanner.compare.metrics import BY_NAME
from leanner.measure.statistics import hodges_lehmann
from leanner.report.costs import Memory
from leanner.report.costs import Time
from report.records import energy
from report.records import record


@pytest.mark.parametrize("after_mb", [0.0, 700.0])
def test_what_is_not_positive_has_no_ratio_and_no_p(after_mb: float) -> None:
    before = record(memory=Memory(0.0, None, 45.5))
    found = of_costs(BY_NAME["host"], [before], [record(memory=Memory(after_mb, None, 45.5))], None)

    assert found.p is None
    assert found.low is None
    assert found.reason == "host is not positive on both sides: no ratio tells what changed"


def test_sessions_without_any_scatter_differ_if_they_differ_at_all() -> None:
    sides = [[record(memory=Memory(mb, None, 45.5))] for mb in (600.0, 606.0)]
    still = CaseSpread(0.0, 4.0, 5)
    changed, same = (of_costs(BY_NAME["host"], sides[0], side, still) for side in (sides[1], sides[0]))

    assert changed.p == 0.0
    assert changed.low == pytest.approx(6.0)
    assert changed.high == pytest.approx(6.0)
    assert (same.p, same.low, same.high) == (1.0, 0.0, 0.0)


def test_joules_without_a_random_part_have_no_p() -> None:
    exact = replace(energy(100.0), random_pct=0.0)
    found = of_costs(BY_NAME["energy"], [record(energy=exact)], [record(energy=exact)], None)

    assert found.p is None
    assert found.reason == "the random part of its error is not known, or none at all"


def test_sessions_are_compared_by_the_location_of_their_rounds_and_rounds_by_their_median() -> None:
    rng = np.random.default_rng(2)
    rounds = rng.uniform(1.0, 2.0, (2, 10))
    sides = [
        [record(time=Time(tuple(each.tolist()), float(np.median(each)), None, None, None, 1000, 20_000))]
        for each in rounds
    ]
    within = of_costs(BY_NAME["time"], sides[0], sides[1], None)
    between = of_costs(BY_NAME["time"], sides[0], sides[1], CaseSpread(1e-4, 4.0, 5))

    assert (within.before, within.after) == pytest.approx(tuple(np.median(rounds, axis=1)))
    pairs = [[math.log(one * other) / 2.0 for one in each for other in each] for each in rounds]
    # all ordered pairs have the median of all pairs but for those of a round with itself, which are few
    assert (between.before, between.after) == pytest.approx(tuple(np.exp(np.median(pairs, axis=1))), rel=0.02)
    assert (between.before, between.after) == pytest.approx(tuple(np.exp(hodges_lehmann(np.log(rounds)))))


def test_weights_are_held_against_the_session_that_was_accepted() -> None:
    memory = record().memory
    assert memory is not None
    sides = [[record(memory=replace(memory, weights_mb=mb)) for mb in side] for side in ((40.0, 41.0), (42.0, 43.0))]
    found = of_costs(BY_NAME["weights"], sides[0], sides[1], None)

    assert (found.before, found.after, found.worse_by, found.p) == (40.0, 43.0, 3.0, 0.0)
