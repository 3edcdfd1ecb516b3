"""Configurations behind servers, under load: ``pytest benchmarks -m served``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from fixtures.case import Case

    from leanner.measure.timing import Stopwatch


@pytest.mark.served
@pytest.mark.cases(family="served")
def test_case(case: Case, benchmark: Stopwatch) -> None:
    record = case.measure(benchmark)
    assert case.holds(record), " ".join(record.reasons)
