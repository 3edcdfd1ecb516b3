from __future__ import annotations

import json

from typing import Any

import numpy as np
import pytest

from hypothesis import given
from pytest_benchmark.utils import safe_dumps

from leanner.report.repair import repair
from report.made_up import JSON


@given(JSON)
def test_what_json_can_hold_stays_as_it_is(value: Any) -> None:  # noqa: ANN401 - JSON
    if "UNSERIALIZABLE[" not in json.dumps(value):
        assert repair(value) == (value, ())


def over_a_file(content: object) -> Any:  # noqa: ANN401 - JSON
    """Return what is left of ``content`` after pytest-benchmark wrote it."""
    return json.loads(safe_dumps(content))  # type: ignore[no-untyped-call]  # pytest-benchmark has no types


SCALARS = [
    (np.float64(0.5), 0.5),
    (np.float32(0.5), 0.5),
    (np.float32(1e-30), pytest.approx(1e-30)),
    (np.int64(-3), -3),
    (np.uint8(200), 200),
    (np.bool_(True), True),
    (np.bool_(False), False),
    (np.float32("nan"), None),
    (np.float64("inf"), None),
    (np.float32("-inf"), None),
    (float("nan"), None),
    (float("inf"), None),
]


@pytest.mark.parametrize(("value", "expected"), SCALARS, ids=repr)
def test_scalars_are_repaired_in_memory_and_after_a_detour_over_pytest_benchmarks_file(
    value: object, expected: object
) -> None:
    for content in ({"a": [1, value]}, over_a_file({"a": [1, value]})):
        result, places = repair(content)
        assert result == {"a": [1, expected]}
        assert type(result["a"][1]) is type(expected) or not isinstance(expected, bool | int | None)
        # A finite float64 is a float, which is no repair.
        assert places == (() if isinstance(value, np.float64) and expected is not None else ("a[1]",))
        json.dumps(result, allow_nan=False)


def test_what_else_pytest_benchmark_could_not_write_stays_its_text_and_is_listed() -> None:
    content = {
        "params": {"device": object},
        "text": "UNSERIALIZABLE is a word",
        "odd": {"x": "UNSERIALIZABLE[np.int8(x)]"},
    }

    result, places = repair(over_a_file(content))

    assert result == {**content, "params": {"device": f"UNSERIALIZABLE[{object!r}]"}}
    assert places == ("params.device", "odd.x")
    assert repair(content) == (result, places)  # without the detour


def test_tuples_and_sets_become_lists_and_are_not_listed() -> None:
    assert repair({"a": (1, (2,)), "b": {3}, 4: frozenset()}) == ({"a": [1, [2]], "b": [3], "4": []}, ())


def test_every_place_is_listed_in_order() -> None:
    nan = float("nan")

    result, places = repair([nan, {"a": {"b": nan}, "c": [0, nan]}])

    assert result == [None, {"a": {"b": None}, "c": [0, None]}]
    assert places == ("[0]", "[1].a.b", "[1].c[1]")
