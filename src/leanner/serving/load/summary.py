"""What a run says: how many were answered in a second, how long each took, where it waited, and what failed."""

from __future__ import annotations

import bisect

from collections import Counter
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.serving.load.interval import Estimate
from leanner.serving.load.interval import quantile
from leanner.serving.load.interval import rate


if TYPE_CHECKING:
    from leanner.serving.batch_log import Batch
    from leanner.serving.load.job import Driven
    from leanner.serving.load.outcome import Outcome


_NS_PER_S: Final = 1e9
_NS_PER_MS: Final = 1e6

#: What is told of a distribution.
SHARES: Final[Mapping[str, float]] = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True, slots=True)
class Summary:
    """A run as the client saw it.

    Attributes:
        requests: That were to be sent.
        answered: Those with a status from 200 to 299.
        failures: The others by kind: ``refused``, ``timeout``, ``http-503`` …
        seconds: From when the first was due until the last had its outcome.
        throughput_per_s: Of those answered.
        latency_ms: Of those answered, from when each was due, by ``SHARES``.
        late_ms: Of those sent, from when each was due until it was: what the load itself adds.
        cpu_share: CPU seconds of the process that sent over seconds; close to 1, it was the bottleneck.
    """

    requests: int
    answered: int
    failures: Mapping[str, int]
    seconds: float
    throughput_per_s: Estimate
    latency_ms: Mapping[str, Estimate]
    late_ms: Mapping[str, Estimate]
    cpu_share: float

    def to_json(self) -> dict[str, Any]:
        """Return it, ready for JSON."""
        return {
            "requests": self.requests,
            "answered": self.answered,
            "failures": dict(self.failures),
            "seconds": self.seconds,
            "throughput_per_s": self.throughput_per_s.to_json(),
            "latency_ms": _to_json(self.latency_ms),
            "late_ms": _to_json(self.late_ms),
            "cpu_share": self.cpu_share,
        }


@dataclass(frozen=True, slots=True)
class ServerSide:
    """The same run by the batches that the server logged.

    Attributes:
        batches: Logged.
        sizes: How many batches had so many requests.
        full_share: Of batches that had as many as one may have; ``None`` without a batch.
        joined: Answered requests that were found in a batch.
        not_joined: Those that were not; what follows is of the others only.
        queue_ms: From when a request was sent until its batch began, by ``SHARES``.
        model_ms: From there until the batch had ended.
        return_ms: From there until the client had the whole answer.
    """

    batches: int
    sizes: Mapping[int, int]
    full_share: float | None
    joined: int
    not_joined: int
    queue_ms: Mapping[str, Estimate]
    model_ms: Mapping[str, Estimate]
    return_ms: Mapping[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """Return it, ready for JSON."""
        return {
            "batches": self.batches,
            "sizes": {str(size): number for size, number in self.sizes.items()},
            "full_share": self.full_share,
            "joined": self.joined,
            "not_joined": self.not_joined,
            "queue_ms": _to_json(self.queue_ms),
            "model_ms": _to_json(self.model_ms),
            "return_ms": _to_json(self.return_ms),
        }


def summarise(driven: Driven) -> Summary:
    """Return what the client saw of a run."""
    outcomes = driven.outcomes
    answered = [outcome for outcome in outcomes if outcome.failure is None]
    failures = Counter(outcome.failure for outcome in outcomes if outcome.failure is not None)
    began_ns = min((outcome.intended_ns for outcome in outcomes if outcome.intended_ns is not None), default=0)
    ended_ns = max((outcome.ended_ns for outcome in outcomes), default=0)
    run_s = (driven.ended_ns - driven.began_ns) / _NS_PER_S
    return Summary(
        requests=len(outcomes),
        answered=len(answered),
        failures=dict(sorted(failures.items())),
        seconds=(ended_ns - began_ns) / _NS_PER_S,
        throughput_per_s=rate(
            [(outcome.ended_ns - began_ns) / _NS_PER_S for outcome in answered], 0.0, (ended_ns - began_ns) / _NS_PER_S
        ),
        latency_ms=_quantiles(latencies_ms(answered)),
        late_ms=_quantiles(list(_late_ms(outcomes))),
        cpu_share=driven.cpu_s / run_s if run_s else 0.0,
    )


def latencies_ms(outcomes: Sequence[Outcome]) -> list[float]:
    """Return how long each request took from when it was due; without end for one that was not answered as asked."""
    return [
        float("inf") if outcome.failure is not None or outcome.latency_ns is None else outcome.latency_ns / _NS_PER_MS
        for outcome in outcomes
    ]


def server_side(
    outcomes: Sequence[Outcome], names: Sequence[str | int], batches: Sequence[Batch], max_batch_size: int
) -> ServerSide:
    """Join a run with the server's log.

    Args:
        outcomes: Of the run.
        names: The id in each body, by its index.
        batches: Logged during the run.
        max_batch_size: Requests that a batch may have.
    """
    sizes = Counter(batch.size for batch in batches)
    pairs = list(join(outcomes, names, batches))
    answered = sum(outcome.failure is None for outcome in outcomes)
    return ServerSide(
        batches=len(batches),
        sizes=dict(sorted(sizes.items())),
        full_share=sizes[max_batch_size] / len(batches) if batches else None,
        joined=len(pairs),
        not_joined=answered - len(pairs),
        queue_ms=_quantiles([(batch.began_ns - (outcome.sent_ns or 0)) / _NS_PER_MS for outcome, batch in pairs]),
        model_ms=_quantiles([(batch.ended_ns - batch.began_ns) / _NS_PER_MS for _, batch in pairs]),
        return_ms=_quantiles([(outcome.ended_ns - batch.ended_ns) / _NS_PER_MS for outcome, batch in pairs]),
    )


def join(
    outcomes: Sequence[Outcome], names: Sequence[str | int], batches: Sequence[Batch]
) -> Iterator[tuple[Outcome, Batch]]:
    """Yield each answered request with the batch that it was in, in the order of ``outcomes``.

    A body may be sent several times in a run. A request's batch began after the request was sent and ended before the
    answer was there; of several, the one that was answered first has the one that began first.

    Args:
        outcomes: Of a run.
        names: The id in each body, by its index.
        batches: Logged during the run.
    """
    logged: dict[str | int | None, list[Batch]] = defaultdict(list)
    for batch in sorted(batches, key=lambda batch: batch.began_ns):
        for name in batch.ids:
            logged[name].append(batch)
    found: dict[int, Batch] = {}
    answered = [place for place, outcome in enumerate(outcomes) if outcome.failure is None]
    for place in sorted(answered, key=lambda place: outcomes[place].ended_ns):
        outcome = outcomes[place]
        left = logged[names[outcome.index]]
        first = bisect.bisect_left(left, outcome.sent_ns or 0, key=lambda batch: batch.began_ns)
        if first < len(left) and left[first].ended_ns <= outcome.ended_ns:
            found[place] = left.pop(first)
    for place in answered:
        if place in found:
            yield outcomes[place], found[place]


def _late_ms(outcomes: Sequence[Outcome]) -> Iterator[float]:
    for outcome in outcomes:
        if outcome.sent_ns is not None and outcome.intended_ns is not None:
            yield (outcome.sent_ns - outcome.intended_ns) / _NS_PER_MS


def _quantiles(milliseconds: Sequence[float]) -> dict[str, Estimate]:
    return {name: quantile(milliseconds, share) for name, share in SHARES.items()}


def _to_json(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: estimate.to_json() for name, estimate in estimates.items()}
