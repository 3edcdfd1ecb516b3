from __future__ import annotations

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.check.compare import compare
from leanner.check.compare import same
from report.made_up import JSON


@given(JSON)
def test_a_value_is_the_same_as_itself(value: object) -> None:
    assert same(value, value)
    assert list(compare("x", value, value, "")) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1.0, 1.0 + 1e-8),
        (0.0, 1e-11),
        (1, True),
        (0, False),
        (None, 0),
        (None, False),
        ([1], [1, 2]),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 1, "b": None}),
        ("1", 1),
        ([], {}),
    ],
)
def test_what_differs_is_not_the_same(one: object, other: object) -> None:
    assert not same(one, other)
    assert not same(other, one)


@given(st.floats(-1e300, 1e300))
def test_rounding_makes_no_difference(number: float) -> None:
    assert same(number, number * (1 + 1e-12))
    assert same([number], (number,))


def test_a_mapping_is_compared_field_by_field() -> None:
    found = list(compare("f1", {"a": 1, "b": {"c": 2}, "d": 3}, {"a": 1, "b": {"c": 4}, "e": 5}, "computed"))

    assert [str(problem) for problem in found] == [
        "f1.b.c: expected 2, computed; found 4",
        "f1.d: expected 3, computed; found null",
        "f1.e: expected null, computed; found 5",
    ]
