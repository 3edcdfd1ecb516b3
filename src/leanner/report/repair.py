"""What pytest-benchmark writes as if it were JSON, made JSON: NaN, infinities and NumPy scalars."""

from __future__ import annotations

import math
import re

from collections.abc import Mapping
from typing import Any
from typing import Final

import numpy as np


# pytest-benchmark's encoder writes the repr of what json cannot: "UNSERIALIZABLE[np.int64(3)]".
_UNSERIALIZABLE: Final = "UNSERIALIZABLE["
_NUMBER: Final = re.compile(r"UNSERIALIZABLE\[np\.(?:(u?int)|float)\d+\(([-+.\w]+)\)\]")
_BOOLEAN: Final = re.compile(r"UNSERIALIZABLE\[np\.(?:True_|False_)\]")


def repair(value: object) -> tuple[Any, tuple[str, ...]]:
    """Return ``value`` as strict JSON can hold it, and the places where something was changed or is lost.

    A number that is not finite becomes ``None``; a NumPy scalar, or the text that pytest-benchmark made
    of one, a number. What else pytest-benchmark could not write stays its text ``UNSERIALIZABLE[…]``.
    Tuples and sets become lists without being listed: nothing is lost.
    """
    places: list[str] = []
    return _repaired(value, "", places), tuple(places)


def _repaired(value: object, place: str, places: list[str]) -> Any:  # noqa: ANN401 - JSON has no narrower type
    if isinstance(value, Mapping):
        return {
            str(name): _repaired(item, f"{place}.{name}" if place else str(name), places)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_repaired(item, f"{place}[{index}]", places) for index, item in enumerate(value)]
    if _is_plain(value):
        return value
    places.append(place)
    return _plain(value)


def _is_plain(value: object) -> bool:
    """Whether JSON can hold it; a NumPy float is a float."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not value.startswith(_UNSERIALIZABLE)
    return value is None or isinstance(value, bool | int)


def _plain(value: object) -> bool | int | float | str | None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        value = _read(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) else f"{_UNSERIALIZABLE}{value!r}]"


def _read(text: str) -> bool | int | float | str:
    """Return the NumPy scalar that ``text`` shows; the text itself if it shows none."""
    if _BOOLEAN.fullmatch(text):
        return "True" in text
    number = _NUMBER.fullmatch(text)
    try:
        return text if number is None else int(number[2]) if number[1] else float(number[2])
    except ValueError:
        return text
