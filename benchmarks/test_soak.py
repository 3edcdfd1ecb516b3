"""Whether a server's memory grows under load: ``pytest benchmarks -m soak -rP``, some minutes.

Requests come at random (an open loop) at 80 % of what a closed loop has just got out of the server, for 60 seconds, or
as many as ``LEANNER_SOAK_SECONDS`` says; the baseline answers, or the configuration that ``LEANNER_SOAK_CONFIGURATION``
names. Before that, batches of every size come until what the server takes has
settled: it grows for some thousands of requests. Memory is that of all processes of the server, shared pages counted
once. What a worker holds goes up and down by a tenth from one batch to the next, and between two times that it gives
back what is free. So a part of the soak has the least of what was read in it: memory that is never given back raises
that, a batch does not.
"""

from __future__ import annotations

import os
import random
import statistics
import time

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.configurations import BASELINE
from leanner.configurations import named
from leanner.corpora.load import load_corpus
from leanner.measure.served.account import tree_mb
from leanner.measure.served.tagger import Requests
from leanner.measure.served.target import open_target
from leanner.measure.served.worker import source_of
from leanner.passes.protocol import NotRunnable
from leanner.serving.batching import DynamicBatching
from leanner.serving.load.scenarios import ClosedLoop
from leanner.serving.load.scenarios import OpenLoop
from leanner.serving.load.summary import summarise
from leanner.serving.serving import MOSEC
from leanner.serving.serving import TORCHSERVE
from leanner.serving.serving import Serving


if TYPE_CHECKING:
    from leanner.measure.served.target import Target
    from leanner.measure.session import Session
    from leanner.taggers.protocol import Tagger


pytestmark = pytest.mark.soak

BATCHING: Final = DynamicBatching(16, 5.0)
CAPACITY_REQUESTS: Final = 1_000
SHARE: Final = 0.8
#: How servers refuse what their queues have no place for, and the share of a part that must be answered.
REFUSED: Final = frozenset({"http-429", "http-503"})
LEAST_ANSWERED: Final = 0.5
#: The soak, and how often memory is read in one of its parts.
PARTS: Final = 6
READ_S: Final = 0.25
MOST_GROWTH: Final = 1.02
#: Of each size of batch, in a round of settling.
BATCHES: Final = 20
#: It has settled when two rounds add so little that as much, over and over, would make so much over the whole soak.
SETTLED: Final = 1.01
MOST_ROUNDS: Final = 12


@dataclass(frozen=True, slots=True)
class Load:
    """Requests to a server, and what it takes behind them.

    Attributes:
        target: The server.
        texts: How many there are to draw from.
        soak_s: Seconds that the soak lasts.
    """

    target: Target
    texts: int
    soak_s: float

    def settle(self) -> list[float]:
        """Return the memory behind each round."""
        rng = random.Random(2)  # noqa: S311 - no secret
        megabytes, ended_s = [self.memory()], [time.monotonic()]
        while len(megabytes) <= MOST_ROUNDS:
            for size in rng.sample(range(1, BATCHING.max_batch_size + 1), BATCHING.max_batch_size):
                indices = rng.choices(range(self.texts), k=BATCHES * size)
                found = summarise(self.target.drive(ClosedLoop(size), indices, limit_s=300.0))
                assert found.answered == len(indices), found.failures
            megabytes.append(self.memory())
            ended_s.append(time.monotonic())
            if len(megabytes) > 2:
                # The first round may begin with what preparing has left, and give it back.
                least = min((-3, -2), key=megabytes.__getitem__)
                growth_per_s = (megabytes[-1] / megabytes[least] - 1.0) / (ended_s[-1] - ended_s[least])
                if growth_per_s * self.soak_s <= SETTLED - 1.0:
                    return megabytes
        pytest.fail(f"memory has not settled in {MOST_ROUNDS} rounds of all sizes of batches: {megabytes} MB")

    def capacity_per_s(self) -> float:
        """Return the most that the server answers in a second."""
        indices = random.Random(1).choices(range(self.texts), k=CAPACITY_REQUESTS)  # noqa: S311 - no secret
        found = summarise(self.target.drive(ClosedLoop(32), indices, limit_s=120.0)).throughput_per_s.value
        assert found is not None
        return found

    def soak(self, rate_per_s: float) -> list[list[float]]:
        """Return what is read of memory in the part before the soak, which is like the others, and in each of them."""
        return [self._part(rate_per_s, seed) for seed in range(PARTS + 1)]

    def _part(self, rate_per_s: float, seed: int) -> list[float]:
        number = max(1, round(rate_per_s * self.soak_s / PARTS))
        indices = random.Random(seed).choices(range(self.texts), k=number)  # noqa: S311 - no secret
        megabytes = []
        with ThreadPoolExecutor(1) as thread:
            limit_s = 4.0 * self.soak_s / PARTS + 60.0
            driven = thread.submit(self.target.drive, OpenLoop(rate_per_s, seed), indices, limit_s=limit_s)
            while not wait([driven], timeout=READ_S).done:
                megabytes.append(self.memory())
        megabytes.append(self.memory())
        found = summarise(driven.result())
        # A machine that slows down meanwhile makes the rate more than the server can do: some are refused then.
        assert set(found.failures) <= REFUSED, found.failures
        assert found.answered >= LEAST_ANSWERED * number, found.failures
        return megabytes

    def memory(self) -> float:
        """Return the megabytes of the server's processes."""
        found = tree_mb(self.target.pids())
        if found is None:
            pytest.skip("the kernel does not tell what memory processes share")
        return found


@pytest.mark.parametrize("server", [TORCHSERVE, MOSEC])
def test_memory_does_not_grow(
    server: str,
    leanner_session: Session,
    tagger: Tagger,
    benchmark: Any,  # noqa: ANN401 - untyped
) -> None:
    """The server's processes take no more than 2 % more at the end than at the beginning, and lose no request."""
    soak_s = float(os.environ.get("LEANNER_SOAK_SECONDS", "60"))
    requests = Requests.of(load_corpus(["bundled"]))
    configuration = named(os.environ.get("LEANNER_SOAK_CONFIGURATION", BASELINE))
    source = source_of(configuration, leanner_session.options, "cpu")

    def run() -> tuple[float, list[float], list[list[float]]]:
        with open_target(Serving(server, BATCHING), source, tagger, requests.bodies) as target:
            load = Load(target, len(requests.texts), soak_s)
            settling = load.settle()
            rate_per_s = SHARE * load.capacity_per_s()
            return rate_per_s, settling, load.soak(rate_per_s)

    try:
        rate_per_s, settling, read = benchmark.pedantic(run, rounds=1, iterations=1)
    except NotRunnable as reason:
        pytest.skip(str(reason))
    least, medians = [min(part) for part in read], [statistics.median(part) for part in read]
    growth = least[-1] / least[0]
    benchmark.extra_info |= {"rate_per_s": rate_per_s, "settling_mb": settling, "megabytes": read}
    for what, each in (
        (f"{configuration.name}, settling", settling),
        (f"{rate_per_s:.1f} requests/s for {soak_s:g} s, least", least),
        ("medians", medians),
    ):
        print(f"{server}: {what}: MB {', '.join(f'{mb:.1f}' for mb in each)}")  # noqa: T201 - shown with -rP
    print(f"{server}: {growth:.4f} times; read {min(least):.0f} to {max(map(max, read)):.0f} MB")  # noqa: T201
    assert growth <= MOST_GROWTH
