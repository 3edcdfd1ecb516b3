from __future__ import annotations

import math

import pytest

from leanner.serving.batching import DynamicBatching


def test_it_says_what_it_is() -> None:
    assert DynamicBatching().describe() == {"max_batch_size": 16, "max_batch_delay_ms": 5.0, "by_length": False}


@pytest.mark.parametrize(("size", "delay_ms"), [(0, 5.0), (16, -1.0), (16, math.inf), (16, math.nan)])
def test_what_cannot_be_is_refused(size: int, delay_ms: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        DynamicBatching(size, delay_ms)
