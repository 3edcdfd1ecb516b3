"""Comparing what a report says with what was computed again."""

from __future__ import annotations

import math

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Final

from leanner.report.parse import shown
from leanner.report.problem import Problem


# JSON keeps every bit of a float. What is left are sums in another order, on another machine.
_RELATIVE: Final = 1e-9
_ABSOLUTE: Final = 1e-12

#: Characters of a value in a problem: texts that differ at their ends must be told apart.
_LONGEST: Final = 400


def same(expected: object, found: object) -> bool:
    """Whether two JSON values are equal; numbers may differ by what rounding explains."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return math.isclose(expected, found, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        return len(expected) == len(found) and all(map(same, expected, found))
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return expected.keys() == found.keys() and all(same(expected[name], found[name]) for name in expected)
    return expected == found


def compare(place: str, expected: object, found: object, why: str) -> Iterator[Problem]:
    """Yield where ``found`` is not as ``expected``, field by field in a mapping.

    Args:
        place: Of ``found``.
        expected: What it should be.
        found: What it is.
        why: Where the expectation comes from, in words that fit behind a comma.
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for name in [*expected, *(name for name in found if name not in expected)]:
            yield from compare(f"{place}.{name}", expected.get(name), found.get(name), why)
    elif not same(expected, found):
        yield Problem(place, f"expected {shown(expected, _LONGEST)}, {why}; found {shown(found, _LONGEST)}")
