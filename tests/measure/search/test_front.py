from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from leanner.measure.search.front import dominated
from leanner.measure.search.front import dominates
from measure.search.made import trial


if TYPE_CHECKING:
    from leanner.measure.search.trial import Trial


# Few values, so that there are ties.
COSTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([1.0, 2.0, 3.0]), st.sampled_from([10.0, 20.0])),
    min_size=1,
    max_size=8,
)


def trials(costs: list[tuple[float, float, float]]) -> list[Trial]:
    return [trial(f"{number}", *each) for number, each in enumerate(costs)]


@given(COSTS)
def test_the_front_is_that_of_the_definition(costs: list[tuple[float, float, float]]) -> None:
    on_it = {
        f"{number}"
        for number, (loss, speed, mb) in enumerate(costs)
        if not any((a <= loss and b >= speed and c <= mb) and (a < loss or b > speed or c < mb) for a, b, c in costs)
    }
    found = dominated(trials(costs))
    assert {f"{number}" for number in range(len(costs))} - found.keys() == on_it
    # Who dominates is better itself, and the fastest of those that do.
    by_name = {each.candidate: each for each in trials(costs)}
    for name, better in found.items():
        all_better = [each for each in by_name.values() if dominates(each, by_name[name])]
        assert by_name[better] in all_better
        assert by_name[better].speedup == max(each.speedup for each in all_better)


@given(COSTS)
def test_the_front_is_never_empty(costs: list[tuple[float, float, float]]) -> None:
    assert len(dominated(trials(costs))) < len(costs)


def test_clearly_takes_rounds_that_do_not_overlap() -> None:
    slow = trial("slow", 1.0, 2.0, spread=0.2)
    assert dominates(trial("fast", 0.5, 2.3, spread=0.2), slow)
    assert not dominates(trial("fast", 0.5, 2.3, spread=0.2), slow, clearly=True)
    assert dominates(trial("fast", 0.5, 2.5, spread=0.2), slow, clearly=True)
    assert not dominates(trial("heavy", 0.5, 2.5, 20.0), slow)
