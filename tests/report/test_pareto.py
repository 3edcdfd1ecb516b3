from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from leanner.report.costs import Memory
from leanner.report.costs import Time
from leanner.report.pareto import dominates
from leanner.report.pareto import fronts
from leanner.report.record import CaseRecord
from leanner.report.record import F1Drop
from report.records import baseline
from report.records import energy
from report.records import not_run
from report.records import record


VALUES = st.integers(0, 3).map(float)
POINTS = st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=1, max_size=8)


def case(name: str, loss: float | None, seconds: float, joules: float | None, mb: float, **more: Any) -> CaseRecord:  # noqa: ANN401 - any field
    return record(
        name,
        f1_drop=None if loss is None else F1Drop(loss, None, None, None),
        time=Time((seconds,), seconds, None, None, None, 1000, 20_000),
        energy=energy(joules),
        memory=Memory(mb, None, None),
        **more,
    )


@given(POINTS)
def test_the_front_is_what_a_plain_search_finds(points: list[tuple[float, float, float, float]]) -> None:
    (front,) = fronts([case(str(number), *point) for number, point in enumerate(points)])

    for number, standing in enumerate(front.standings):
        better = [
            str(other)
            for other, theirs in enumerate(points)
            if theirs != points[number] and all(a <= b for a, b in zip(theirs, points[number], strict=True))
        ]
        assert [each.configuration for each in standing.dominated_by] == better
    best = [standing for standing in front.standings if standing.on_front]
    assert best
    for standing in front.standings:
        assert standing.on_front or any(each.record in standing.dominated_by for each in best)


@given(POINTS)
def test_to_dominate_is_an_order(points: list[tuple[float, float, float, float]]) -> None:
    assert not any(dominates(point, point) for point in points)
    for (a, b), (_, c) in pairwise(pairwise(points)):
        assert not (dominates(a, b) and dominates(b, a))
        assert not (dominates(a, b) and dominates(b, c)) or dominates(a, c)


def test_what_nobody_knows_is_left_out_with_its_reason() -> None:
    (front,) = fronts([baseline(), record(), not_run()])

    assert [axis.name for axis in front.used] == ["F1 loss, pt", "s per 1,000 sentences", "peak host MB"]
    assert front.left_out == {"J per 1,000 sentences": "cpu_package: this machine shows no RAPL zone"}
    assert [each.record.configuration for each in front.standings] == ["fp32", "bf16"]


def test_a_case_that_lacks_what_others_have_is_compared_with_none() -> None:
    (front,) = fronts([case("all", 1.0, 2.0, 3.0, 4.0), case("no joules", 2.0, 3.0, None, 5.0)])

    assert all(not standing.dominated_by for standing in front.standings)
    assert [standing.on_front for standing in front.standings] == [True, False]
    assert front.standings[1].unknown == {"J per 1,000 sentences": "cpu_package: this machine shows no RAPL zone"}


def test_devices_are_apart_and_a_gpu_has_its_own_memory() -> None:
    on_gpu = case("int8", 0.0, 1.0, 1.0, 1.0, device="cuda:0")
    found = fronts([case("fp32", 1.0, 2.0, 3.0, 4.0), on_gpu])

    assert [front.device for front in found] == ["cpu", "cuda:0"]
    assert all(standing.on_front for front in found for standing in front.standings)
    assert found[1].left_out == {"peak VRAM MB": "the case does not run on a GPU"}


def test_no_case_has_no_front() -> None:
    assert fronts([not_run()]) == []
