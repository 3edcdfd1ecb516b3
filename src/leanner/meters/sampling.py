"""Who reads the sources: at both edges of a window, and in between; and how well that went."""

from __future__ import annotations

import math

from collections.abc import Sequence
from itertools import pairwise
from typing import Final
from typing import Protocol

from leanner.meters.arithmetic import GAP_INTERVALS
from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.clock import seconds
from leanner.meters.trace import Health
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace


#: What a reading puts up with in silence: 99th percentile of the period, in intervals.
PERIOD_LIMIT: Final = 1.2

#: The same for the sampler's CPU seconds, as a share of the window.
COST_LIMIT: Final = 0.01

# With fewer, beginning and ending a window is most of what the sampler does.
_TICKS_THAT_COUNT: Final = 10

# A read that fails at an edge would cost the whole window: it is tried this often.
_EDGE_TRIES: Final = 3


class Source(Protocol):
    """Something that can be read again and again: a file, a driver, the process table."""

    @property
    def name(self) -> str:
        """Stands in the trace."""
        ...

    def sample(self, moment: Moment) -> Observation:
        """Return what is there now; a failed read is a failure of its channel, not an exception."""
        ...


class Sampler(Protocol):
    """Takes the samples of windows, one window after the other."""

    def start(self) -> None:
        """Read every source, then begin the window.

        Raises:
            MeterError: It cannot sample.
        """
        ...

    def stop(self) -> Trace:
        """End the window, then read every source."""
        ...

    def close(self) -> None:
        """Give back what it holds; no window follows."""
        ...


def observe(source: Source, moment: Moment, clock: Clock) -> Sample:
    """Read a source; the sample's time is the middle of the read."""
    before_ns = clock()
    seen = source.sample(moment)
    return Sample(source.name, moment, (before_ns + clock()) // 2, seen.values, seen.failures)


class EdgeSampler:
    """Reads the sources at both edges, and whenever ``tick`` is called.

    Sources are read in their order at the begin and in reverse at the end: the last one
    is closest to the window, so counters come last.
    """

    def __init__(self, sources: Sequence[Source], interval_s: float, clock: Clock = monotonic_ns) -> None:
        self._sources = tuple(sources)
        self._interval_s = interval_s
        self._clock = clock
        self._samples: list[Sample] = []
        self._ticks_ns: list[int] = []
        self._start_ns = 0

    def start(self) -> None:
        """Read every source, then begin the window."""
        self._begin()
        self._start_ns = self._clock()

    def tick(self) -> None:
        """Read every source within the window."""
        self._samples += [observe(source, Moment.TICK, self._clock) for source in self._sources]
        self._ticks_ns.append(self._clock())

    def stop(self) -> Trace:
        """End the window, then read every source."""
        end_ns = self._clock()
        self._end()
        return self._trace(end_ns)

    def close(self) -> None:
        """Hold nothing, give nothing back."""

    def _begin(self) -> None:
        self._samples, self._ticks_ns = [], []
        for source in self._sources:
            self._observe_edge(source, Moment.START)

    def _end(self) -> None:
        for source in reversed(self._sources):
            self._observe_edge(source, Moment.STOP)

    def _observe_edge(self, source: Source, moment: Moment) -> None:
        for _ in range(_EDGE_TRIES):
            self._samples.append(observe(source, moment, self._clock))
            if not self._samples[-1].failures:
                return

    def _trace(self, end_ns: int, cpu_s: float | None = None, failure: str | None = None) -> Trace:
        def within(t_ns: int) -> bool:
            return self._start_ns <= t_ns <= end_ns

        kept = [sample for sample in self._samples if sample.moment is not Moment.TICK or within(sample.t_ns)]
        return Trace(
            start_ns=self._start_ns,
            end_ns=end_ns,
            interval_s=self._interval_s,
            samples=tuple(sorted(kept, key=lambda sample: sample.t_ns)),
            health=health_of(self._start_ns, list(filter(within, self._ticks_ns)), end_ns, cpu_s, failure),
        )


def health_of(
    start_ns: int, ticks_ns: Sequence[int], end_ns: int, cpu_s: float | None = None, failure: str | None = None
) -> Health:
    """Return how the sampler fared.

    Args:
        start_ns: Begin of the window.
        ticks_ns: When each tick within it was done, in the order of time.
        end_ns: End of the window.
        cpu_s: CPU seconds that the sampler used.
        failure: Why it ended before the window did.
    """
    pauses = [seconds(b - a) for a, b in pairwise([start_ns, *ticks_ns, end_ns])]
    periods = sorted(seconds(b - a) for a, b in pairwise([start_ns, *ticks_ns]))
    # The nearest rank: of fewer than a hundred periods it is the longest.
    p99 = periods[math.ceil(0.99 * len(periods)) - 1] if periods else None
    return Health(len(ticks_ns), max(pauses), p99, cpu_s, failure)


def notes(trace: Trace) -> list[str]:
    """Return what a reader must know about the sampling of a window."""
    health, interval_s = trace.health, trace.interval_s
    if health.failure is not None:
        return [health.failure]
    said: list[str] = []
    if health.longest_gap_s > GAP_INTERVALS * interval_s:
        said.append(f"the sampler paused for {health.longest_gap_s:.2f} s, at {interval_s:g} s an interval")
    if health.period_p99_s is not None and health.period_p99_s > PERIOD_LIMIT * interval_s:
        said.append(
            f"the sampler's period was up to {health.period_p99_s:.3f} s (99th percentile), at {interval_s:g} s an "
            "interval"
        )
    if health.cpu_s is not None and health.ticks >= _TICKS_THAT_COUNT and health.cpu_s > COST_LIMIT * trace.window_s:
        said.append(f"the sampler itself used {health.cpu_s / trace.window_s:.1%} of a core")
    return said
