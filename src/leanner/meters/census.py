"""The process tree for one who asks ten times a second: walked anew only when somebody may have joined it.

A walk opens a file for each thread of each process, 7 µs each, measured: with 128 threads,
one walk a tick would take 1 % of a core at 100 ms.
"""

from __future__ import annotations

import time

from pathlib import Path
from typing import Final

from leanner.meters.clock import NS_PER_S
from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.processes import PROC
from leanner.meters.processes import ProcessTree
from leanner.meters.processes import read_bytes


#: Share of the time that walks may take, where processes come and go all the time.
WALK_BUDGET: Final = 0.003

# Some containers show a /proc/loadavg of their own making, refreshed every few seconds.
_TRUSTED_NS: Final = NS_PER_S


class Census(ProcessTree):
    """A process tree that ``look`` takes stock of; in between, ``pids`` stays the same.

    A new process moves the last field of ``/proc/loadavg``, the id that was given last in
    this pid namespace (proc(5)); where it has not moved, nobody can have joined. Who has
    ended is seen at every look.
    """

    def __init__(self, pid: int | None = None, proc: Path = PROC, clock: Clock = monotonic_ns) -> None:
        super().__init__(pid, proc)
        self._clock = clock
        self._loadavg = f"{proc}/loadavg"
        self._walked: frozenset[int] = frozenset()
        self._walked_ns = 0
        self._cost_ns = 0
        self._last_id = b""
        self._seen: frozenset[int] = frozenset()
        self._with_ended: frozenset[int] = frozenset()

    def look(self) -> None:
        """Find out who is there, for all who ask until the next look."""
        self._seen = super().pids()
        # Of the walk that this was taken from: another one might see more, and takes its time.
        self._with_ended = frozenset(pid for pid in self._walked if pid == self.pid or not self._is_sampler(pid))

    def pids(self) -> frozenset[int]:
        """Return the ids of all living processes of the tree at the last look."""
        return self._seen

    def with_ended(self) -> frozenset[int]:
        """Return the same and, besides, children that had ended and were not waited for."""
        return self._with_ended

    def with_samplers(self) -> frozenset[int]:
        """Walk the tree if somebody may have joined it and the budget allows; return what the last walk found."""
        now_ns, last_id = self._clock(), self._given_last()
        age_ns = now_ns - self._walked_ns
        moved = not last_id or last_id != self._last_id or age_ns >= _TRUSTED_NS
        if not self._walked or (moved and age_ns * WALK_BUDGET >= self._cost_ns):
            began_ns = time.process_time_ns()
            self._walked = super().with_samplers()
            self._cost_ns = time.process_time_ns() - began_ns
            self._walked_ns, self._last_id = now_ns, last_id
        return self._walked

    def _given_last(self) -> bytes:
        """Return the id that the kernel gave last; empty if it does not tell."""
        try:
            last_id = read_bytes(self._loadavg).split()[-1]
        except (OSError, IndexError):
            return b""
        return b"" if last_id == b"0" else last_id
