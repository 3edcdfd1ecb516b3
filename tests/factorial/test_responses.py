from __future__ import annotations

import math

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from compare.runs import Made
from factorial.made import cells
from factorial.made import design_of
from factorial.made import joules
from factorial.made import timed
from leanner.factorial.responses import of_energy
from leanner.factorial.responses import of_f1
from leanner.factorial.responses import of_memory
from leanner.factorial.responses import of_time
from leanner.report.costs import Memory
from leanner.runs.run import read_run
from leanner.runs.run import with_corpus


if TYPE_CHECKING:
    from leanner.factorial.responses import Response
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run


TWO, THREE = design_of(2), design_of(3)


def drawn(seed: int, truth: Sequence[float], rounds: int = 12) -> list[CaseRecord]:
    """Cells of three factors whose rounds scatter by 5 % around so many seconds."""
    rng = np.random.default_rng(seed)
    return cells(THREE, time=[timed(seconds * np.exp(rng.normal(0.0, 0.05, rounds))) for seconds in truth])


def values(response: Response) -> list[float]:
    return [effect.value for effect in response.effects]


def test_factors_that_multiply_have_their_ratios_and_no_interaction() -> None:
    """The first makes a round 2 times as fast, the second 1.25 times."""
    response = of_time(TWO, cells(TWO, time=[timed([s] * 10) for s in (10.0, 5.0, 8.0, 4.0)]))

    assert values(response) == pytest.approx([2.0, 1.25, 1.0])
    assert response.mean == pytest.approx(math.sqrt(40))
    assert response.cells == (10.0, 5.0, 8.0, 4.0)
    for effect in response.effects:
        assert (effect.low, effect.high) == pytest.approx((effect.value, effect.value))


def test_an_interaction_is_a_ratio_of_ratios() -> None:
    """The first gains 2 times without the second and 3 times with it."""
    response = of_time(TWO, cells(TWO, time=[timed([s] * 10) for s in (12.0, 6.0, 12.0, 4.0)]))

    assert values(response) == pytest.approx([math.sqrt(6), math.sqrt(1.5), 1.5])


def test_intervals_of_time_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = (1.0, 0.6, 0.95, 0.5, 0.8, 0.4, 0.7, 0.3)
    exact = np.exp(THREE.effects_of(-np.log(truth)))
    covered = np.zeros(7, dtype=int)
    for seed in range(150):
        response = of_time(THREE, drawn(seed, truth), resamples=500, seed=seed)
        for place, effect in enumerate(response.effects):
            assert effect.low is not None
            assert effect.high is not None
            covered[place] += effect.low <= exact[place] <= effect.high

    # 95 % of 150 is 142.5, standard deviation 2.7; all 1,050 together, which share their cells' luck: 95 % is 997.
    assert all(134 <= number <= 150 for number in covered)
    assert 970 <= covered.sum() <= 1035


def test_what_drifts_between_cells_is_no_part_of_the_interval() -> None:
    """Cells of one truth, measured while the machine got slower by 3 % from each to the next."""
    response = of_time(THREE, drawn(1, [1.03**place for place in range(8)], rounds=50))

    last = response.effects[3]
    assert last.high is not None
    assert last.high < 0.95


def test_equal_seeds_give_equal_intervals() -> None:
    records = drawn(1, [1.0] * 8)
    assert of_time(THREE, records, seed=4) == of_time(THREE, records, seed=4)
    assert of_time(THREE, records, seed=4) != of_time(THREE, records, seed=5)


def test_few_rounds_give_effects_but_no_intervals() -> None:
    records = cells(TWO, time=[timed([s] * number) for s, number in ((10.0, 10), (5.0, 9), (8.0, 10), (4.0, 3))])
    response = of_time(TWO, records)

    assert values(response) == pytest.approx([2.0, 1.25, 1.0])
    assert {(effect.low, effect.high) for effect in response.effects} == {(None, None)}
    assert response.reason == "expected 10 rounds or more: cell 1 has 9, cell 3 has 3"
    assert response.basis is None


def test_a_cell_that_was_not_timed_leaves_no_effect() -> None:
    known = timed([1.0] * 10)
    records = cells(TWO, time=[None, known, known, known])
    records[0] = replace(records[0], unknown={"time": "tagged once"})
    response = of_time(TWO, records)

    assert (response.effects, response.mean, response.reason) == ((), None, "cell 0: tagged once")
    assert response.cells == (None, 1.0, 1.0, 1.0)


def test_joules_add_their_errors_in_quadrature() -> None:
    # windows without scatter: the sensors' half-width of 1 % is all there is, and 4 cells count by half each
    steady = of_energy(TWO, cells(TWO, energy=[joules([j] * 5, random_pct=1.0) for j in (40.0, 20.0, 40.0, 10.0)]))

    assert values(steady) == pytest.approx([math.sqrt(8), math.sqrt(2), 2.0])
    for effect, half in zip(steady.effects, (0.01, 0.01, 0.02), strict=True):
        assert effect.low == pytest.approx(effect.value * math.exp(-half), rel=1e-5)
        assert effect.high == pytest.approx(effect.value * math.exp(half), rel=1e-5)
    # windows that scatter more than the sensors
    loose = of_energy(TWO, cells(TWO, energy=[joules([30, 40, 50]) for _ in range(4)]))
    assert loose.effects[0].high is not None
    assert loose.effects[0].high > 1.1


def test_joules_that_are_unknown_are_not_zero() -> None:
    records = cells(TWO, energy=[joules([1.0] * 5)] * 3 + [None])
    some = of_energy(TWO, [*records[:3], replace(records[3], unknown={"energy": "no meter"})])
    assert (some.effects, some.cells[3], some.reason) == ((), None, "cell 3: no meter")

    none = of_energy(TWO, cells(TWO))
    assert none.effects == ()
    assert none.reason == "cpu_package: this machine shows no RAPL zone"


@pytest.mark.parametrize(
    ("third", "reason"),
    [
        (joules([1.0] * 5, source="estimate"), "joules are estimated"),
        (joules([1.0] * 5, source="nvml-counter"), "joules of different sources: nvml-counter and rapl"),
        (joules([1.0] * 5, replayed=True), "joules were replayed"),
    ],
    ids=["estimate", "sources", "replayed"],
)
def test_joules_that_cannot_be_compared_have_no_effects(third: object, reason: str) -> None:
    known = joules([1.0] * 5)
    response = of_energy(TWO, cells(TWO, energy=[known, known, third, known]))

    assert response.effects == ()
    assert str(response.reason).startswith(reason)
    assert response.cells == (1.0, 1.0, 1.0, 1.0)


def test_joules_without_a_known_error_have_effects_and_no_interval() -> None:
    response = of_energy(TWO, cells(TWO, energy=[joules([2.0], random_pct=None)] * 4))

    assert values(response) == pytest.approx([1.0, 1.0, 1.0])
    assert response.effects[0].low is None
    assert response.reason == "the random part of the joules is unknown"


def test_memory_has_ratios_and_says_why_they_have_no_interval() -> None:
    response = of_memory("host", TWO, cells(TWO, memory=[Memory(mb, None, 1.0) for mb in (800.0, 400.0, 800.0, 400.0)]))

    assert values(response) == pytest.approx([2.0, 1.0, 1.0])
    assert response.effects[0].low is None
    assert str(response.reason).startswith("one value a case")


def test_memory_that_is_not_positive_has_no_ratio() -> None:
    response = of_memory("host", TWO, cells(TWO, memory=[Memory(mb, None, 1.0) for mb in (800.0, 400.0, 0.0, 400.0)]))

    assert response.effects == ()
    assert response.reason == "a value is not positive: there are no ratios"


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four cells that miss 0, 6, 12 and 40 mentions more than they all do."""
    made = Made(tmp_path_factory.mktemp("forgetful"), articles=60)
    forgets = dict(zip(TWO.cells[1:], (6, 12, 40), strict=True))
    run = read_run(made.run("run", 1, names=TWO.cells, forgets=forgets))
    return with_corpus(run, [str(made.folder / "corpora")], [])


def of_cells(run: Run) -> list[CaseRecord]:
    by_name = {record.configuration: record for record in run.records}
    return [by_name[name] for name in TWO.cells]


def test_f1_differs_in_points_of_the_report(forgetful: Run) -> None:
    records = of_cells(forgetful)
    response = of_f1(TWO, forgetful, records)
    none, first, second, both = (100 * record.f1["micro"] for record in records if record.f1)

    assert response.cells == (none, first, second, both)
    assert values(response) == pytest.approx(
        [(first + both - none - second) / 2, (second + both - none - first) / 2, both - second - first + none]
    )
    assert values(response)[0] < 0.0
    for effect in response.effects:
        assert effect.low is not None
        assert effect.high is not None
        assert effect.low <= effect.value <= effect.high
    assert response.basis == "articles, the same draws for all cells"


def test_without_the_corpus_f1_has_no_intervals(forgetful: Run) -> None:
    response = of_f1(TWO, replace(forgetful, documents=None, no_documents="it is elsewhere"), of_cells(forgetful))

    assert values(response) == values(of_f1(TWO, forgetful, of_cells(forgetful)))
    assert {effect.low for effect in response.effects} == {None}
    assert (response.basis, response.reason) == (None, "it is elsewhere")


def test_an_f1_that_the_spans_do_not_have_is_refused(forgetful: Run) -> None:
    records = of_cells(forgetful)
    records[2] = replace(records[2], f1={**(records[2].f1 or {}), "micro": 0.9})
    with pytest.raises(ValueError, match=r"run.json: cell 2: expected F1 0.900000 of the stored spans, found 0\.9"):
        of_f1(TWO, forgetful, records)


def test_an_undefined_f1_is_unknown(forgetful: Run) -> None:
    records = of_cells(forgetful)
    records[1] = replace(records[1], f1={"micro": None}, unknown={"f1.micro": "no gold spans"})
    response = of_f1(TWO, forgetful, records)

    assert (response.effects, response.reason) == ((), "cell 1: no gold spans")
