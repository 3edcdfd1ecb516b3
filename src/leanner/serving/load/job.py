"""What the process that sends is told, and what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from leanner.serving.load.outcome import Outcome
    from leanner.serving.load.scenarios import Scenario
    from leanner.serving.server import Address


@dataclass(frozen=True, slots=True)
class Job:
    """A run.

    Attributes:
        address: Where requests go.
        scenario: When.
        indices: Of the bodies to send, in this order.
        limit_s: Seconds that it may take.
        timeout_s: Seconds that a request may.
    """

    address: Address
    scenario: Scenario
    indices: Sequence[int]
    limit_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Driven:
    """What came of a run. Times are those of ``CLOCK_MONOTONIC``.

    Attributes:
        outcomes: One for each request, in the order in which they were due.
        began_ns: Before the first.
        ended_ns: After the last.
        cpu_s: CPU seconds of the process that sent; close to the run's seconds, it was the bottleneck.
    """

    outcomes: tuple[Outcome, ...]
    began_ns: int
    ended_ns: int
    cpu_s: float
