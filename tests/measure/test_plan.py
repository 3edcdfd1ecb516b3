from __future__ import annotations

import itertools
import statistics

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.measure.plan import LEAST_ROUNDS
from leanner.measure.plan import MOST_ROUNDS
from leanner.measure.plan import MOST_WARMUP_ROUNDS
from leanner.measure.plan import PILOT_ROUNDS
from leanner.measure.plan import PILOT_S
from leanner.measure.plan import Plan
from leanner.measure.plan import is_settled
from leanner.measure.plan import make_plan
from leanner.measure.plan import rounds_needed
from leanner.measure.plan import rounds_that_fill
from measure.fakes import articles


if TYPE_CHECKING:
    from leanner.types import Document


CORPUS = articles(40)


@dataclass
class Runner:
    """Takes ``pace(n)`` seconds per article in its n-th call; remembers what it was given."""

    pace: Callable[[int], float]
    given: list[int] = field(default_factory=list)

    def __call__(self, documents: Sequence[Document]) -> float:
        self.given.append(len(documents))
        return self.pace(len(self.given) - 1) * len(documents)


def plan(
    pace: Callable[[int], float], *, seconds: float = 1e9, precision_pct: float = 2.0, least_window_s: float = 0.0
) -> tuple[Plan, Runner]:
    run = Runner(pace)
    made = make_plan(run, CORPUS, seconds=seconds, precision_pct=precision_pct, least_window_s=least_window_s)
    return made, run


def test_steady_rounds_need_no_more_than_the_least() -> None:
    made, run = plan(lambda _: 0.01)

    assert made.rounds == LEAST_ROUNDS
    assert made.round_s == pytest.approx(0.4)
    assert run.given == [40] * (1 + PILOT_ROUNDS)
    assert (made.settled, made.notes()) == (True, [])


def test_the_first_round_warms_up_the_whole_corpus_and_counts_for_nothing_else() -> None:
    made, run = plan(lambda n: 0.03 if n == 0 else 0.01)

    assert run.given[0] == len(CORPUS)
    assert made.warmup_s[0] == pytest.approx(1.2)
    assert made.round_s == pytest.approx(0.4)
    assert made.rounds == LEAST_ROUNDS


def test_warm_up_goes_on_until_three_rounds_agree() -> None:
    paces = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.39, 0.38, 0.39]
    made, run = plan(lambda n: 0.001 * paces[min(n, 9)])

    # 0.4, 0.39, 0.38 lie within 5.3 % of each other, 0.39, 0.38, 0.39 within 2.6 %.
    assert len(run.given) == 10
    assert made.settled


def test_warm_up_that_never_settles_ends_and_is_said() -> None:
    made, run = plan(lambda n: 0.01 * (1 + n % 2))

    assert len(run.given) == 1 + MOST_WARMUP_ROUNDS
    assert not made.settled
    assert "did not settle" in made.notes()[0]


def test_a_long_corpus_has_a_short_pilot() -> None:
    made, run = plan(lambda _: 1.0)

    assert run.given[0] == 40
    assert set(run.given[1:]) == {round(PILOT_S + 0.5)}
    assert made.round_s == 40.0


@pytest.mark.parametrize("long", [1.0, 40.0])
def test_a_slow_first_round_says_nothing_of_the_others(long: float) -> None:
    # Naive: the first round is taken for all, and windows are too short for the meter.
    made, run = plan(lambda n: long if n == 0 else 0.002, least_window_s=1.0)

    assert run.given[0] == len(CORPUS)
    assert made.round_s == pytest.approx(0.08)
    assert made.rounds_per_window >= 13


def test_the_pilot_is_of_all_of_the_corpus() -> None:
    seen: list[list[str]] = []

    def run(documents: Sequence[Document]) -> float:
        seen.append([document.id for document in documents])
        return 1.0 * len(documents)

    make_plan(run, CORPUS, seconds=1e9, precision_pct=2.0, least_window_s=0.0)

    assert seen[1] == ["0", "27"]


def test_noisy_rounds_get_more_within_the_time_there_is() -> None:
    def noisy(n: int) -> float:
        return 0.01 * (1.0, 1.03, 0.99, 1.02)[n % 4]

    free, _ = plan(noisy, precision_pct=1.0)
    short, _ = plan(noisy, precision_pct=1.0, seconds=0.41 * 11)

    assert LEAST_ROUNDS < free.rounds < MOST_ROUNDS
    assert short.rounds in (10, 11)


def test_never_more_than_the_most() -> None:
    made, _ = plan(lambda n: 0.01 * (1 + n % 2))

    assert made.rounds == MOST_ROUNDS


def test_short_rounds_share_a_window_that_the_meter_can_tell() -> None:
    made, _ = plan(lambda _: 0.001, least_window_s=1.0)

    assert made.rounds_per_window == 28
    assert made.rounds == 10 * 28


def test_precision_and_seconds_choose_the_number_of_windows() -> None:
    # Naive: ten windows, whatever is asked for.
    def noisy(n: int) -> float:
        return 0.001 * (1.0, 1.1, 0.97, 1.07)[n % 4]

    loose, _ = plan(noisy, precision_pct=10.0, least_window_s=0.1)
    free, _ = plan(noisy, precision_pct=1.5, least_window_s=0.1)
    window_s = free.rounds_per_window * free.round_s
    short, _ = plan(noisy, precision_pct=1.5, least_window_s=0.1, seconds=14.5 * window_s)
    hasty, _ = plan(noisy, precision_pct=1.5, least_window_s=0.1, seconds=0.0)
    finest, _ = plan(noisy, precision_pct=0.1, least_window_s=0.1)

    assert free.rounds_per_window == 3
    assert [made.rounds for made in (loose, short, hasty, finest)] == [3 * 10, 3 * 14, 3 * 10, 3 * MOST_ROUNDS]
    assert 3 * 14 < free.rounds < 3 * MOST_ROUNDS
    assert free.rounds >= rounds_needed(free.warmup_s[-PILOT_ROUNDS:], 1.5)


@given(
    st.lists(st.floats(0.5, 2.0), min_size=PILOT_ROUNDS, max_size=PILOT_ROUNDS),
    st.floats(0.0, 100.0),
    st.floats(0.1, 10.0),
    st.floats(0.0, 30.0),
)
def test_there_are_10_to_50_whole_windows_in_the_time_there_is(
    paces: list[float], seconds: float, precision_pct: float, least_window_s: float
) -> None:
    made, _ = plan(
        lambda n: 0.01 * paces[n % PILOT_ROUNDS],
        seconds=seconds,
        precision_pct=precision_pct,
        least_window_s=least_window_s,
    )
    windows, rest = divmod(made.rounds, made.rounds_per_window)

    assert rest == 0
    assert LEAST_ROUNDS <= windows <= MOST_ROUNDS
    assert windows == LEAST_ROUNDS or made.rounds * made.round_s <= seconds


def test_rounds_that_just_fill_a_window_would_be_too_short_half_the_time() -> None:
    # Naive: two rounds of 0.5 s, which are 0.99 s as often as 1.01.
    assert rounds_that_fill(1.0, 0.5) == 3
    assert rounds_that_fill(1.0, 1.1) == rounds_that_fill(0.0, 0.5) == 1


@given(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=12), st.floats(0.1, 10.0))
def test_more_precision_never_needs_fewer_rounds(rounds_s: list[float], precision_pct: float) -> None:
    assert rounds_needed(rounds_s, precision_pct) >= rounds_needed(rounds_s, 2 * precision_pct) >= LEAST_ROUNDS


def test_the_rounds_needed_bound_the_median() -> None:
    # Simulated: the 95 % half-width of the median of as many normal rounds is what was asked for.
    rng = np.random.default_rng(0)
    number = rounds_needed([*itertools.chain(*[(0.95, 1.05)] * 50)], 2.0)
    spread = statistics.stdev([*itertools.chain(*[(0.95, 1.05)] * 50)])
    medians = np.median(rng.normal(1.0, spread, (4000, number)), axis=1)

    assert np.percentile(np.abs(medians - 1.0), 95) == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize(
    ("rounds_s", "settled"),
    [([1, 1], False), ([1, 1.04, 1.0], True), ([1, 1.06, 1.0], False), ([9, 1, 1, 1], True), ([1, 1, 1, 9], False)],
)
def test_settled_is_three_in_a_row(rounds_s: list[float], *, settled: bool) -> None:
    assert is_settled(rounds_s) is settled
