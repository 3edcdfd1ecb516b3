"""A process tree through psutil, for systems whose ``/proc`` does not tell.

psutil is imported when it is needed: it would make up a third of the sampler's start.
"""

from __future__ import annotations

import importlib

from collections.abc import Callable
from typing import Any


def pids(root: int) -> frozenset[int]:
    """Return ``root`` and its descendants; this looks at every process of the machine."""
    psutil = importlib.import_module("psutil")
    try:
        return frozenset({root, *(process.pid for process in psutil.Process(root).children(recursive=True))})
    except psutil.NoSuchProcess:
        return frozenset({root})


def arguments(pid: int) -> list[str]:
    """Return the command line of a process; empty if it has ended or does not show it."""
    psutil = importlib.import_module("psutil")
    try:
        return list(psutil.Process(pid).cmdline())
    except psutil.Error:
        return []


def rss_b(pid: int) -> int:
    """Return the resident bytes of a process; 0 if it has ended.

    Raises:
        PermissionError: It does not show them.
    """
    return round(_of_living(pid, lambda process: float(process.memory_info().rss)))


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended; 0 if it has itself.

    Raises:
        PermissionError: It does not show them.
    """
    return _of_living(pid, _cpu_s)


def _cpu_s(process: Any) -> float:  # noqa: ANN401 - psutil ships no types
    times = process.cpu_times()
    return float(
        times.user + times.system + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    )


def _of_living(pid: int, figure: Callable[[Any], float]) -> float:
    psutil = importlib.import_module("psutil")
    try:
        return figure(psutil.Process(pid))
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0.0
    except psutil.AccessDenied as error:
        raise PermissionError(f"process {pid} does not show its figures") from error
