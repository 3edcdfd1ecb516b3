"""False alarms and power of whole tables, at the sizes that docs/comparing.md promises."""

from __future__ import annotations

import numpy as np
import pytest

from compare.nights import red_nights
from compare.power import EFFECTS
from compare.power import ROUNDS
from compare.power import SESSIONS
from compare.power import TITLES
from compare.power import TRIALS
from compare.power import World
from compare.power import simulate
from compare.power_figure import FIGURE
from compare.power_figure import documented
from compare.power_figure import svg
from leanner.compare.evidence import of_rounds


@pytest.fixture(scope="module")
def usual() -> World:
    """Ten rounds, five stored sessions: the least that gates are promised for."""
    return World(rounds=10, baseline=5, stored=5)


def test_false_alarms_in_one_table_of_a_hundred_at_most_and_ten_percent_found(usual: World) -> None:
    tables = simulate(usual, (0.0, 0.1))

    assert tables.alarms[0] <= 0.01
    assert tables.found[1] >= 0.95


WORLDS = [World(rounds, *sessions, shared) for shared in TITLES for sessions in SESSIONS for rounds in ROUNDS]


def test_the_documentation_has_the_settings_of_the_script() -> None:
    assert list(documented()) == WORLDS
    assert {len(shares) for shares in documented().values()} == {len(EFFECTS)}


def test_no_setting_alarms_in_more_than_one_table_of_a_hundred() -> None:
    assert max(shares[0] for shares in documented().values()) <= 0.01


def test_the_drawn_curve_is_that_of_the_tables() -> None:
    assert FIGURE.read_text(encoding="utf-8") == svg(documented())


@pytest.mark.parametrize("scatter", [0.01, 0.05])
def test_peaks_night_after_night_alarm_in_one_night_of_a_hundred_at_most(scatter: float) -> None:
    red, _ = red_nights(scatter, 0.0, trials=40)
    assert red <= 0.01


def test_a_peak_that_rose_is_red_within_the_series() -> None:
    _, found = red_nights(0.005, 0.1, trials=40)
    assert found >= 0.95


@pytest.mark.parametrize("world", [each for each in WORLDS if each.rounds == 10], ids=str)
def test_the_documentation_has_the_numbers_of_the_simulation(world: World) -> None:
    trials = 250
    tables = simulate(world, EFFECTS, trials, seed=7)
    found = np.array([tables.alarms[0], *tables.found[1:]])

    stated = np.array(documented()[world])
    both = (trials * found + TRIALS * stated) / (trials + TRIALS)
    error = np.sqrt(both * (1.0 - both) * (1.0 / trials + 1.0 / TRIALS))
    # four and a half standard errors, and what the digits leave
    assert np.all(np.abs(found - stated) <= 4.5 * error + 0.0005)


def test_rounds_alone_would_alarm(usual: World) -> None:
    # what sessions share makes rounds of two sessions differ when nothing has changed
    rng = np.random.default_rng(8)
    offsets = rng.normal(0.0, 0.01, (2, 2000, 1))
    before, after = offsets + rng.normal(0.0, 0.02, (2, 2000, 50))
    assert usual.rounds < 50
    assert np.mean(of_rounds(before, after) < 0.05) > 0.4
