"""When requests are sent: the scenarios of MLPerf Inference (Reddi et al. 2020, section III-C; Mattson et al.).

They know nothing of HTTP. What they drive is any function that sends a body and waits for its answer; each request
ends in one outcome, whatever happens to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import random
import time

from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Final
from typing import Protocol

from leanner.serving.load.outcome import NOT_SENT
from leanner.serving.load.outcome import TIME_LIMIT
from leanner.serving.load.outcome import Outcome
from leanner.serving.load.outcome import SendError


#: Sends a body; returns status and body of the answer, or raises ``SendError``.
Send = Callable[[bytes], Awaitable[tuple[int, bytes]]]

#: Nanoseconds that never go back.
Clock = Callable[[], int]

_NS_PER_S: Final = 1_000_000_000


class Requests:
    """The requests of one run, in the order in which they are due.

    Args:
        send: How one is sent.
        bodies: Of all requests that there are.
        indices: Of the bodies that are sent; one may be sent several times.
        clock: What outcomes are stamped with.
    """

    def __init__(self, send: Send, bodies: Sequence[bytes], indices: Sequence[int], clock: Clock) -> None:
        self.clock = clock
        self._send = send
        self._bodies = bodies
        self._indices = indices
        self._outcomes: list[Outcome | None] = [None] * len(indices)
        #: Whether one was not answered as asked.
        self.failed = False

    def __len__(self) -> int:
        return len(self._indices)

    async def send(self, place: int, intended_ns: int) -> None:
        """Send the request at ``place``, which was due at ``intended_ns``, and keep what becomes of it."""
        index = self._indices[place]
        status, error, body = None, None, None
        sent_ns = self.clock()
        try:
            status, body = await self._send(self._bodies[index])
        except SendError as failed:
            error = failed.kind
        except asyncio.CancelledError:
            self._outcomes[place] = Outcome(index, intended_ns, sent_ns, self.clock(), error=TIME_LIMIT)
            raise
        outcome = Outcome(index, intended_ns, sent_ns, self.clock(), status, error, body)
        self._outcomes[place] = outcome
        self.failed = self.failed or outcome.failure is not None

    def give_up(self) -> None:
        """Have those that were not sent count as that."""
        now_ns = self.clock()
        for place, (index, outcome) in enumerate(zip(self._indices, self._outcomes, strict=True)):
            self._outcomes[place] = outcome or Outcome(index, None, None, now_ns, error=NOT_SENT)

    def outcomes(self) -> list[Outcome]:
        """Return an outcome for each, in order; those that were never sent have met the time limit."""
        now_ns = self.clock()
        return [
            outcome or Outcome(index, None, None, now_ns, error=TIME_LIMIT)
            for index, outcome in zip(self._indices, self._outcomes, strict=True)
        ]


class Scenario(Protocol):
    """When the requests of a run are sent: a frozen dataclass of its parameters."""

    def describe(self) -> dict[str, Any]:
        """Return name and parameters, ready for JSON."""
        ...

    async def drive(self, requests: Requests) -> None:
        """Send all requests, and return when each has its outcome."""
        ...


@dataclass(frozen=True, slots=True)
class Offline:
    """All requests are due at once, when the run begins.

    Attributes:
        at_most: Requests in flight, at most, for a server whose queue has an end; the others wait, and their latency
            counts that. All are sent at once if ``None``.

    Raises:
        ValueError: None may be in flight.
    """

    at_most: int | None = None

    def __post_init__(self) -> None:
        if self.at_most is not None:
            _check_positive(self.at_most, "requests in flight")

    def describe(self) -> dict[str, Any]:
        """Return name and parameters."""
        return {"name": "offline", **dataclasses.asdict(self)}

    async def drive(self, requests: Requests) -> None:
        """Send them."""
        began_ns = requests.clock()
        await _in_turn(requests, len(requests) if self.at_most is None else self.at_most, lambda: began_ns)


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """So many clients, each of which sends its next request when its last one is answered.

    A server that stands still is sent nothing meanwhile: latencies say how fast it is, not how long users wait.

    Attributes:
        in_flight: Clients.
        until_failure: Whether nothing more is sent once a request was not answered as asked.

    Raises:
        ValueError: There is none.
    """

    in_flight: int
    until_failure: bool = False

    def __post_init__(self) -> None:
        _check_positive(self.in_flight, "requests in flight")

    def describe(self) -> dict[str, Any]:
        """Return name and parameters."""
        return {"name": "closed-loop", **dataclasses.asdict(self)}

    async def drive(self, requests: Requests) -> None:
        """Send them."""
        await _in_turn(requests, self.in_flight, requests.clock, until_failure=self.until_failure)
        if self.until_failure and requests.failed:
            requests.give_up()


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Requests come at random, as from many users who know nothing of each other: a Poisson process.

    No number in flight holds one back, and latency counts from when it was due, not from when it was sent: the wait
    that a slow server causes is seen by all that come meanwhile (Tene 2013 calls it coordinated omission where it
    is not).

    Attributes:
        rate_per_s: Arrivals a second, on average.
        seed: Of the gaps between them.

    Raises:
        ValueError: The rate is not positive, or has no end.
    """

    rate_per_s: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.rate_per_s < math.inf:
            raise ValueError(f"expected a finite rate of more than 0 requests a second, found {self.rate_per_s}")

    def describe(self) -> dict[str, Any]:
        """Return name and parameters."""
        return {"name": "open-loop", **dataclasses.asdict(self)}

    def arrivals_ns(self, number: int) -> list[int]:
        """Return when the first ``number`` requests are due, in nanoseconds from the beginning of the run."""
        gaps = random.Random(self.seed)  # noqa: S311 - no secret
        at_s, arrivals = 0.0, []
        for _ in range(number):
            at_s += gaps.expovariate(self.rate_per_s)
            arrivals.append(round(at_s * _NS_PER_S))
        return arrivals

    async def drive(self, requests: Requests) -> None:
        """Send them."""
        began_ns = requests.clock()
        async with asyncio.TaskGroup() as group:
            for place, after_ns in enumerate(self.arrivals_ns(len(requests))):
                due_ns = began_ns + after_ns
                while (early_ns := due_ns - requests.clock()) > 0:
                    await asyncio.sleep(early_ns / _NS_PER_S)
                group.create_task(requests.send(place, due_ns))


async def run(
    scenario: Scenario,
    send: Send,
    bodies: Sequence[bytes],
    indices: Sequence[int],
    *,
    limit_s: float,
    clock: Clock = time.monotonic_ns,
) -> list[Outcome]:
    """Send requests as ``scenario`` says.

    Args:
        scenario: When each is sent.
        send: How; whatever it raises but ``SendError`` ends the run.
        bodies: Of all requests that there are.
        indices: Of the bodies to send, in this order.
        limit_s: Seconds after which what is not answered is given up, and nothing more is sent.
        clock: What outcomes are stamped with.

    Returns:
        An outcome for each of ``indices``, in their order.
    """
    requests = Requests(send, bodies, indices, clock)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await scenario.drive(requests)
    return requests.outcomes()


async def _in_turn(requests: Requests, clients: int, due_ns: Clock, *, until_failure: bool = False) -> None:
    """Have each client take the next request when it has the answer to its last one."""
    places = iter(range(len(requests)))

    async def client() -> None:
        for place in places:
            await requests.send(place, due_ns())
            if until_failure and requests.failed:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(min(clients, len(requests))):
            group.create_task(client())


def _check_positive(number: int, what: str) -> None:
    if number < 1:
        raise ValueError(f"expected at least one of {what}, found {number}")
