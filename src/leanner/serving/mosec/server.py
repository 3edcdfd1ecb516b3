"""mosec as a server: started with a tagger, supervised, and gone at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.serving.mosec import settings
from leanner.serving.mosec.group import kill
from leanner.serving.mosec.group import members
from leanner.serving.mosec.settings import Settings
from leanner.serving.mosec.state import State
from leanner.serving.server import Address
from leanner.serving.server import NotInstalledError
from leanner.serving.server import ServerError


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching
    from leanner.serving.source import Source


# As much as is told of what the processes said.
_LAST_WORDS_B: Final = 2048

_LOOK_S: Final = 0.02

# Longer than the supervisor gives the requests that are being answered, and the processes to go.
_END_S: Final = 15.0

# A path of a socket has 107 bytes; mosec's name for it, in its folder, has so many.
_SOCKET_B: Final = 107 - len(f"/{settings.SOCKETS}/ipc_Answering_2.socket")

# A port that was free is another's by the time mosec takes it, now and then.
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Mosec:
    """mosec on loopback, started again when it ends: see ``docs/mosec.md``.

    Attributes:
        port: Of 127.0.0.1; ``None`` for a free one.
        queue: Requests that may wait for their batch; more are refused with 429.
        timeout_s: How long a request may take, waiting included; then it is answered with 408.
        max_body_bytes: Longer ones are refused with 413.
        max_restarts: How often in a row mosec is started again where it ends within a minute of being ready.
        start_timeout_s: How long a start may take, loading the tagger included.
        log_batches: Whether the worker writes of its batches, a line each, for who measures.
    """

    port: int | None = None
    queue: int = 100
    timeout_s: float = 30.0
    max_body_bytes: int = 1 << 20
    max_restarts: int = 5
    start_timeout_s: float = 120.0
    log_batches: bool = True

    @property
    def name(self) -> str:
        """``mosec``."""
        return "mosec"

    def describe(self) -> dict[str, Any]:
        """Return name, version and parameters, ready for JSON; the version is ``None`` where it is not installed."""
        try:
            version = importlib.metadata.version(self.name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        return {"name": self.name, "version": version, **dataclasses.asdict(self)}

    @contextlib.contextmanager
    def start(self, source: Source, batching: DynamicBatching) -> Iterator[RunningMosec]:
        """Start it, wait until a worker has its tagger, and stop it at the end.

        Requests that are being answered then have five seconds.

        Raises:
            NotInstalledError: mosec is not installed.
            ServerError: It did not become ready, or the port is taken.
            ValueError: Batches by length.
        """
        if batching.by_length:
            raise ValueError("expected batches in the order of arrival, found by_length: mosec forms no others")
        if self.describe()["version"] is None:
            raise NotInstalledError("expected mosec, found no such package; `pip install 'leanner[mosec]'`")
        if self.port is not None:
            _check_free(self.port)
        with contextlib.ExitStack() as stack:
            for left in reversed(range(_TRIES if self.port is None else 1)):
                try:
                    running = stack.enter_context(self._start(source, batching))
                except PortTakenError:
                    if not left:
                        raise
                else:
                    break
            yield running

    @contextlib.contextmanager
    def _start(self, source: Source, batching: DynamicBatching) -> Iterator[RunningMosec]:
        folder = Path(tempfile.mkdtemp(prefix="leanner-"))
        try:
            if len(os.fsencode(folder)) > _SOCKET_B:
                raise ServerError(
                    f"expected a temporary folder with a path of {_SOCKET_B} bytes at most, which sockets can have, "
                    f"found {folder}; set TMPDIR"
                )
            port = _free_port() if self.port is None else self.port
            Settings(
                parent=os.getpid(),
                source=source,
                batching=batching,
                port=port,
                queue=self.queue,
                timeout_s=self.timeout_s,
                max_body_bytes=self.max_body_bytes,
                max_restarts=self.max_restarts,
                start_timeout_s=self.start_timeout_s,
                log_batches=self.log_batches,
            ).write(folder)
            running = RunningMosec(folder, port)
            try:
                running.wait_until_ready()
                yield running
            finally:
                running.end()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class PortTakenError(ServerError):
    """Another process listens on the port."""


class RunningMosec:
    """A supervisor, and what it keeps.

    Args:
        folder: Its files, the settings among them.
        port: Of 127.0.0.1.

    Attributes:
        address: Where requests go.
        start_s: Seconds from the start until the worker had its tagger.
        batch_log: What the worker writes of its batches.
        log: What the processes say.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.address = Address(port, settings.ROUTE)
        self.batch_log = folder / settings.BATCHES
        self.log = folder / settings.LOG
        self.start_s = 0.0
        self._folder = folder
        self._began = time.monotonic()
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C is for this process, which then ends the supervisor.
            self._supervisor = subprocess.Popen(
                [sys.executable, "-P", "-m", "leanner.serving.mosec.supervisor"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment(folder),
                start_new_session=True,
            )

    @property
    def restarts(self) -> int:
        """How often mosec was started again."""
        return max(0, State.read(self._folder).starts - 1)

    def pids(self) -> frozenset[int]:
        """Return its processes, supervisor and workers included, that live now."""
        session = State.read(self._folder).session
        kept = {process.pid for process in members(session)} if session else set()
        return frozenset(kept if self._supervisor.poll() is not None else {self._supervisor.pid, *kept})

    def check(self) -> None:
        """See that it lives, or is being started again.

        Raises:
            ServerError: The supervisor has ended; the message holds the end of what was said.
        """
        status = self._supervisor.poll()
        if status is not None:
            raise ServerError(f"mosec is gone, its supervisor ended with status {status}: {self._last_words()}")

    def wait_until_ready(self) -> None:
        """Wait until the worker has its tagger.

        Raises:
            PortTakenError: Another process took the port meanwhile.
            ServerError: mosec ended before.
        """
        while not State.read(self._folder).ready:
            if self._supervisor.poll() is not None:
                said = self._last_words()
                kind = PortTakenError if "in use" in said else ServerError
                raise kind(f"mosec did not become ready: {said}")
            time.sleep(_LOOK_S)
        self.start_s = time.monotonic() - self._began

    def end(self) -> None:
        """End all of it."""
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.close()
        try:
            self._supervisor.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        # A supervisor that was killed has left them.
        if session := State.read(self._folder).session:
            kill(session)

    def _last_words(self) -> str:
        said = self.log.read_bytes()[-_LAST_WORDS_B:].decode(errors="replace").strip()
        return said or "it said nothing"


def _environment(folder: Path) -> dict[str, str]:
    """Return this process's environment, in which others import what it can, and mosec reads no options."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MOSEC_")}
    path = [str(Path(entry).resolve()) for entry in sys.path]
    return environ | {"PYTHONPATH": os.pathsep.join(path), settings.FOLDER: str(folder)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        # As the server will: connections that are closed already do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTakenError(
                f"expected a free port of 127.0.0.1, found {port} taken ({error.strerror}); choose another"
            ) from error
