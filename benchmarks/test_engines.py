"""ONNX Runtime and OpenVINO, over the weights as they are and in their own int8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from fixtures.case import Case

    from leanner.measure.timing import Stopwatch


@pytest.mark.cases(family="engines")
def test_case(case: Case, benchmark: Stopwatch) -> None:
    record = case.measure(benchmark)
    assert case.holds(record), " ".join(record.reasons)
