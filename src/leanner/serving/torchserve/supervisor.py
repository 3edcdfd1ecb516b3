"""Holds a server's processes and its folder, and ends both, whatever ends the process that asked for them.

Run as a file by ``supervised``, without site-packages: ``python -I -S supervisor.py PARENT``. One JSON object a line:

- it says ``{"folder": PATH}`` once it has made a temporary folder;
- ``{"command": […], "environ": {…}, "output": PATH}`` starts the server in there, answered by ``{"pid": PID}`` or
  ``{"failed": TEXT}``;
- it says ``{"ended": STATUS}`` when the server ends by itself, and keeps the folder for who wants to read it;
- at ``{"stop": PATIENCE_S}``, at the end of standard input, when its parent is another than ``PARENT``, and at a
  SIGTERM, the server gets a SIGTERM, what is left of it a SIGKILL, and the folder is removed. Its exit status is 1
  where processes are there all the same.

What the server's processes leave behind becomes a child of this one (``PR_SET_CHILD_SUBREAPER``), so that none escapes.
If this process is killed, the server gets a SIGTERM (``PR_SET_PDEATHSIG``), but its folder stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time

from pathlib import Path
from typing import Any
from typing import Final


# How long the end of the parent may go unnoticed.
_WATCH_MS: Final = 500

# How long a server may take to end by itself where its parent cannot say.
_PATIENCE_S: Final = 5.0

# How long processes may take to end when they are killed: a driver may hold them.
_KILL_S: Final = 5.0

_STDIN: Final = 0
_STDOUT: Final = 1

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


class GoneError(Exception):
    """Nobody is left to hold a server for."""


class Commands:
    """What the parent says.

    Args:
        parent: Its process.
    """

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._unread = b""

    def next(self, server: int | None = None) -> dict[str, Any] | None:
        """Return the next command; ``None`` when the process behind the descriptor ``server`` ends before it comes.

        Raises:
            GoneError: The parent is gone.
        """
        poll = select.poll()
        poll.register(_STDIN, select.POLLIN)
        if server is not None:
            poll.register(server, select.POLLIN)
        while b"\n" not in self._unread:
            # A fork of the parent may hold the pipe open when the parent itself has been killed.
            if os.getppid() != self._parent:
                raise GoneError
            ready = [descriptor for descriptor, _ in poll.poll(_WATCH_MS)]
            if _STDIN in ready:
                part = os.read(_STDIN, 65536)
                if not part:
                    raise GoneError
                self._unread += part
            elif ready:
                return None
        line, _, self._unread = self._unread.partition(b"\n")
        command: dict[str, Any] = json.loads(line)
        return command


def say(**message: object) -> None:
    """Tell the parent, if it is there."""
    with contextlib.suppress(BrokenPipeError):
        os.write(_STDOUT, json.dumps(message).encode() + b"\n")


class Supervisor:
    """The server that this process holds.

    Args:
        commands: What the parent says.
        folder: Where the server runs.
    """

    def __init__(self, commands: Commands, folder: str) -> None:
        self._commands = commands
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None

    def hold(self) -> float:
        """Do what the parent says until it wants the server to stop; returns the seconds it gives it.

        Raises:
            GoneError: The parent is gone.
        """
        watched = None
        while True:
            command = self._commands.next(watched)
            if command is None:
                assert self._server is not None
                status = self._server.wait()
                end_children()
                say(ended=status)
                watched = None
            elif "stop" in command:
                patience_s: float = command["stop"]
                return patience_s
            else:
                try:
                    self._server = self._start(command)
                except OSError as error:
                    say(failed=str(error))
                else:
                    watched = os.pidfd_open(self._server.pid)
                    say(pid=self._server.pid)

    def end(self, patience_s: float) -> list[int]:
        """End the server and all that it has started; returns what is there all the same."""
        if self._server is not None and self._server.poll() is None:
            self._server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(patience_s)
        return end_children()

    def _start(self, command: dict[str, Any]) -> subprocess.Popen[bytes]:
        with Path(command["output"]).open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - what the parent wants
                command["command"],
                cwd=self._folder,
                env=command["environ"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - this process has no other thread
            )


def end_children() -> list[int]:
    """Kill the children of this process, and theirs, which become its own; returns what is there all the same."""
    deadline = time.monotonic() + _KILL_S
    while (left := children()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)
    return left


def children() -> list[int]:
    """Return the children of this process, those that nobody has waited for included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                stat = (entry / "stat").read_bytes()
                if int(stat.rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(entry.name))
    return found


def _end_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _be_gone(*_: object) -> None:
    raise GoneError


def main() -> int:
    """Run the supervisor; returns the exit status."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    commands = Commands(int(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="leanner-", ignore_cleanup_errors=True) as folder:
        supervisor = Supervisor(commands, folder)
        patience_s = _PATIENCE_S
        try:
            signal.signal(signal.SIGTERM, _be_gone)
            say(folder=folder)
            patience_s = supervisor.hold()
        except GoneError:
            pass  # what there is to do then is done anyway
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            left = supervisor.end(patience_s)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
