from __future__ import annotations

from dataclasses import replace

import pytest

from leanner.compare.evidence import of_costs
from leanner.compare.metrics import BY_NAME
from leanner.report.costs import Memory
from report.records import record


@pytest.mark.parametrize("after_mb", [0.0, 700.0])
def test_what_is_not_positive_has_no_ratio_and_no_p(after_mb: float) -> None:
    before = record(memory=Memory(0.0, None, 45.5))
    found = of_costs(BY_NAME["host"], [before], [record(memory=Memory(after_mb, None, 45.5))], None)

    assert found.p is None
    assert found.low is None
    assert found.reason == "host is not positive on both sides: no ratio tells what changed"


def test_weights_are_held_against_the_session_that_was_accepted() -> None:
    memory = record().memory
    assert memory is not None
    sides = [[record(memory=replace(memory, weights_mb=mb)) for mb in side] for side in ((40.0, 41.0), (42.0, 43.0))]
    found = of_costs(BY_NAME["weights"], sides[0], sides[1], None)

    assert (found.before, found.after, found.worse_by, found.p) == (40.0, 43.0, 3.0, 0.0)
