"""Reads the sources within a window, on a fixed grid, and keeps what it sees."""

from __future__ import annotations

import math
import time

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from leanner.meters.clock import NS_PER_S
from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.clock import seconds
from leanner.meters.sampling import Source
from leanner.meters.sampling import observe
from leanner.meters.trace import Moment


if TYPE_CHECKING:
    from leanner.meters.memory import MemorySource


class Ticker:
    """Ticks on a fixed grid and keeps what it sees until the window ends; a tick that comes late is not made up for.

    Args:
        sources: What to read, in this order.
        look: Takes stock of the process tree, once a tick for all sources.
        memory: The source of memory among ``sources``.
        interval_s: Seconds between ticks.
        clock: Monotonic nanoseconds.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        look: Callable[[], None],
        memory: MemorySource,
        interval_s: float,
        clock: Clock = monotonic_ns,
    ) -> None:
        self._sources = tuple(sources)
        self._look = look
        self._memory = memory
        self._interval_ns = round(interval_s * NS_PER_S)
        self._clock = clock
        self._window: int | None = None
        self._due_ns = 0
        self._began_cpu_s = 0.0
        self._ticks: list[tuple[int, list[tuple[str, int, Mapping[str, float], Mapping[str, str]]]]] = []

    def start(self, window: int, looked_at: float | None) -> None:
        """Begin a window; its edge has been read by the parent.

        Args:
            window: Its number.
            looked_at: The tree at whose PSS the parent has looked.
        """
        self._began_cpu_s = time.process_time()
        self._window, self._ticks = window, []
        self._due_ns = self._clock() + self._interval_ns
        self._memory.follow(looked_at)

    def wait_s(self) -> float:
        """Return the seconds until the next tick; without end outside of a window."""
        return math.inf if self._window is None else max(0.0, seconds(self._due_ns - self._clock()))

    def tick_if_due(self) -> None:
        """Read every source if it is time to."""
        if self._window is None or self._clock() < self._due_ns:
            return
        self._look()
        seen = [observe(source, Moment.TICK, self._clock) for source in self._sources]
        done_ns = self._clock()
        self._ticks.append((done_ns, [(s.source, s.t_ns, s.values, s.failures) for s in seen]))
        late = max(0, done_ns - self._due_ns) // self._interval_ns
        self._due_ns += (late + 1) * self._interval_ns

    def stop(self, end_ns: int) -> Mapping[str, Any]:
        """End the window and return what was seen in it.

        A tick that was not over by ``end_ns`` is left out: the parent may have read a
        counter in the midst of it, and which of the two came first could not be told.
        """
        cpu_s = time.process_time() - self._began_cpu_s
        ticks = [(done_ns, seen) for done_ns, seen in self._ticks if done_ns <= end_ns]
        window, self._window, self._ticks = self._window, None, []
        return {
            "window": window,
            "ticks_ns": [done_ns for done_ns, _ in ticks],
            "samples": [sample for _, seen in ticks for sample in seen],
            "cpu_s": cpu_s,
        }
