from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from leanner.measure.search.halving import by_speed
from leanner.measure.search.halving import contenders
from leanner.measure.search.halving import halve
from measure.search.made import trial


LOSSES = st.one_of(st.none(), st.sampled_from([-0.3, 0.0, 0.4, 1.0, 1.4, 1.6, 3.0]))
RUNGS = st.lists(st.tuples(LOSSES, st.floats(0.5, 8), st.sampled_from([10.0, 20.0])), max_size=30)


def test_who_surely_loses_too_much_is_out() -> None:
    found = halve([trial("lame", 1.6), trial("doubtful", 1.4), trial("sound", 0.0, 0.9)], 1.0)

    assert found.kept == ("sound", "doubtful")
    assert found.out == {"lame": "its loss is above 1: 1.60, and not less than 1.10"}


def test_without_an_interval_nobody_is_sure() -> None:
    assert halve([trial("lame", 9.0, reach=None)], 1.0).kept == ("lame",)
    assert halve([trial("none", None)], 1.0).out == {"none": "made up"}


def test_who_is_clearly_dominated_is_out() -> None:
    found = halve([trial("slow", 0.2), trial("light", 0.2, weights_mb=5), trial("fast", 0.1, 2.0)], 1.0)

    assert found.kept == ("fast", "light")
    assert found.out == {"slow": "fast is faster, and neither its loss nor its weights are larger"}


def test_a_third_goes_on_the_fastest_first_who_loses_too_much_last() -> None:
    # Ever faster and ever worse: nobody is dominated.
    trials = [trial(f"{number}", 0.05 * number, 1 + number) for number in range(30)]
    found = halve(trials, 1.0)

    assert found.kept == tuple(f"{number}" for number in range(20, 10, -1))
    assert found.out["29"] == "a loss of 1.45, and place for 10 only"
    assert found.out["10"] == "slower, and place for 10 only"


@given(RUNGS, st.floats(0, 2))
def test_everybody_is_either_in_or_out(costs: list[tuple[float | None, float, float]], drop: float) -> None:
    trials = [trial(f"{number}", *each) for number, each in enumerate(costs)]
    found = halve(trials, drop)

    assert sorted((*found.kept, *found.out)) == sorted(each.candidate for each in trials)
    assert len(found.kept) <= max(4, -(-len(trials) // 3))
    assert not any(re.search("None|nan", reason) for reason in found.out.values())
    # Neither the order in which they were tried nor anything else decides.
    assert halve(trials[::-1], drop).kept == found.kept
    # The fastest of those that keep within the drop is never out.
    within = [each for each in trials if each.loss.points is not None and each.loss.points <= drop]
    if within:
        assert by_speed(within, drop)[0].candidate in found.kept


def test_contenders_come_from_the_last_rung_first_and_the_sure_ones_before_the_others() -> None:
    first = [trial("early", 0.0, 9.0), trial("sure", 0.0, 2.0), trial("fast", 0.4, 6.0), trial("fell", 0.0, 7.0)]
    last = [trial("sure", 0.1, 2.0), trial("surer", 0.0, 3.0), trial("fast", 0.9, 6.0), trial("fell", 1.1, 7.0)]
    found = [(each.candidate, sure) for each, sure in contenders([first, last], 1.0)]

    assert found == [("surer", True), ("sure", True), ("fast", False), ("early", True)]
    assert contenders([[trial("lame", 2.0)]], 1.0) == []
    assert contenders([], 1.0) == []
