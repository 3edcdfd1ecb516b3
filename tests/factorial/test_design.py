from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from factorial.made import design_of
from leanner.factorial.design import Design
from leanner.factorial.design import Factor
from leanner.factorial.design import served


@st.composite
def valued(draw: st.DrawFn) -> tuple[Design, np.ndarray]:
    """A design of one to four factors, and a value for each of its cells."""
    design = design_of(draw(st.integers(1, 4)))
    size = len(design.cells)
    values = draw(st.lists(st.floats(-1e3, 1e3), min_size=size, max_size=size))
    return design, np.array(values)


@given(valued())
def test_effects_are_those_of_least_squares(both: tuple[Design, np.ndarray]) -> None:
    """Regress on columns of +1 and -1: a coefficient is the effect by half for each of its factors."""
    design, values = both
    highs = [factor.high for factor in design.factors]
    coded = np.array([
        [1.0 if level == high else -1.0 for level, high in zip(design.levels(cell), highs, strict=True)]
        for cell in range(len(design.cells))
    ])  # fmt: skip
    columns = [np.ones(len(coded)), *(np.prod(coded[:, list(effect)], axis=1) for effect in design.effects)]
    coefficients = np.linalg.lstsq(np.stack(columns, axis=1), values, rcond=None)[0]

    for effect, found, coefficient in zip(design.effects, design.effects_of(values), coefficients[1:], strict=True):
        assert found == pytest.approx(2 ** len(effect) * coefficient, abs=1e-8)


@given(valued())
def test_cells_are_rebuilt_from_mean_and_effects(both: tuple[Design, np.ndarray]) -> None:
    design, values = both
    rebuilt = design.rebuilt(float(np.mean(values)), design.effects_of(values))

    assert rebuilt == pytest.approx(values, rel=1e-9, abs=1e-9)


@given(valued(), st.floats(-1e3, 1e3))
def test_what_is_added_to_all_cells_is_in_no_effect(both: tuple[Design, np.ndarray], constant: float) -> None:
    design, values = both
    assert design.effects_of(values + constant) == pytest.approx(design.effects_of(values), abs=1e-8)


def test_the_plasma_etching_of_the_textbook() -> None:
    """Montgomery, Design and Analysis of Experiments, example 6.1: totals of two runs; his effects of AB are halves."""
    means = np.array([1154, 1319, 1234, 1277, 2089, 1617, 2138, 1589]) / 2
    halves = [-101.625, 7.375, -24.875, 306.125, -153.625, -2.125, 5.625]
    design = design_of(3)

    assert design.effects == ((0,), (1,), (0, 1), (2,), (0, 2), (1, 2), (0, 1, 2))
    found = design.effects_of(means)
    assert found.tolist() == [half * 2 ** (len(e) - 1) for e, half in zip(design.effects, halves, strict=True)]


def test_an_interaction_is_a_difference_of_differences() -> None:
    dense, int8, pruned, both = 10.0, 7.0, 9.0, 2.0
    found = design_of(2).effects_of(np.array([dense, int8, pruned, both]))

    assert found.tolist() == [-5.0, -3.0, (both - pruned) - (int8 - dense)]


def test_the_question_of_the_expose_has_these_cells() -> None:
    design = served("torchserve")

    assert design.cells[:3] == ("torchserve-fp32-b1", "torchserve-int8-b1", "torchserve-second-order-50-b1")
    assert design.cells[7] == "torchserve-int8-second-order-50-b16"
    assert design.levels(0) == ("fp32", "dense", "batch 1")
    assert design.levels(5) == ("int8", "dense", "batch 16 / 5 ms")


def test_what_is_no_factorial_is_refused() -> None:
    factors = (Factor("a", "b"), Factor("c", "d"))
    with pytest.raises(ValueError, match="expected 4 cells for 2 factors, found 3: x, y, z"):
        Design(factors, ("x", "y", "z"))
    with pytest.raises(ValueError, match="expected each cell once, found x again"):
        Design(factors, ("x", "x", "y", "z"))
    with pytest.raises(ValueError, match="expected each level once, found b again"):
        Design((Factor("a", "b"), Factor("c", "b")), ("w", "x", "y", "z"))
    with pytest.raises(ValueError, match="expected 1 to 5 factors, found 0"):
        Design((), ("x",))
