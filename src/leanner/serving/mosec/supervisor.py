"""The supervisor: ``python -m leanner.serving.mosec.supervisor``, run by ``server``.

mosec ends when its only worker does. This starts it again: at once, then after delays that double, so often and no
more. It ends, and mosec with it, when it is told to (SIGTERM, or the end of standard input) and when its parent is
gone, also when that was killed while a fork of it still holds the pipe.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time

from pathlib import Path
from typing import Final

import psutil

from leanner.serving.mosec import beat
from leanner.serving.mosec.group import Group
from leanner.serving.mosec.group import listens
from leanner.serving.mosec.settings import SOCKETS
from leanner.serving.mosec.settings import Settings
from leanner.serving.mosec.settings import own_folder
from leanner.serving.mosec.state import State


_STDIN: Final = 0

# How often it looks.
_LOOK_S: Final = 0.05

# How long requests that are being answered may go on when all is to end.
_GRACE_S: Final = 5.0

# Where Python can interrupt it, a batch ends at the timeout; one that goes on so long behind that hangs.
_HANG_S: Final = 2.0

# One that was ready for so long is the first in a row again: what ended it is not what would end each start.
_LIVED_S: Final = 60.0

_LONGEST_DELAY_S: Final = 10.0


class ToldToEndError(Exception):
    """Nobody wants the server any more."""


class GoneError(Exception):
    """mosec, or its worker, is gone; the message says how."""


class Supervisor:
    """Keeps a server.

    Args:
        folder: Its files.
        settings: What it is.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._starts = 0
        self._ready_at: float | None = None
        self._told = False

    def tell_to_end(self) -> None:
        """Have ``run`` end soon."""
        self._told = True

    def run(self) -> int:
        """Keep it until told to end; return the exit status, 1 if it cannot be kept."""
        in_a_row = 0
        while True:
            try:
                self._serve()
            except ToldToEndError:
                return 0
            except GoneError as gone:
                _say(str(gone))
                if self._ready_at is None and self._starts == 1:
                    return 1
            lived_s = 0.0 if self._ready_at is None else time.monotonic() - self._ready_at
            in_a_row = 1 if lived_s >= _LIVED_S else in_a_row + 1
            if in_a_row > self._settings.max_restarts:
                _say(f"gave up after {self._settings.max_restarts} restarts in a row")
                return 1
            try:
                self._wait(delay_s(in_a_row))
            except ToldToEndError:
                return 0
            _say("starting again")

    def _serve(self) -> None:
        self._starts += 1
        self._ready_at = None
        beat.forget(self._folder)
        # Killed, mosec leaves its sockets, and cannot bind them again.
        shutil.rmtree(self._folder / SOCKETS, ignore_errors=True)
        application = Group("leanner.serving.mosec.application")
        grace_s = 0.0
        try:
            State(self._starts, ready=False, session=application.session).write(self._folder)
            self._until_ready(application)
            State(self._starts, ready=True, session=application.session).write(self._folder)
            self._ready_at = time.monotonic()
            while True:
                self._look(application)
                self._wait(_LOOK_S)
        except ToldToEndError:
            grace_s = _GRACE_S
            raise
        finally:
            application.end(grace_s)
            State(self._starts).write(self._folder)

    def _until_ready(self, application: Group) -> None:
        deadline = time.monotonic() + self._settings.start_timeout_s
        # mosec opens the port when all of its workers have connected; a worker connects when it has its tagger.
        while beat.look(self._folder) is None or not listens(application.session, self._settings.port):
            self._look(application)
            if time.monotonic() > deadline:
                raise GoneError(f"expected a worker with its tagger within {self._settings.start_timeout_s:g} s")
            self._wait(_LOOK_S)

    def _look(self, application: Group) -> None:
        if (status := application.status) is not None:
            raise GoneError(f"mosec ended with status {status}")
        worker = beat.look(self._folder)
        if worker is None:
            return
        # mosec notices this too, and then waits for requests that nobody answers any more.
        if not psutil.pid_exists(worker.pid):
            raise GoneError(f"the worker, process {worker.pid}, is gone")
        if worker.busy_s > self._settings.timeout_s + _HANG_S:
            raise GoneError(f"the worker, process {worker.pid}, hangs: its batch takes {worker.busy_s:.1f} s")

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        left_s = seconds
        while left_s > 0:
            ended = select.select([_STDIN], [], [], min(left_s, _LOOK_S))[0]
            if ended or self._told or os.getppid() != self._settings.parent:
                raise ToldToEndError
            left_s = deadline - time.monotonic()


def delay_s(in_a_row: int) -> float:
    """Return how long to wait before a start, behind so many servers in a row that lived shortly."""
    return 0.0 if in_a_row < 2 else min(0.5 * 2.0 ** (in_a_row - 2), _LONGEST_DELAY_S)


def main() -> int:
    """Run the supervisor; return the exit status."""
    folder = own_folder()
    settings = Settings.read(folder)
    supervisor = Supervisor(folder, settings)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: supervisor.tell_to_end())
    try:
        return supervisor.run()
    finally:
        if os.getppid() != settings.parent:
            shutil.rmtree(folder, ignore_errors=True)


def _say(text: str) -> None:
    sys.stderr.write(f"supervisor: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
