"""The highest rate whose p99 stays under a bound: doubled until it does not, then bisected.

A rate **holds** if the upper end of the 95 % interval of its p99 lies at or under the bound. The estimate itself would
lie under it in every second trial at a rate that just fails, and the search, which takes the highest, would take it.
The interval here is that of independent requests. Those of a queue are not, so that it is too narrow; but near the
limit p99 climbs so steeply with the rate that the rate is hardly wrong by it, while the wider interval needs many times
the requests for an upper end. A request that failed counts as one that took for ever: a server that refuses what it
cannot do in time does not hold.
"""

from __future__ import annotations

import math

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Final

from leanner.serving.load.interval import Estimate
from leanner.serving.load.interval import quantile


#: The share of requests that are to be answered within the bound.
SHARE: Final = 0.99

#: Requests that a trial takes, at least. The p99 has an upper end from 368 on; with 1,000, 20 searches on a simulated
#: queue found up to 108 % of the true rate, with 3,000 up to 103 % (tests/serving/load/figures.py).
LEAST_REQUESTS: Final = 3_000

#: Sends requests at a rate, with a seed; returns the latency of each in milliseconds, in the order in which they were
#: due: ``latencies_ms`` of an open loop's outcomes.
Load = Callable[[float, int], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A rate that was tried.

    Attributes:
        rate_per_s: Arrivals a second.
        seed: Of the arrivals.
        requests: Sent.
        p99_ms: Of all of them, those that failed included; its interval is that of independent requests.
        holds: Whether it stays under the bound.
    """

    rate_per_s: float
    seed: int
    requests: int
    p99_ms: Estimate
    holds: bool

    def to_json(self) -> dict[str, Any]:
        """Return it, ready for JSON."""
        return {
            "rate_per_s": self.rate_per_s,
            "seed": self.seed,
            "requests": self.requests,
            "p99_ms": self.p99_ms.to_json(),
            "holds": self.holds,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What the search found.

    Attributes:
        bound_ms: That the p99 was to stay under.
        best: The trial at the highest rate that holds and under which no rate failed; ``None`` if none did.
        fails_at_per_s: The lowest rate that was seen to fail; ``None`` if none was.
        reason: Why ``best`` is ``None``, or may be far from the highest; ``None`` if neither.
        trials: All, in order.
    """

    bound_ms: float
    best: Trial | None
    fails_at_per_s: float | None
    reason: str | None
    trials: tuple[Trial, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it, ready for JSON."""
        return {
            "bound_ms": self.bound_ms,
            "best": None if self.best is None else self.best.to_json(),
            "fails_at_per_s": self.fails_at_per_s,
            "reason": self.reason,
            "trials": [trial.to_json() for trial in self.trials],
        }


@dataclass(frozen=True, slots=True)
class Search:
    """How the rate is looked for.

    Attributes:
        bound_ms: That the p99 is to stay under.
        start_per_s: The first rate.
        precision: The search ends when a rate that holds and one that fails are within this factor minus 1.
        most_trials: It ends after so many, in any case.
        lowest_per_s: Below which no rate is tried.
        highest_per_s: Beyond which no rate is tried: what the load can send.
        seed: Of the first trial; each later one has the next.

    Raises:
        ValueError: One of them is not positive, or the first rate is above the highest.
    """

    bound_ms: float
    start_per_s: float = 10.0
    precision: float = 0.05
    most_trials: int = 16
    lowest_per_s: float = 1.0
    highest_per_s: float = 5_000.0
    seed: int = 0

    def __post_init__(self) -> None:
        positive = (self.bound_ms, self.lowest_per_s, self.precision, self.most_trials)
        ordered = self.lowest_per_s <= self.start_per_s <= self.highest_per_s
        if not (all(0 < number < math.inf for number in positive) and ordered):
            raise ValueError(
                "expected a positive bound, rate, precision and number of trials, the rate between the lowest and the "
                f"highest, found {self}"
            )

    def run(self, load: Load) -> Found:
        """Try rates until the highest that holds is known well enough.

        Args:
            load: A trial: ``LEAST_REQUESTS`` or more for a bound of 99 %.
        """
        trials: list[Trial] = []
        holding, failing = None, math.inf
        rate_per_s: float | None = self.start_per_s
        while rate_per_s is not None and len(trials) < self.most_trials:
            trial = self._try(load, rate_per_s, self.seed + len(trials))
            trials.append(trial)
            if trial.holds:
                holding = trial
            else:
                failing = rate_per_s
            rate_per_s = self._next(0.0 if holding is None else holding.rate_per_s, failing)
        return Found(
            self.bound_ms,
            holding,
            None if math.isinf(failing) else failing,
            self._reason(holding, failing, settled=rate_per_s is None),
            tuple(trials),
        )

    def _try(self, load: Load, rate_per_s: float, seed: int) -> Trial:
        latencies = load(rate_per_s, seed)
        p99 = quantile(latencies, SHARE, independent=True)
        return Trial(rate_per_s, seed, len(latencies), p99, p99.high is not None and p99.high <= self.bound_ms)

    def _next(self, holding: float, failing: float) -> float | None:
        """Return the rate between the highest that holds and the lowest that fails; ``None`` if it is over."""
        if math.isinf(failing):
            return None if holding >= self.highest_per_s else min(2.0 * holding, self.highest_per_s)
        if holding == 0.0:
            return None if failing <= self.lowest_per_s else max(failing / 2.0, self.lowest_per_s)
        if failing <= holding * (1.0 + self.precision):
            return None
        return math.sqrt(holding * failing)

    def _reason(self, holding: Trial | None, failing: float, *, settled: bool) -> str | None:
        if holding is None:
            return f"no rate from {failing:g} requests a second on holds"
        if math.isinf(failing):
            return f"no rate up to {holding.rate_per_s:g} requests a second fails"
        if not settled:
            return f"after {self.most_trials} trials the highest lies between {holding.rate_per_s:g} and {failing:g}"
        return None
