"""The process tree that is measured: who is in it, what it holds and what it has computed."""

from __future__ import annotations

import os

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil


PROC: Final = Path("/proc")

_KB: Final = 1024


class ProcessTree:
    """A process and all its descendants, looked up anew at every call.

    Args:
        pid: Root of the tree; this process by default.
        proc: Where ``/proc`` is.
    """

    def __init__(self, pid: int | None = None, proc: Path = PROC) -> None:
        self.pid = os.getpid() if pid is None else pid
        self._proc = proc

    def pids(self) -> frozenset[int]:
        """Return the ids of all living processes of the tree."""
        try:
            return frozenset(self._descend(self.pid))
        except OSError:
            # No /proc/…/children: an old kernel, or not Linux. This looks at every process of the machine.
            return self._pids_by_parents()

    def rss_b(self, pids: frozenset[int]) -> int:
        """Return the resident bytes of ``pids``; pages that they share count for each."""
        return round(sum(_of_living(pid, _rss_b) for pid in pids))

    def pss_b(self, pids: frozenset[int]) -> int:
        """Return the proportional bytes of ``pids``: a page of n processes counts 1/n for each.

        The kernel walks every page for it: 10 to 40 ms per GB, measured.

        Raises:
            OSError: The kernel does not say, or not to us.
        """
        return sum(self._rollup_b(pid) for pid in pids)

    def cpu_s(self, pids: frozenset[int]) -> float:
        """Return the CPU seconds of ``pids`` and of their children that have ended and were waited for."""
        return sum(_of_living(pid, _cpu_s) for pid in pids)

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
        for task in (self._proc / str(pid) / "task").iterdir():
            try:
                children = (task / "children").read_text(encoding="ascii").split()
            except (FileNotFoundError, ProcessLookupError):
                if task.name == str(self.pid):
                    raise  # the kernel has no such file, and not a thread that has ended
                continue
            for child in children:
                try:
                    yield from self._descend(int(child))
                except (FileNotFoundError, ProcessLookupError):
                    continue  # has ended since

    def _pids_by_parents(self) -> frozenset[int]:
        try:
            return frozenset({self.pid, *(p.pid for p in psutil.Process(self.pid).children(recursive=True))})
        except psutil.NoSuchProcess:
            return frozenset({self.pid})

    def _rollup_b(self, pid: int) -> int:
        try:
            rollup = (self._proc / str(pid) / "smaps_rollup").read_text(encoding="ascii", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            if pid == self.pid:
                raise
            return 0  # a child that has ended
        found = _kilobytes(rollup, "Pss:")
        if found is None:
            raise OSError(f"no Pss in smaps_rollup of process {pid}")
        return found


def _kilobytes(text: str, field: str) -> int | None:
    for line in text.splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * _KB
    return None


def _rss_b(process: psutil.Process) -> float:
    return float(process.memory_info().rss)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(
        times.user + times.system + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    )


def _of_living(pid: int, figure: Callable[[psutil.Process], float]) -> float:
    try:
        return figure(psutil.Process(pid))
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0.0  # has ended since
    except psutil.AccessDenied as error:
        raise PermissionError(f"process {pid} does not show its figures") from error
