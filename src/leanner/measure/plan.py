"""How many rounds a case gets: warm-up until it settles, a pilot for the spread, then 10 to 50 windows of rounds."""

from __future__ import annotations

import math
import statistics

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final


if TYPE_CHECKING:
    from leanner.types import Document


#: Fewer rounds say nothing about their spread, nor fewer windows about that of joules; more are not worth the wait.
#: Both hold for windows where rounds share them.
LEAST_ROUNDS: Final = 10
MOST_ROUNDS: Final = 50

#: Rounds of the pilot; also the fewest warm-up rounds.
PILOT_ROUNDS: Final = 6
#: Warm-up has ended when this many successive rounds lie within ``SETTLED`` of the fastest of them.
SETTLED_ROUNDS: Final = 3
SETTLED: Final = 0.05
MOST_WARMUP_ROUNDS: Final = 15

#: A pilot round is as long as a round, or this many seconds if that is longer.
PILOT_S: Final = 1.5

# Rounds differ in length: windows of just as many as fill the shortest one would be too short half the time.
_MARGIN: Final = 1.1

# Half-width of a median's 95 % interval over the standard error of a mean, for normal
# rounds: the median's standard error is sqrt(pi / 2) of the mean's.
_MEDIAN_95: Final = 1.96 * math.sqrt(math.pi / 2)


@dataclass(frozen=True, slots=True)
class Plan:
    """What was planned, and what the warm-up showed.

    Attributes:
        rounds: To be measured, a multiple of ``rounds_per_window``.
        rounds_per_window: Rounds that one metered window holds.
        round_s: Seconds of a round, expected.
        warmup_s: Seconds of each warm-up round, the first over all documents.
        settled: Whether the warm-up came to an end by itself.
    """

    rounds: int
    rounds_per_window: int
    round_s: float
    warmup_s: tuple[float, ...]
    settled: bool

    def notes(self) -> list[str]:
        """Return what a reader must know of it."""
        return [] if self.settled else [not_settled(len(self.warmup_s))]


def make_plan(
    run: Callable[[Sequence[Document]], float],
    documents: Sequence[Document],
    *,
    seconds: float,
    precision_pct: float,
    least_window_s: float,
) -> Plan:
    """Warm up, look at the spread, and say how many rounds to measure.

    The first round tags all documents. Those of the pilot tag as much of it as takes
    ``PILOT_S``, documents from all over it: the noise of short rounds is relatively
    larger, so that their spread asks for too many rounds rather than too few. The first
    may be slow for reasons of its own, so that the pilot says how long a round is.

    Args:
        run: Tags documents and returns the seconds that it took.
        documents: What a round tags.
        seconds: Time for the measured rounds; ``LEAST_ROUNDS`` windows are run in any case.
        precision_pct: Half-width of the median's 95 % interval that is wanted, in percent of it.
        least_window_s: Shortest window that the meter can tell the joules of.
    """
    first_s = max(run(documents), 1e-9)
    pilot_documents = pilot_of(documents, first_s)
    pilot_s: list[float] = []
    while len(pilot_s) < PILOT_ROUNDS or (not is_settled(pilot_s) and len(pilot_s) < MOST_WARMUP_ROUNDS):
        pilot_s.append(max(run(pilot_documents), 1e-9))
    return plan_of(
        (first_s, *pilot_s), documents, seconds=seconds, precision_pct=precision_pct, least_window_s=least_window_s
    )


def pilot_of(documents: Sequence[Document], first_s: float) -> Sequence[Document]:
    """Return what the pilot tags of ``documents``, where a round over all of them took ``first_s``."""
    share = min(1.0, PILOT_S / first_s)
    return documents[:: max(1, round(1 / share))]


def plan_of(
    warmup_s: Sequence[float],
    documents: Sequence[Document],
    *,
    seconds: float,
    precision_pct: float,
    least_window_s: float,
) -> Plan:
    """Return what follows from a warm-up.

    Args:
        warmup_s: Seconds of each round of it: the first over ``documents``, then those of the pilot.
        documents: See ``make_plan``.
        seconds: See ``make_plan``.
        precision_pct: See ``make_plan``.
        least_window_s: See ``make_plan``.
    """
    first_s, *pilot_s = warmup_s
    needed = rounds_needed(pilot_s[-PILOT_ROUNDS:], precision_pct)
    longer = _sentences(documents) / _sentences(pilot_of(documents, first_s))
    round_s = statistics.median(pilot_s[-PILOT_ROUNDS:]) * longer
    per_window = rounds_that_fill(least_window_s, round_s)
    # Short rounds share windows, and so many more rounds are needed and paid for at a time.
    affordable = int(min(MOST_ROUNDS, seconds / (per_window * round_s)))
    windows = max(LEAST_ROUNDS, min(math.ceil(needed / per_window), affordable))
    return Plan(
        rounds=per_window * windows,
        rounds_per_window=per_window,
        round_s=round_s,
        warmup_s=tuple(warmup_s),
        settled=is_settled(pilot_s),
    )


def rounds_that_fill(least_window_s: float, round_s: float) -> int:
    """Return how many rounds of about ``round_s`` make a window that is not shorter than ``least_window_s``."""
    return max(1, math.ceil(_MARGIN * least_window_s / max(round_s, 1e-9)))


def is_settled(rounds_s: Sequence[float]) -> bool:
    """Whether the last ``SETTLED_ROUNDS`` rounds agree within ``SETTLED``."""
    last = rounds_s[-SETTLED_ROUNDS:]
    return len(last) == SETTLED_ROUNDS and max(last) <= (1 + SETTLED) * min(last)


def not_settled(rounds: int) -> str:
    """Return what a reader must know of a warm-up of so many rounds that came to no end by itself."""
    return (
        f"warm-up did not settle: {rounds} rounds without {SETTLED_ROUNDS} successive ones within {100 * SETTLED:.0f} %"
    )


def rounds_needed(rounds_s: Sequence[float], precision_pct: float) -> int:
    """Return the rounds that bound the median to ``precision_pct`` with 95 %, for normal rounds of this spread."""
    spread = statistics.stdev(rounds_s) / statistics.mean(rounds_s)
    return max(LEAST_ROUNDS, math.ceil((_MEDIAN_95 * 100 * spread / precision_pct) ** 2))


def _sentences(documents: Sequence[Document]) -> int:
    return sum(len(document.sentences) for document in documents)
