"""A program in a session of its own, with all the processes that it starts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

from collections.abc import Callable
from typing import Final

import psutil


# Cleans up behind the others, once they are gone.
_TRACKER: Final = "multiprocessing.resource_tracker"

_KILL_S: Final = 2.0
_LOOK_S: Final = 0.02


class Group:
    """A module of this package, run by this interpreter.

    Args:
        module: Its name.

    Attributes:
        session: Id of the program, and of the session of all of its processes.
    """

    def __init__(self, module: str) -> None:
        # -P: a file of the working directory must not stand in for a module.
        self._leader = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of this package
            [sys.executable, "-P", "-m", module], stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.session = self._leader.pid

    @property
    def status(self) -> int | None:
        """Exit status of the program, ``None`` as long as it lives."""
        return self._leader.poll()

    def end(self, grace_s: float) -> None:
        """Ask the program to end, wait so long, and kill what is left."""
        if grace_s and self.status is None:
            self._leader.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._leader.wait(grace_s)
        kill(self.session)
        self._leader.wait()


def kill(session: int) -> None:
    """Kill the processes of a session."""
    # multiprocessing's named semaphores would outlive a tracker that is killed with the others.
    _kill(session, lambda process: _TRACKER not in " ".join(process.cmdline()))
    _kill(session, lambda _: True)


def members(session: int) -> list[psutil.Process]:
    """Return the processes of a session that live."""
    found = []
    for pid in psutil.pids():
        # One that ended meanwhile, or that this process may not look at, is none of them.
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(pid) == session and (process := psutil.Process(pid)).status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def listens(session: int, port: int) -> bool:
    """Return whether a process of a session listens on a TCP port; another's that is there first does not count."""
    for process in members(session):
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False


def _kill(session: int, chosen: Callable[[psutil.Process], bool]) -> None:
    deadline = time.monotonic() + _KILL_S
    for process in members(session):
        with contextlib.suppress(psutil.NoSuchProcess):
            if chosen(process):
                process.kill()
    while members(session) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
