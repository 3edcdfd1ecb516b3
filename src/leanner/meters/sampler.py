"""Who reads the sources: at both edges of a window, and in between from a thread.

A sampler has ``start()`` and ``stop() -> Trace``; one that lives in a process of its own
can take the place of ``ThreadSampler``, since the clock is the machine's.
"""

from __future__ import annotations

import math
import threading
import time

from collections.abc import Callable
from collections.abc import Sequence
from itertools import pairwise
from typing import Final
from typing import Protocol

from leanner.meters.clock import NS_PER_S
from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.clock import seconds
from leanner.meters.errors import MeterError
from leanner.meters.trace import Health
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace


# A read that fails at an edge would cost the whole window: it is tried this often.
_EDGE_TRIES: Final = 3

# Longer than any driver call that comes back.
_JOIN_S: Final = 10.0


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
    """Takes the samples of one window."""

    def start(self) -> None:
        """Read every source, then begin the window."""
        ...

    def stop(self) -> Trace:
        """End the window, then read every source."""
        ...


#: Makes the sampler of one window: sources, seconds between ticks, clock.
SamplerFactory = Callable[[Sequence[Source], float, Clock], Sampler]


class EdgeSampler:
    """Reads the sources at both edges, and whenever ``tick`` is called.

    Sources are read in their order at the begin and in reverse at the end: the last one
    is closest to the window, so counters come last.
    """

    def __init__(self, sources: Sequence[Source], interval_s: float, clock: Clock = monotonic_ns) -> None:
        self._sources = [(source, threading.Lock()) for source in sources]
        self._interval_s = interval_s
        self._clock = clock
        self._samples: list[Sample] = []
        self._ticks_ns: list[int] = []
        self._start_ns = 0

    def start(self) -> None:
        """Read every source, then begin the window."""
        for source, lock in self._sources:
            self._observe_edge(source, lock, Moment.START)
        self._start_ns = self._clock()

    def tick(self) -> None:
        """Read every source within the window."""
        for source, lock in self._sources:
            self._observe(source, lock, Moment.TICK)
        self._ticks_ns.append(self._clock())

    def stop(self) -> Trace:
        """End the window, then read every source."""
        end_ns = self._clock()
        for source, lock in reversed(self._sources):
            self._observe_edge(source, lock, Moment.STOP)
        return self._trace(end_ns, cpu_s=None)

    def _observe_edge(self, source: Source, lock: threading.Lock, moment: Moment) -> None:
        for _ in range(_EDGE_TRIES):
            if not self._observe(source, lock, moment).failures:
                return

    def _observe(self, source: Source, lock: threading.Lock, moment: Moment) -> Sample:
        # Without the lock an edge and a tick could read one counter in one order and
        # stamp it in the other, which looks like a wrap.
        with lock:
            before_ns = self._clock()
            seen = source.sample(moment)
            t_ns = (before_ns + self._clock()) // 2
            sample = Sample(source.name, moment, t_ns, seen.values, seen.failures)
            self._samples.append(sample)
        return sample

    def _trace(self, end_ns: int, cpu_s: float | None) -> Trace:
        kept = [s for s in self._samples if s.moment is not Moment.TICK or self._start_ns <= s.t_ns <= end_ns]
        ticks = [t for t in self._ticks_ns if t <= end_ns]
        return Trace(
            start_ns=self._start_ns,
            end_ns=end_ns,
            interval_s=self._interval_s,
            samples=tuple(sorted(kept, key=lambda sample: sample.t_ns)),
            health=_health(self._start_ns, ticks, end_ns, cpu_s),
        )


class ThreadSampler(EdgeSampler):
    """Ticks from a daemon thread, on a fixed grid; a tick that comes late is not made up for.

    Raises:
        MeterError: From ``stop``: the thread failed, or hangs in a driver call.
    """

    def __init__(self, sources: Sequence[Source], interval_s: float, clock: Clock = monotonic_ns) -> None:
        super().__init__(sources, interval_s, clock)
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._cpu_s = 0.0
        self._thread = threading.Thread(target=self._run, name="leanner-sampler", daemon=True)

    def start(self) -> None:
        """Read every source, begin the window and start ticking."""
        super().start()
        self._thread.start()

    def stop(self) -> Trace:
        """End the window, read every source and end the thread."""
        end_ns = self._clock()
        self._ended.set()
        for source, lock in reversed(self._sources):
            self._observe_edge(source, lock, Moment.STOP)
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            raise MeterError(f"the sampler did not end within {_JOIN_S:.0f} s: a driver call hangs; check the device")
        if self._failure is not None:
            raise MeterError(f"the sampler failed: {self._failure!r}; the window has no reading") from self._failure
        return self._trace(end_ns, cpu_s=self._cpu_s)

    def _run(self) -> None:
        interval_ns = round(self._interval_s * NS_PER_S)
        due_ns = self._start_ns + interval_ns
        try:
            while not self._ended.wait(max(0.0, seconds(due_ns - self._clock()))):
                self.tick()
                late = max(0, self._clock() - due_ns) // interval_ns
                due_ns += (late + 1) * interval_ns
        except Exception as error:  # noqa: BLE001 - kept, and raised by stop in the caller's thread
            self._failure = error
        finally:
            self._cpu_s = time.thread_time()


def _health(start_ns: int, ticks_ns: Sequence[int], end_ns: int, cpu_s: float | None) -> Health:
    pauses = [seconds(b - a) for a, b in pairwise([start_ns, *ticks_ns, end_ns])]
    periods = sorted(seconds(b - a) for a, b in pairwise([start_ns, *ticks_ns]))
    p99 = periods[math.ceil(0.99 * len(periods)) - 1] if periods else None
    return Health(ticks=len(ticks_ns), longest_gap_s=max(pauses), period_p99_s=p99, cpu_s=cpu_s)
