"""Whether a server's memory grows under load: ``pytest benchmarks -m soak -rP``, some minutes.

Requests come at random (an open loop) at 80 % of what a closed loop has just got out of the server. First they do until
what the server takes has settled, which takes some thousands of requests. Then they go on for 60 seconds, or as many as
``LEANNER_SOAK_SECONDS`` says. Memory is that of all processes of the server, shared pages counted once.
"""

from __future__ import annotations

import os
import random

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

CAPACITY_REQUESTS: Final = 400
SHARE: Final = 0.8
#: Memory is looked at after each of so many parts.
PARTS: Final = 6
MOST_GROWTH: Final = 1.02
#: It has settled when so many parts behind each other have left it within so much.
CALM: Final = 4
SETTLING_S: Final = 10.0
SETTLED: Final = 1.005
MOST_PARTS: Final = 30


@pytest.mark.parametrize("server", [TORCHSERVE, MOSEC])
def test_memory_does_not_grow(
    server: str,
    leanner_session: Session,
    tagger: Tagger,
    benchmark: Any,  # noqa: ANN401 - untyped
) -> None:
    """The server's processes take no more than 2 % more at the end than at the beginning, and answer everything."""
    part_s = float(os.environ.get("LEANNER_SOAK_SECONDS", "60")) / PARTS
    requests = Requests.of(load_corpus(["bundled"]))
    source = source_of(named(BASELINE), leanner_session.options, "cpu")

    def memory(target: Target) -> float:
        found = tree_mb(target.pids())
        if found is None:
            pytest.skip("the kernel does not tell what memory processes share")
        return found

    def capacity_per_s(target: Target) -> float:
        indices = [place % len(requests.texts) for place in range(CAPACITY_REQUESTS)]
        found = summarise(target.drive(ClosedLoop(32), indices, limit_s=120.0)).throughput_per_s.value
        assert found is not None
        return found

    def part(target: Target, rate_per_s: float, seed: int, seconds: float) -> float:
        """Return the memory behind a part of the load."""
        number = max(1, round(rate_per_s * seconds))
        indices = random.Random(seed).choices(range(len(requests.texts)), k=number)  # noqa: S311 - no secret
        found = summarise(target.drive(OpenLoop(rate_per_s, seed), indices, limit_s=4.0 * seconds + 60.0))
        assert found.answered == number, found.failures
        return memory(target)

    def settle(target: Target, rate_per_s: float) -> int:
        """Return how many parts it took."""
        megabytes: list[float] = []
        while len(megabytes) < MOST_PARTS:
            megabytes.append(part(target, rate_per_s, len(megabytes), SETTLING_S))
            last = megabytes[-CALM:]
            if len(last) == CALM and max(last) <= SETTLED * min(last):
                return len(megabytes)
        pytest.fail(f"memory has not settled in {MOST_PARTS} parts of {SETTLING_S:.0f} s: {megabytes} MB")

    def soak() -> tuple[float, list[float]]:
        with open_target(Serving(server, DynamicBatching(16, 5.0)), source, tagger, requests.bodies) as target:
            rate_per_s = SHARE * capacity_per_s(target)
            begin = settle(target, rate_per_s)
            megabytes = [memory(target)]
            megabytes.extend(part(target, rate_per_s, begin + number, part_s) for number in range(PARTS))
        return rate_per_s, megabytes

    try:
        rate_per_s, megabytes = benchmark.pedantic(soak, rounds=1, iterations=1)
    except NotRunnable as reason:
        pytest.skip(str(reason))
    growth = megabytes[-1] / megabytes[0]
    benchmark.extra_info |= {"rate_per_s": rate_per_s, "megabytes": megabytes}
    print(f"{server}: {rate_per_s:.1f} requests/s, MB {', '.join(f'{each:.1f}' for each in megabytes)}, {growth:.4f} x")  # noqa: T201 - shown with -rP
    assert growth <= MOST_GROWTH
