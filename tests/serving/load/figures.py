"""Print the simulated figures of docs/load.md: ``cd tests && PYTHONPATH=../src:. python -m serving.load.figures``."""

from __future__ import annotations

import sys

from typing import Final

import numpy as np

from scipy.optimize import brentq

from leanner.serving.load.interval import quantile
from leanner.serving.load.slo import SHARE
from leanner.serving.load.slo import Load
from leanner.serving.load.slo import Search
from leanner.serving.load.slo import Trial
from serving.load.test_slo import md1
from serving.load.test_slo import md1_p99_s


SERVICE_S: Final = 0.010
#: Shares of the rate that the server can do, queues at each, and requests of a queue.
BUSY: Final = (0.5, 0.8, 0.9)
QUEUES: Final = 300
REQUESTS: Final = 5_000
#: Searches with trials of so many requests, and the bound.
SEARCHES: Final = 20
TRIALS: Final = (3_000, 1_000)
BOUND_MS: Final = 100.0


class Dependent(Search):
    """A search whose rates hold by the interval of requests that wait for each other."""

    __slots__ = ()

    def _try(self, load: Load, rate_per_s: float, seed: int) -> Trial:
        latencies = load(rate_per_s, seed)
        p99 = quantile(latencies, SHARE)
        return Trial(rate_per_s, seed, len(latencies), p99, p99.high is not None and p99.high <= self.bound_ms)


def coverage(busy: float) -> tuple[float, float]:
    """Return in which share of queues the interval holds the true p99, and in which it has no upper end."""
    rate = busy / SERVICE_S
    truth_ms = 1000.0 * md1_p99_s(rate, SERVICE_S)
    load = md1(SERVICE_S, REQUESTS)
    intervals = [quantile(load(rate, seed), SHARE) for seed in range(QUEUES)]
    holds = [
        (found.low is None or found.low <= truth_ms) and (found.high is None or truth_ms <= found.high)
        for found in intervals
    ]
    return float(np.mean(holds)), float(np.mean([found.high is None for found in intervals]))


def found_over_true(search: type[Search], requests: int) -> list[float]:
    """Return what searches find over the true rate, in order; 0 where no rate holds."""
    truth = float(brentq(lambda rate: 1000 * md1_p99_s(rate, SERVICE_S) - BOUND_MS, 20.0, 90.0))
    load = md1(SERVICE_S, requests)
    founds = (search(BOUND_MS, seed=1000 * number).run(load) for number in range(SEARCHES))
    return sorted(found.best.rate_per_s / truth if found.best else 0.0 for found in founds)


def main() -> None:
    """Print them."""
    say = sys.stdout.write
    for busy in BUSY:
        holds, open_ended = coverage(busy)
        say(f"p99 of {QUEUES} queues, {REQUESTS:,} requests, {busy:.0%} busy: ")
        say(f"inside {holds:.1%}, without an upper end {open_ended:.1%}\n")
    for search, name in ((Search, "independent"), (Dependent, "dependent")):
        for requests in TRIALS:
            found = found_over_true(search, requests)
            say(f"{SEARCHES} searches, trials of {requests:,} requests, interval of {name} ones: ")
            say(f"{found[0]:.0%} to {found[-1]:.0%} of the true rate, median {np.median(found):.0%}\n")


if __name__ == "__main__":
    main()
