"""Names that are exchanged, against a loop over all ways."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from leanner.compare.metrics import BY_NAME
from leanner.compare.outcome import Outcome
from leanner.compare.relabelling import interleaved
from leanner.compare.relabelling import one_after_the_other
from leanner.compare.thresholds import parse
from leanner.report.costs import Speedup
from report.records import record


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leanner.report.record import CaseRecord


(GATE,) = parse("time:5%")


def again(own: Sequence[float], against: Sequence[float]) -> CaseRecord:
    """Return a repetition with windows of one round."""
    made = record("fp32-again")
    assert made.time is not None
    time = replace(made.time, rounds_s=tuple(own), median_s=float(np.median(own)))
    speedup = Speedup(1.0, 0.9, 1.1, "fp32", paired=True, against_s=tuple(against))
    return replace(made, time=time, speedup=speedup, energy=None)


def alarms(own: Sequence[float], against: Sequence[float]) -> int:
    """Count the ways that alarm, one after the other."""
    found = 0
    for flips in product((False, True), repeat=(len(own) + 1) // 2):
        old, new = list(against), list(own)
        for index in range(len(own)):
            if flips[index // 2]:
                old[index], new[index] = new[index], old[index]
        slower = np.median(new) / np.median(old) - 1.0
        found += int(slower > 0.05 and mannwhitneyu(old, new, method="asymptotic").pvalue < 0.05)
    return found


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.5, 1.5), st.floats(0.5, 1.5)), min_size=10, max_size=12),
    st.floats(1.0, 1.5),
)
def test_all_ways_are_gone_through(pairs: list[tuple[float, float]], slower: float) -> None:
    own, against = [slower * first for first, _ in pairs], [second for _, second in pairs]
    windows = interleaved(again(own, against))

    assert windows is not None
    outcomes = list(windows.outcomes(GATE))
    assert len(outcomes) == 2 ** ((len(own) + 1) // 2)
    assert outcomes.count(Outcome.WORSE) == alarms(own, against)


def test_of_many_ways_some_are_drawn_and_always_the_same() -> None:
    rng = np.random.default_rng(3)
    windows = interleaved(again(*rng.uniform(0.5, 1.5, (2, 50)).tolist()))

    assert windows is not None
    outcomes = [list(windows.outcomes(GATE)) for _ in range(2)]
    assert len(outcomes[0]) == 1024
    assert outcomes[0] == outcomes[1]


def test_names_that_stay_give_what_was_measured() -> None:
    rng = np.random.default_rng(4)
    own, against = rng.uniform(0.9, 1.1, (2, 11)).tolist()
    windows = interleaved(again(own, against))

    assert windows is not None
    evidence = windows.evidence()
    assert evidence.before == pytest.approx(np.median(against))
    assert evidence.after == pytest.approx(np.median(own))
    assert evidence.low is not None
    every = windows.evidence([True] * 6, interval=False)
    assert (every.before, every.after) == pytest.approx((evidence.after, evidence.before))
    assert every.low is None


def test_windows_of_joules_that_all_exchange_names_exchange_their_sums() -> None:
    first, second = (record(name) for name in ("fp32", "fp32-again"))
    assert first.energy is not None
    old = replace(first, energy=replace(first.energy, rounds_j=(10.0, 12.0, 14.0), per_1000_sentences_j=24.0))
    new = replace(second, energy=replace(first.energy, rounds_j=(20.0, 22.0), per_1000_sentences_j=42.0))
    windows = one_after_the_other(old, new)

    assert windows is not None
    assert windows.metric is BY_NAME["energy"]
    # a window more on one side has no other to exchange with
    assert windows.before.tolist() == [10.0, 12.0]
    kept, exchanged = windows.records(windows.before, windows.after), windows.records(windows.after, windows.before)
    for sides, expected in ((kept, (22.0, 42.0)), (exchanged, (42.0, 22.0))):
        assert [side.energy and side.energy.per_1000_sentences_j for side in sides] == pytest.approx(list(expected))


def test_joules_that_are_not_known_exchange_nothing() -> None:
    first, second = record("fp32"), record("fp32-again")
    assert first.energy is not None
    unknown = replace(first, energy=replace(first.energy, rounds_j=(1.0, None)))
    longer = replace(first, energy=replace(first.energy, rounds_per_window=3))

    assert one_after_the_other(unknown, second) is None
    assert one_after_the_other(longer, second) is None
    assert one_after_the_other(replace(first, energy=None), second) is None


def test_a_baseline_that_was_not_between_exchanges_nothing() -> None:
    assert interleaved(record("fp32-again")) is None
