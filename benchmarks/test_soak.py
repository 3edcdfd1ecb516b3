"""Whether a server's memory grows under load: ``pytest benchmarks -m soak -rP``, about two minutes.

Requests come at random (an open loop) at 80 % of what a closed loop has just got out of the server, for 60 seconds or
as many as ``LEANNER_SOAK_SECONDS`` says. Memory is that of all processes of the server, shared pages counted once.
"""

from __future__ import annotations

import os

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
    from leanner.measure.session import Session
    from leanner.taggers.protocol import Tagger


pytestmark = pytest.mark.soak

CAPACITY_REQUESTS: Final = 400
SHARE: Final = 0.8
#: Memory is looked at after each of so many parts; the first warms up.
PARTS: Final = 6
MOST_GROWTH: Final = 1.02


@pytest.mark.parametrize("server", [TORCHSERVE, MOSEC])
def test_memory_does_not_grow(
    server: str,
    leanner_session: Session,
    tagger: Tagger,
    benchmark: Any,  # noqa: ANN401 - untyped
) -> None:
    """The server's processes take no more than 2 % more at the end than after the first part, and answer everything."""
    part_s = float(os.environ.get("LEANNER_SOAK_SECONDS", "60")) / PARTS
    requests = Requests.of(load_corpus(["bundled"]))
    source = source_of(named(BASELINE), leanner_session.options, "cpu")

    def soak() -> tuple[float, list[float]]:
        with open_target(Serving(server, DynamicBatching(16, 5.0)), source, tagger, requests.bodies) as target:
            indices = [place % len(requests.texts) for place in range(CAPACITY_REQUESTS)]
            capacity = summarise(target.drive(ClosedLoop(32), indices, limit_s=120.0))
            assert capacity.throughput_per_s.value is not None
            rate_per_s = SHARE * capacity.throughput_per_s.value
            number = max(1, round(rate_per_s * part_s))
            megabytes = []
            for seed in range(PARTS):
                indices = [place % len(requests.texts) for place in range(number)]
                part = summarise(target.drive(OpenLoop(rate_per_s, seed), indices, limit_s=4.0 * part_s + 60.0))
                assert part.answered == number, part.failures
                found = tree_mb(target.pids())
                if found is None:
                    pytest.skip("the kernel does not tell what memory processes share")
                megabytes.append(found)
        return rate_per_s, megabytes

    try:
        rate_per_s, megabytes = benchmark.pedantic(soak, rounds=1, iterations=1)
    except NotRunnable as reason:
        pytest.skip(str(reason))
    growth = megabytes[-1] / megabytes[0]
    benchmark.extra_info |= {"rate_per_s": rate_per_s, "megabytes": megabytes}
    print(f"{server}: {rate_per_s:.1f} requests/s, MB {', '.join(f'{each:.1f}' for each in megabytes)}, {growth:.4f} x")  # noqa: T201 - shown with -rP
    assert growth <= MOST_GROWTH
