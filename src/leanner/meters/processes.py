"""The process tree that is measured: who is in it, what it holds and what it has computed.

On Linux from ``/proc`` by hand: building a ``psutil.Process`` costs more than the figure
that it is asked for.
"""

from __future__ import annotations

import os

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from leanner.meters import portable


PROC: Final = Path("/proc")

#: What runs as the sampler's process, ``python -m …``.
SAMPLER: Final = "leanner.meters.sampler"

_KB: Final = 1024

# What a file of a process that has ended answers.
_ENDED: Final = (FileNotFoundError, ProcessLookupError)


class ProcessTree:
    """A process and all its descendants, looked up anew at every call; samplers do not belong to it.

    Args:
        pid: Root of the tree; this process by default.
        proc: Where ``/proc`` is.
    """

    def __init__(self, pid: int | None = None, proc: Path = PROC) -> None:
        self.pid = os.getpid() if pid is None else pid
        self._proc = proc
        self._told = (proc / str(self.pid) / "statm").exists()
        self._samplers: dict[int, bool] = {}

    def pids(self) -> frozenset[int]:
        """Return the ids of all living processes of the tree."""
        found = self.with_samplers()
        self._samplers = {pid: self._samplers[pid] for pid in self._samplers.keys() & found}
        return frozenset(
            pid for pid in found if pid == self.pid or (not self._is_sampler(pid) and not self._has_ended(pid))
        )

    def with_ended(self) -> frozenset[int]:
        """Return the same and, besides, children that have ended and were not waited for: what they computed counts.

        Their parents' figures have it only once they were waited for (``times(2)``).
        """
        return frozenset(pid for pid in self.with_samplers() if pid == self.pid or not self._is_sampler(pid))

    def with_samplers(self) -> frozenset[int]:
        """Return the same and, besides, samplers and children that have ended and were not waited for."""
        try:
            return frozenset(self._descend(self.pid))
        except OSError:
            # No /proc/…/children: an old kernel, or not Linux.
            return portable.pids(self.pid)

    def rss_b(self, pids: frozenset[int]) -> int:
        """Return the resident bytes of ``pids``; pages that they share count for each.

        Raises:
            OSError: A process does not show them.
        """
        if not self._told:
            return sum(portable.rss_b(pid) for pid in pids)
        return sum(int(self._read(pid, "statm", b"0 0").split()[1]) for pid in pids) * os.sysconf("SC_PAGE_SIZE")

    def pss_b(self, pids: frozenset[int]) -> int:
        """Return the proportional bytes of ``pids``: a page of n processes counts 1/n for each.

        The kernel walks every page for it: 10 to 40 ms per GB, measured.

        Raises:
            OSError: The kernel does not say, or not to us.
        """
        return sum(self._rollup_b(pid) for pid in pids)

    def cpu_s(self, pids: frozenset[int]) -> float:
        """Return the CPU seconds of ``pids`` and of their children that have ended and were waited for.

        Raises:
            OSError: A process does not show them.
        """
        if not self._told:
            return sum(portable.cpu_s(pid) for pid in pids)
        # Parents first, as ids mostly are: one that waits for a child meanwhile must not have its figure count twice.
        return sum(_clock_ticks(self._read(pid, "stat", b"")) for pid in sorted(pids)) / os.sysconf("SC_CLK_TCK")

    def reset_high_water(self) -> bool:
        """Make the kernel's peak of the root start anew; returns whether it did."""
        try:
            (self._proc / str(self.pid) / "clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return False
        return True

    def high_water_b(self) -> int | None:
        """Return the kernel's peak of the root's resident bytes since the reset."""
        try:
            status = (self._proc / str(self.pid) / "status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        return _kilobytes(status, "VmHWM:")

    def _descend(self, pid: int) -> Iterator[int]:
        yield pid
        tasks = f"{self._proc}/{pid}/task"
        for task in os.listdir(tasks):  # noqa: PTH208 - a Path for each thread costs as much as reading its file
            try:
                children = read_bytes(f"{tasks}/{task}/children").split()
            except _ENDED:
                if task == str(self.pid):
                    raise  # the kernel has no such file, and not a thread that has ended
                continue
            for child in children:
                try:
                    yield from self._descend(int(child))
                except _ENDED:
                    continue  # has ended since

    def _is_sampler(self, pid: int) -> bool:
        # By its command line: another meter of the same run has a sampler too.
        if pid not in self._samplers:
            arguments = self._read(pid, "cmdline", b"").decode(errors="replace").split("\0")
            if not self._told:
                arguments = portable.arguments(pid)
            self._samplers[pid] = ("-m", SAMPLER) in pairwise(arguments)
        return self._samplers[pid]

    def _has_ended(self, pid: int) -> bool:
        """Say whether nobody has waited for a process that has ended: it holds no memory, not even swapped out."""
        return self._told and int(self._read(pid, "statm", b"0").split()[0]) == 0

    def _read(self, pid: int, name: str, otherwise: bytes) -> bytes:
        """Return a file of a process, ``otherwise`` if it has ended."""
        try:
            return read_bytes(f"{self._proc}/{pid}/{name}")
        except _ENDED:
            return otherwise

    def _rollup_b(self, pid: int) -> int:
        try:
            rollup = (self._proc / str(pid) / "smaps_rollup").read_text(encoding="ascii", errors="replace")
        except _ENDED:
            if pid == self.pid:
                raise
            return 0  # a child that has ended
        found = _kilobytes(rollup, "Pss:")
        if found is None:
            raise OSError(f"no Pss in smaps_rollup of process {pid}")
        return found


def read_bytes(path: str) -> bytes:
    """Return the content of a small file, cheaply."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        content = b""
        while part := os.read(descriptor, 65536):
            content += part
        return content
    finally:
        os.close(descriptor)


def _clock_ticks(stat: bytes) -> int:
    """Return utime, stime, cutime and cstime of a ``stat`` (proc(5), fields 14 to 17), added."""
    # The name, in brackets, may itself hold blanks and brackets.
    fields = stat.rpartition(b")")[2].split()
    return sum(map(int, fields[11:15]))


def _kilobytes(text: str, field: str) -> int | None:
    for line in text.splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * _KB
    return None
