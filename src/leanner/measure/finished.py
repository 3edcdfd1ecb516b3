"""What is left of a case that has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from leanner.measure.case import Baseline
    from leanner.report.record import CaseRecord


@dataclass(frozen=True, slots=True)
class Finished:
    """A case's record and what is stored beside it; plain data, so that it can come from another process.

    Attributes:
        record: Without the names of its files.
        itself: Its spans, as a baseline for others.
        baseline: What it was held against.
        traces: The raw samples of its windows, as they are stored.
        latency_ms: Milliseconds of each single sentence.
    """

    record: CaseRecord
    itself: Baseline
    baseline: Baseline
    traces: bytes
    latency_ms: tuple[float, ...]
