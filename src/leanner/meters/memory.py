"""Peak memory of the process tree: proportional (PSS) where the kernel tells, resident (RSS) else.

PSS is exact about shared pages but costs the kernel a walk over every page, under the
lock that the workload's own allocations need. So it is read behind a window, before the
first one, and when processes come or go; every tick in between reads RSS and subtracts
what was shared at the last look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from typing import Protocol

from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from leanner.meters.trace import Trace


SOURCE: Final = "memory"

#: Share of a window that looks at PSS within it may take.
PSS_BUDGET: Final = 0.01

_MB: Final = 1e6


class Tree(Protocol):
    """What is asked of a process tree."""

    def pids(self) -> frozenset[int]:
        """Living processes."""
        ...

    def rss_b(self, pids: frozenset[int]) -> int:
        """Resident bytes."""
        ...

    def pss_b(self, pids: frozenset[int]) -> int:
        """Proportional bytes."""
        ...

    def reset_high_water(self) -> bool:
        """Make the kernel's peak start anew."""
        ...

    def high_water_b(self) -> int | None:
        """Return the kernel's peak of the root's resident bytes."""
        ...


class MemorySource:
    """Channels: ``rss_b``; ``shared_b`` (RSS less PSS) at a look; ``tree``, a number that changes with the processes.

    ``high_water_b`` at the end: the kernel's own peak of the root, which misses nothing
    between two samples.
    """

    def __init__(self, tree: Tree, clock: Clock = monotonic_ns) -> None:
        self._tree = tree
        self._clock = clock
        self._pids: frozenset[int] = frozenset()
        self._generation = 0
        self._began_ns = 0
        self._spent_ns = 0
        self._reset = False
        self._shared_b: float | None = None

    @property
    def name(self) -> str:
        """Stands in the trace."""
        return SOURCE

    def sample(self, moment: Moment) -> Observation:
        """Read RSS, and PSS where it is due."""
        if moment is Moment.START:
            self._reset = self._tree.reset_high_water()
            self._began_ns, self._spent_ns = self._clock(), 0
        try:
            pids = self._tree.pids()
            values: dict[str, float] = {"rss_b": self._tree.rss_b(pids)}
        except OSError as error:
            return Observation(failures={"rss_b": str(error)})
        changed = pids != self._pids
        self._generation += changed
        self._pids = pids
        values["tree"] = self._generation
        failures: dict[str, str] = {}
        if changed:
            self._shared_b = None
        if moment is Moment.START and self._shared_b is not None:
            values["shared_b"] = self._shared_b  # from the end of the window before: the same processes
        elif moment is not Moment.TICK or (changed and self._may_look()):
            self._look(pids, values, failures)
        high_water_b = self._tree.high_water_b() if moment is Moment.STOP and self._reset else None
        if high_water_b is not None:
            values["high_water_b"] = high_water_b
        return Observation(values, failures)

    def _may_look(self) -> bool:
        return self._spent_ns <= PSS_BUDGET * (self._clock() - self._began_ns)

    def _look(self, pids: frozenset[int], values: dict[str, float], failures: dict[str, str]) -> None:
        before_ns = self._clock()
        try:
            # RSS again, right before: the tree may have grown since.
            rss_b = self._tree.rss_b(pids)
            self._shared_b = values["shared_b"] = max(0, rss_b - self._tree.pss_b(pids))
        except OSError as error:
            failures["pss_b"] = str(error)
        self._spent_ns += self._clock() - before_ns


@dataclass(frozen=True, slots=True)
class HostPeak:
    """Peak of the tree, MB = 10^6 bytes; what to know about it; why it is ``None``."""

    mb: float | None
    quality: tuple[str, ...] = ()
    reason: str | None = None


def host_peak(trace: Trace) -> HostPeak:
    """Return the peak of the process tree within a window.

    While the processes stay the same, what they shared at the last look is subtracted
    from RSS; for processes not looked at, nothing is, which can only be too much.
    """
    peak_b: float | None = None
    shared_b, looked_at, ever, blind = 0.0, None, False, 0
    for sample in trace.of(SOURCE):
        if "rss_b" not in sample.values:
            continue
        if "shared_b" in sample.values:
            shared_b, looked_at, ever = sample.values["shared_b"], sample.values["tree"], True
        elif sample.values["tree"] != looked_at:
            shared_b = 0.0
            blind += 1
        held_b = sample.values["rss_b"] - shared_b
        peak_b = held_b if peak_b is None else max(peak_b, held_b)
        if "high_water_b" in sample.values:
            peak_b = max(peak_b, sample.values["high_water_b"] - shared_b)
    if peak_b is None:
        gaps = trace.gaps(SOURCE, "rss_b")
        return HostPeak(None, reason=gaps[-1] if gaps else "memory was not sampled")
    notes: tuple[str, ...] = ()
    if not ever:
        notes = ("host peak is RSS, not PSS: pages that processes share count for each of them",)
    elif blind:
        notes = (f"host peak is RSS in {blind} samples, in which processes had come or gone",)
    return HostPeak(peak_b / _MB, notes)
