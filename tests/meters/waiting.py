"""Waiting for what another process does: until it has happened, with a deadline."""

from __future__ import annotations

import os
import time

from collections.abc import Callable
from pathlib import Path


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Return once ``holds()`` does; fails if it takes longer than ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.002)


def wake_ups(pid: int) -> int:
    """Return how often a process has gone to sleep: the sampler does after each tick."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("voluntary_ctxt_switches:")[1].split()[0])


def wait_for_ticks(pid: int | None, number: int) -> None:
    """Return once the sampler with this id has ticked ``number`` times more."""
    assert pid is not None
    enough = wake_ups(pid) + number + 1
    wait_until(lambda: wake_ups(pid) >= enough, f"{number} ticks of process {pid}")


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has waited for has, too."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (ProcessLookupError, FileNotFoundError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"
