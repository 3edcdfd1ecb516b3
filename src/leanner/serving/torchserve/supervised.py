"""A server's processes and its folder, as the process that uses them holds them."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import shutil
import subprocess
import sys

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Final

from leanner.serving.server import ServerError


# An interpreter without site-packages starts in well under a second, also on a machine that is busy.
_START_S: Final = 60.0

# How long the server may take to end at a SIGTERM, and how long the supervisor may take for all of it.
_PATIENCE_S: Final = 5.0
_END_S: Final = 20.0

# How long processes may take to end when they are killed.
_KILL_S: Final = 5.0

_LAST_WORDS_B: Final = 8192


class Supervised:
    """A supervisor: see ``supervisor``, which says what it is told and what it answers.

    Attributes:
        folder: Of the server; gone at the end.
        output: What the server says, a file in there.

    Raises:
        ServerError: It cannot be started.
    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise ServerError(
                f"expected Linux, which ends a server with the process that uses it, found {sys.platform}"
            )
        self._psutil: Any = importlib.import_module("psutil")
        self._unread = b""
        self._ended: str | None = None
        self._roots: list[Any] = []
        # A session of its own: Ctrl-C is for this process, which then ends the server.
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a file of this package
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py")), str(os.getpid())],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._roots.append(self._psutil.Process(self._process.pid))
            self.folder = Path(self._answer()["folder"])
        except BaseException:
            self._let_go()
            raise
        self.output = self.folder / "server.log"

    def start(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start the server in the folder.

        Raises:
            ServerError: It cannot be started.
        """
        self._send({"command": list(command), "environ": dict(environ), "output": str(self.output)})
        answer = self._answer()
        if "failed" in answer:
            raise ServerError(f"{command[0]} cannot be started: {answer['failed']}")
        with contextlib.suppress(self._psutil.NoSuchProcess):  # it has ended already, which ``ended`` will tell
            self._roots.append(self._psutil.Process(answer["pid"]))

    def pids(self) -> frozenset[int]:
        """Return the server's processes that live now; the supervisor is none of them."""
        return frozenset(process.pid for process in self._tree())

    def ended(self) -> str | None:
        """Return how the server has ended; ``None`` while it lives."""
        if self._ended is None and (message := self._message(0.0)) is not None:
            self._ended = f"exit status {message['ended']}" if message else "its supervisor is gone"
        return self._ended

    def last_words(self) -> str:
        """Return the end of what the server has said."""
        try:
            with self.output.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_WORDS_B))
                return file.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def end(self) -> None:
        """End the server's processes and remove its folder; the second time this does nothing.

        Raises:
            ServerError: Some are there all the same.
        """
        assert self._process.stdin is not None
        if self._process.stdin.closed:
            return
        tree = self._tree()
        self._ended = self._ended or "it was stopped"
        with contextlib.suppress(ServerError):  # the supervisor is gone, which its status tells
            self._send({"stop": _PATIENCE_S})
        self._let_go()
        if self._process.returncode == 0:
            return
        # It has not done its work: it was killed, or a driver holds what it has killed.
        for process in tree:
            with contextlib.suppress(self._psutil.NoSuchProcess):
                process.kill()
        _, left = self._psutil.wait_procs(tree, _KILL_S)
        shutil.rmtree(self.folder, ignore_errors=True)
        if left:
            pids = sorted(process.pid for process in left)
            raise ServerError(
                f"expected the server's processes to end when they are killed, found {pids}: check the device"
            )

    def _tree(self) -> list[Any]:
        """Return the server's processes, also those whose supervisor or parent is gone."""
        found: dict[int, Any] = {}
        for root in self._roots:
            with contextlib.suppress(self._psutil.NoSuchProcess):
                found |= {process.pid: process for process in (root, *root.children(recursive=True))}
        found.pop(self._process.pid, None)
        return [process for process in found.values() if self._lives(process)]

    def _lives(self, process: Any) -> bool:  # noqa: ANN401 - psutil ships no types
        try:
            return bool(process.status() != self._psutil.STATUS_ZOMBIE)
        except self._psutil.NoSuchProcess:
            return False

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise ServerError(
                f"expected a supervisor of the server, process {self._process.pid}, found it gone"
            ) from None

    def _answer(self) -> dict[str, Any]:
        message = self._message(_START_S)
        if not message:
            how = "gives no answer" if message is None else "ends"
            raise ServerError(f"expected the interpreter {sys.executable} to run a supervisor, found that it {how}")
        return message

    def _message(self, seconds: float) -> dict[str, Any] | None:
        """Return the next message; ``None`` if there is none in time, an empty one if there will be none."""
        assert self._process.stdout is not None
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN)
        while b"\n" not in self._unread:
            if not poll.poll(seconds * 1000.0):
                return None
            part = self._process.stdout.read(65536)
            if not part:
                return {}
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _let_go(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
