from __future__ import annotations

from itertools import pairwise

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.report.html.front import log_ticks
from leanner.report.numbers import Notes
from leanner.report.numbers import number
from leanner.report.numbers import three_digits
from leanner.report.numbers import with_interval


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.00"), (0.01234, "0.0123"), (9.999, "10.00"), (12345.0, "12,345"), (-250.4, "-250"), (None, "–")],
)
def test_three_significant_digits_without_an_exponent(value: float | None, shown: str) -> None:
    assert number(value, three_digits(value)) == shown


@given(st.floats(1e-6, 1e9))
def test_three_digits_are_within_half_a_percent(value: float) -> None:
    assert float(number(value, three_digits(value)).replace(",", "")) == pytest.approx(value, rel=0.005)


def test_a_loss_that_rounds_to_nothing_has_no_sign() -> None:
    assert number(-0.001, ".2f") == "0.00"
    assert with_interval(-0.001, (-0.2, -0.0001), ".1f") == "0.0 [-0.2, 0.0]"


def test_without_an_interval_there_are_no_brackets() -> None:
    assert with_interval(1.0, (None, None), ".1f") == with_interval(1.0, None, ".1f") == "1.0"


def test_notes_are_numbered_once() -> None:
    notes = Notes()
    assert [notes.number(text) for text in ("a", "b", "a", None, "")] == [1, 2, 1, None, None]


@given(st.lists(st.floats(1e-5, 1e9), min_size=1, max_size=9))
def test_ticks_enclose_the_values(values: list[float]) -> None:
    marks = log_ticks(values)
    if max(values) <= 4 * min(values):
        assert marks is None
    else:
        assert marks is not None
        assert marks[0] <= min(values) <= max(values) <= marks[-1]
        assert all(1.9 < after / before < 2.6 for before, after in pairwise(marks))
    assert log_ticks([*values, 0.0]) is None
