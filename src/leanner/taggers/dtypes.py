"""Bytes of a number, by dtype: known where torch is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


BYTES: Final[Mapping[str, int]] = {
    "float64": 8,
    "float32": 4,
    "int32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
