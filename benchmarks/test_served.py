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
    if record.served is not None and record.corpus is not None:
        same = record.served["same_spans"]
        assert same["differ"] == 0, (
            f"{same['differ']} of {same['requests']} answers have other spans than their batch here"
        )
        assert same["requests"] == record.corpus.sentences, "batches were not logged, or not all of them"
