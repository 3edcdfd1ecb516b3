"""What a search was asked, and all that came of it."""

from __future__ import annotations

import math

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

from leanner.measure.search.front import dominated
from leanner.measure.search.halving import by_speed


if TYPE_CHECKING:
    from leanner.measure.search.halving import Halving
    from leanner.measure.search.log import Pilot
    from leanner.measure.search.parts import Plan
    from leanner.measure.search.parts import Text
    from leanner.measure.search.trial import Trial
    from leanner.scoring.verdict import Decision


CALIBRATION: Final = "calibration"
HELD_OUT: Final = "held out"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is searched for.

    Attributes:
        drop: Loss of F1 that is allowed, in percentage points.
        budget_s: Seconds for all of it; what has begun when they end is finished.
        seed: Of all draws.
    """

    drop: float
    budget_s: float
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Rung:
    """Candidates on the same text.

    Attributes:
        text: Of the calibration part.
        trials: In the order in which they were tried.
        unreached: Candidates for which no time was left.
        halving: Who goes on; ``None`` for the last rung.
    """

    text: Text
    trials: tuple[Trial, ...]
    unreached: tuple[str, ...]
    halving: Halving | None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A candidate on the held-out part.

    Attributes:
        trial: What was seen there.
        sure: Whether its whole interval kept within the drop on the calibration part, or its loss alone.
        decision: The verdict on the held-out part.
    """

    trial: Trial
    sure: bool
    decision: Decision


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that came of a search.

    Attributes:
        pilot: How fast the baseline is.
        plan: What followed from it.
        rungs: In order.
        refused: Candidates that cannot run here, and why.
        held_out: The text of the confirmations.
        confirmations: In order; the last one may be the winner.
        unconfirmed: Contenders for whose confirmation no time was left.
        winner: Name of the candidate that was confirmed.
        spent_s: Seconds.
    """

    pilot: Pilot
    plan: Plan
    rungs: tuple[Rung, ...]
    refused: dict[str, str]
    held_out: Text
    confirmations: tuple[Confirmation, ...]
    unconfirmed: tuple[str, ...]
    winner: str | None
    spent_s: float

    @property
    def latest(self) -> dict[str, Trial]:
        """What was seen of each candidate on the most text of the calibration part."""
        return {trial.candidate: trial for rung in self.rungs for trial in rung.trials}

    def front(self, drop: float) -> tuple[list[Trial], dict[str, str]]:
        """Return the Pareto front, the fastest first, and who is not on it and the fastest that dominates it.

        Who surely loses more than the drop is on neither. Candidates that got less far were seen on less text.
        """
        standing = [
            trial
            for trial in self.latest.values()
            if trial.loss.points is not None and (trial.loss.low is None or trial.loss.low <= drop)
        ]
        worse = dominated(standing)
        return by_speed([trial for trial in standing if trial.candidate not in worse], math.inf), worse
