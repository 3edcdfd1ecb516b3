"""When requests that wait become a batch."""

from __future__ import annotations

import dataclasses
import math

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DynamicBatching:
    """A batch begins when it is full, or when its first request has waited long enough.

    Attributes:
        max_batch_size: Requests in a batch, at most.
        max_batch_delay_ms: How long the first of them waits for others, at most.
        by_length: Whether requests that wait are grouped by their length, which only the batcher in this process can.

    Raises:
        ValueError: A batch of no request, or a delay that is negative or has no end.
    """

    max_batch_size: int = 16
    max_batch_delay_ms: float = 5.0
    by_length: bool = False

    def __post_init__(self) -> None:
        if self.max_batch_size < 1:
            raise ValueError(f"expected batches of at least one request, found {self.max_batch_size}")
        if not 0 <= self.max_batch_delay_ms < math.inf:
            raise ValueError(f"expected a finite delay of 0 ms or more, found {self.max_batch_delay_ms}")

    def describe(self) -> dict[str, Any]:
        """Return the parameters, ready for JSON."""
        return dataclasses.asdict(self)


#: Every request by itself: what batches are compared with.
ONE_BY_ONE = DynamicBatching(1, 0.0)
