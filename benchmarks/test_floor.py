"""What servers reach of the batcher in this process, and what the delay adds: ``pytest benchmarks -m floor -rP``.

Servers that are compared are up at once and take turns, forwards and backwards, so that what drifts on the machine
lies in all of them. Flair in float32 tags; each sentence is a request. Some minutes.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import pytest

from leanner.configurations import BASELINE
from leanner.configurations import named
from leanner.corpora.load import load_corpus
from leanner.measure.served.tagger import IN_FLIGHT
from leanner.measure.served.tagger import Requests
from leanner.measure.served.target import open_target
from leanner.measure.served.worker import source_of
from leanner.measure.statistics import median_interval
from leanner.passes.protocol import NotRunnable
from leanner.serving.batching import ONE_BY_ONE
from leanner.serving.batching import DynamicBatching
from leanner.serving.load.scenarios import ClosedLoop
from leanner.serving.load.summary import latencies_ms
from leanner.serving.load.summary import summarise
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import MOSEC
from leanner.serving.serving import TORCHSERVE
from leanner.serving.serving import Serving


if TYPE_CHECKING:
    from leanner.measure.served.target import Target
    from leanner.measure.session import Session
    from leanner.taggers.protocol import Tagger


pytestmark = pytest.mark.floor

BATCHED: Final = DynamicBatching(16, 5.0)
#: Of a turn: ten batches.
REQUESTS: Final = 160
#: As many as bound a median (by order statistics, 95 %).
TURNS: Final = 10
#: Of single requests, whose latencies are short and vary by more than what is looked for.
TURNS_OF_SINGLES: Final = 20
LIMIT_S: Final = 120.0

#: Throughput over that in this process.
LEAST_SHARE: Final = 0.85
#: What a request waits longer with a delay of 5 ms, if nothing else is in flight.
MOST_LONGER_MS: Final = 7.0
SINGLES: Final = 40


class Servers:
    """Serves the baseline by several servers at once."""

    def __init__(self, session: Session, tagger: Tagger) -> None:
        self.session: Final = session
        self.tagger: Final = tagger
        self.requests: Final = Requests.of(itertools.islice(load_corpus(["bundled"]), 100))

    def take_turns(
        self,
        servings: Mapping[str, Serving],
        measure: Callable[[Target], float],
        benchmark: Any,  # noqa: ANN401 - untyped
        count: int = TURNS,
    ) -> dict[str, list[float]]:
        """Return what ``measure`` gave of each server in each turn."""
        found: dict[str, list[float]] = {name: [] for name in servings}
        source = source_of(named(BASELINE), self.session.options, "cpu")

        def turns() -> None:
            with contextlib.ExitStack() as stack:
                targets = {
                    name: stack.enter_context(open_target(serving, source, self.tagger, self.requests.bodies))
                    for name, serving in servings.items()
                }
                for target in targets.values():
                    self.throughput_per_s(target)
                for turn in range(count):
                    for name in list(targets) if turn % 2 == 0 else reversed(targets):
                        found[name].append(measure(targets[name]))

        try:
            benchmark.pedantic(turns, rounds=1, iterations=1)
        except NotRunnable as reason:
            pytest.skip(str(reason))
        return found

    def throughput_per_s(self, target: Target) -> float:
        """Return the requests a second of a closed loop."""
        indices = [place % len(self.requests.texts) for place in range(REQUESTS)]
        found = summarise(target.drive(ClosedLoop(IN_FLIGHT), indices, limit_s=LIMIT_S))
        assert found.answered == REQUESTS, found.failures
        assert found.throughput_per_s.value is not None
        return found.throughput_per_s.value

    def alone_ms(self, target: Target) -> float:
        """Return the median latency of requests with no other in flight."""
        driven = target.drive(ClosedLoop(1), range(SINGLES), limit_s=LIMIT_S)
        return statistics.median(latencies_ms(driven.outcomes))


@pytest.fixture
def servers(leanner_session: Session, tagger: Tagger) -> Servers:
    """The servers of the baseline."""
    return Servers(leanner_session, tagger)


@pytest.mark.parametrize("server", [TORCHSERVE, MOSEC])
def test_throughput_over_that_in_this_process(server: str, servers: Servers, benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """A server reaches 85 % of what the batcher of this process does with the same batches."""
    servings = {name: Serving(name, BATCHED) for name in (server, IN_PROCESS)}
    found = servers.take_turns(servings, servers.throughput_per_s, benchmark)
    shares = [there / here for there, here in zip(found[server], found[IN_PROCESS], strict=True)]
    benchmark.extra_info |= {"requests_per_s": found}
    print(f"{server} over this process: {told(shares)}; requests/s {told(found[server])}, {told(found[IN_PROCESS])}")  # noqa: T201 - shown with -rP
    assert statistics.median(shares) >= LEAST_SHARE


@pytest.mark.parametrize("server", [TORCHSERVE, MOSEC])
def test_the_delay_is_what_a_single_request_waits_longer(server: str, servers: Servers, benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """With nothing else in flight, batches that wait for 5 ms make a request at most 7 ms slower."""
    servings = {"one by one": Serving(server, ONE_BY_ONE), "batched": Serving(server, BATCHED)}
    found = servers.take_turns(servings, servers.alone_ms, benchmark, TURNS_OF_SINGLES)
    longer = [batched - alone for batched, alone in zip(found["batched"], found["one by one"], strict=True)]
    benchmark.extra_info |= {"alone_ms": found}
    print(f"{server}, one request in flight: {told(longer)} ms longer; {told(found['one by one'])} ms one by one")  # noqa: T201 - shown with -rP
    assert statistics.median(longer) <= MOST_LONGER_MS


def told(values: Sequence[float]) -> str:
    """Return the median with its interval."""
    interval = median_interval(values)
    assert interval is not None
    return f"{statistics.median(values):.3g} [{interval[0]:.3g}, {interval[1]:.3g}]"
