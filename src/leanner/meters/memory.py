"""Peak memory of the process tree: proportional (PSS) where the kernel tells, resident (RSS) else.

PSS is exact about shared pages but costs the kernel a walk over every page, under the
lock that the workload's own allocations need. So it is read behind a window, before the
first one, when processes come or go, and while several of them share pages, as often as the budget allows;
every tick in between reads RSS and subtracts what was shared at the looks around it.

Sharing can end unseen: a child that writes what it shares with its parent makes pages of
its own, and RSS counted them for it already. So a tick subtracts the less of what the look
before and the look behind it have found. Where none followed, as the child has ended, it
subtracts no more than the root shared with strangers when it was alone.

A window's edges and what lies between them may be read by two processes, each with a
source of its own: so what names a tree in the trace is made from its process ids alone.
"""

from __future__ import annotations

import zlib

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from typing import Protocol

from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.trace import Moment
from leanner.meters.trace import Observation
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace


SOURCE: Final = "memory"

#: Share of a window that looks at PSS within it may take.
PSS_BUDGET: Final = 0.01

#: Shared pages below this share of the resident ones are let be, and a peak that is this much too high is not said.
NOTABLE: Final = 0.01

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
    """Channels: ``rss_b``; ``tree``, which processes they are, as a number; at a look ``shared_b`` and ``processes``.

    ``shared_b`` is RSS less PSS, ``processes`` how many they are.

    ``high_water_b`` at the end: the kernel's own peak of the root, which misses nothing
    between two samples.
    """

    def __init__(self, tree: Tree, clock: Clock = monotonic_ns) -> None:
        self._tree = tree
        self._clock = clock
        self._processes: float | None = None
        self._began_ns = 0
        self._spent_ns = 0
        self._reset = False
        self._shared_b: float | None = None

    @property
    def name(self) -> str:
        """Stands in the trace."""
        return SOURCE

    def follow(self, looked_at: float | None) -> None:
        """Begin a window whose edge another source has read.

        Args:
            looked_at: ``tree`` of the processes at whose PSS that one has looked; ``None`` if at none.
        """
        self._processes, self._shared_b = looked_at, None
        self._began_ns, self._spent_ns = self._clock(), 0

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
        values["tree"] = _number(pids)
        changed = values["tree"] != self._processes
        self._processes = values["tree"]
        failures: dict[str, str] = {}
        if changed:
            self._shared_b = None
        if moment is Moment.START and self._shared_b is not None:
            # From the end of the window before: the same processes.
            values |= {"shared_b": self._shared_b, "processes": len(pids)}
        elif moment is not Moment.TICK or ((changed or self._may_end(pids, values["rss_b"])) and self._may_look()):
            self._look(pids, values, failures)
        high_water_b = self._tree.high_water_b() if moment is Moment.STOP and self._reset else None
        if high_water_b is not None:
            values["high_water_b"] = high_water_b
        return Observation(values, failures)

    def _may_end(self, pids: frozenset[int], rss_b: float) -> bool:
        """Return whether pages are shared within the tree: it may end before the look behind the window."""
        return len(pids) > 1 and (self._shared_b is None or self._shared_b > NOTABLE * rss_b)

    def _may_look(self) -> bool:
        return self._spent_ns <= PSS_BUDGET * (self._clock() - self._began_ns)

    def _look(self, pids: frozenset[int], values: dict[str, float], failures: dict[str, str]) -> None:
        before_ns = self._clock()
        try:
            # RSS again, right before, and in place of the one that was read: the tree may have grown since, or
            # a child that shared all with its parent have become another program.
            values["rss_b"] = self._tree.rss_b(pids)
            self._shared_b = values["shared_b"] = max(0, values["rss_b"] - self._tree.pss_b(pids))
            values["processes"] = len(pids)
        except OSError as error:
            failures["pss_b"] = str(error)
        self._spent_ns += self._clock() - before_ns


def looked_at(samples: Iterable[Sample]) -> float | None:
    """Return the ``tree`` of the processes at whose PSS the last of ``samples`` has looked; ``None`` if at none."""
    seen = [s.values["tree"] for s in samples if s.source == SOURCE and "shared_b" in s.values]
    return seen[-1] if seen else None


def _number(pids: frozenset[int]) -> int:
    # 32 bits, so that JSON and floats keep it exactly.
    return zlib.crc32(",".join(map(str, sorted(pids))).encode("ascii"))


@dataclass(frozen=True, slots=True)
class HostPeak:
    """Peak of the tree, MB = 10^6 bytes; what to know about it; why it is ``None``."""

    mb: float | None
    quality: tuple[str, ...] = ()
    reason: str | None = None


def host_peak(trace: Trace) -> HostPeak:
    """Return the peak of the process tree within a window, or an upper bound of it.

    From RSS is subtracted what the same processes shared at the look before and at the
    look behind, the less of the two; for processes not looked at, or not again, what the root
    shared when it was alone at both edges, else nothing, which can only be too much.
    """
    if trace.health.failure is not None:
        return HostPeak(None, reason=trace.health.failure)
    samples = [sample for sample in trace.of(SOURCE) if "rss_b" in sample.values]
    if not samples:
        gaps = trace.gaps(SOURCE, "rss_b")
        return HostPeak(None, reason=gaps[-1] if gaps else "memory was not sampled")
    # What is known at the begin may be from the look behind the window before, and be over since.
    fresh = [sample.moment is not Moment.START and "shared_b" in sample.values for sample in samples]
    before = _looks(samples, ["shared_b" in sample.values for sample in samples])
    behind = _looks(samples[::-1], fresh[::-1])[::-1]
    alone_b = _alone_b(samples)
    around_b = [alone_b if a is None or b is None else min(a, b) for a, b in zip(before, behind, strict=True)]
    most_b = least_b = 0.0
    for sample, is_fresh, around, earlier in zip(samples, fresh, around_b, before, strict=True):
        most_b = max(most_b, sample.values["rss_b"] - (sample.values["shared_b"] if is_fresh else around))
        least_b = max(least_b, sample.values["rss_b"] - (earlier or 0.0))
        if "high_water_b" in sample.values:
            # Of a moment that the kernel does not tell.
            most_b = max(most_b, sample.values["high_water_b"] - min(around_b))
            least_b = max(least_b, sample.values["high_water_b"] - (earlier or 0.0))
    return HostPeak(most_b / _MB, tuple(_notes(samples, before, most_b, least_b)))


def _alone_b(samples: Sequence[Sample]) -> float:
    """Return what the root shared with strangers at both edges, the less of the two; 0 unless it was alone there.

    A descendant that comes and goes takes nothing away of this.
    """
    edges = [sample.values for sample in samples if sample.moment is not Moment.TICK and "shared_b" in sample.values]
    if len(edges) < 2 or any(values.get("processes") != 1 for values in edges):
        return 0.0
    return min(values["shared_b"] for values in edges)


def _looks(samples: Sequence[Sample], looked: Sequence[bool]) -> list[float | None]:
    """Return for each sample what its processes shared at the last look at them so far; ``None`` without one."""
    found: dict[float, float] = {}
    shared: list[float | None] = []
    for sample, is_look in zip(samples, looked, strict=True):
        if is_look:
            found[sample.values["tree"]] = sample.values["shared_b"]
        shared.append(found.get(sample.values["tree"]))
    return shared


def _notes(samples: Sequence[Sample], before: Sequence[float | None], most_b: float, least_b: float) -> Iterator[str]:
    if not any("shared_b" in sample.values for sample in samples):
        yield "host peak is RSS, not PSS: pages that processes share count for each of them"
        return
    if blind := before.count(None):
        yield f"host peak is RSS in {blind} samples, in which processes had come or gone"
    if most_b - least_b > NOTABLE * most_b:
        yield (
            f"host peak is an upper bound: {(most_b - least_b) / _MB:.0f} MB less where processes went on sharing what "
            "they shared when they were last looked at"
        )
