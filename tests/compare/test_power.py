"""False alarms and power of whole tables, at the sizes that docs/comparing.md promises."""

from __future__ import annotations

import numpy as np
import pytest

from compare.power import World
from compare.power import simulate
from leanner.compare.evidence import of_rounds


@pytest.fixture(scope="module")
def usual() -> World:
    """Ten rounds, five stored sessions: the least that gates are promised for."""
    return World(rounds=10, baseline=5, stored=5)


def test_false_alarms_in_one_table_of_a_hundred_at_most_and_ten_percent_found(usual: World) -> None:
    tables = simulate(usual, (0.0, 0.1))

    assert tables.alarms[0] <= 0.01
    assert tables.found[1] >= 0.95


def test_rounds_alone_would_alarm(usual: World) -> None:
    # what sessions share makes rounds of two sessions differ when nothing has changed
    rng = np.random.default_rng(8)
    offsets = rng.normal(0.0, 0.01, (2, 2000, 1))
    before, after = offsets + rng.normal(0.0, 0.02, (2, 2000, 50))
    assert usual.rounds < 50
    assert np.mean(of_rounds(before, after) < 0.05) > 0.4
