"""TorchServe as a server of taggers."""

from __future__ import annotations

import contextlib
import dataclasses
import time

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.serving.server import Address
from leanner.serving.server import Running
from leanner.serving.server import ServerError
from leanner.serving.torchserve.installed import Installed
from leanner.serving.torchserve.installed import find_installed
from leanner.serving.torchserve.installed import installed_version
from leanner.serving.torchserve.management import workers
from leanner.serving.torchserve.settings import MODEL
from leanner.serving.torchserve.settings import Settings
from leanner.serving.torchserve.settings import batch_log
from leanner.serving.torchserve.settings import command
from leanner.serving.torchserve.settings import environment
from leanner.serving.torchserve.settings import free_ports
from leanner.serving.torchserve.settings import read_keys
from leanner.serving.torchserve.supervised import Supervised


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching
    from leanner.serving.source import Source


# Between two looks at whether it is ready.
_LOOK_S: Final = 0.1

# A port that was free may be another's when TorchServe binds it; that this happens again and again is something else.
_TRIES: Final = 3
_TAKEN: Final = "Address already in use"

# What a worker says when it ends by an error; what follows is the traceback.
_DIED: Final = "Backend worker process died."


class TakenError(ServerError):
    """A port has been taken meanwhile."""


@dataclass(frozen=True, slots=True)
class TorchServe:
    """TorchServe 0.12.0, the last there is, on loopback with token authorization.

    Attributes:
        workers: Processes, each with a tagger of its own.
        queue_size: Requests that may wait; more are answered 503.
        max_request_bytes: Of a body; a longer one is answered 413.
        response_timeout_s: How long a worker may take for a batch; then it is ended and its requests are answered 500.
        startup_timeout_s: How long the start may take, the tagger's included.
    """

    workers: int = 1
    queue_size: int = 100
    max_request_bytes: int = 65_536
    response_timeout_s: int = 30
    startup_timeout_s: int = 120

    @property
    def name(self) -> str:
        """As in the record."""
        return "torchserve"

    def describe(self) -> dict[str, Any]:
        """Return name, version and parameters, ready for JSON; the version is ``None`` where it is not installed."""
        return {"name": self.name, "version": installed_version(), **dataclasses.asdict(self)}

    @contextlib.contextmanager
    def start(self, source: Source, batching: DynamicBatching) -> Iterator[Running]:
        """Start it on loopback, wait until its workers have their taggers, and stop it at the end.

        Raises:
            NotInstalledError: TorchServe or its Java is not here.
            ServerError: It did not become ready, or does not end.
            ValueError: It cannot batch like that: it counts whole milliseconds, and does not look at lengths.
        """
        if batching.by_length:
            raise ValueError("expected batching in order of arrival, found by_length: only the in-process batcher can")
        if batching.max_batch_delay_ms != int(batching.max_batch_delay_ms):
            raise ValueError(f"expected a delay of whole milliseconds, found {batching.max_batch_delay_ms}")
        installed = find_installed()
        running = self._start(installed, source, batching)
        try:
            yield running
        finally:
            running.end()

    def _start(self, installed: Installed, source: Source, batching: DynamicBatching) -> RunningTorchServe:
        for _ in range(_TRIES - 1):
            with contextlib.suppress(TakenError):
                return self._try(installed, source, batching)
        return self._try(installed, source, batching)

    def _try(self, installed: Installed, source: Source, batching: DynamicBatching) -> RunningTorchServe:
        began_s = time.monotonic()
        settings = Settings(**dataclasses.asdict(self), ports=free_ports())
        supervised = Supervised()
        try:
            settings.write(supervised.folder, source, batching)
            supervised.start(command(installed, supervised.folder), environment(installed, supervised.folder))
            key = _wait(supervised, settings, began_s + self.startup_timeout_s)
        except BaseException:
            supervised.end()
            raise
        address = Address(settings.ports.inference, f"/predictions/{MODEL}", (("Authorization", f"Bearer {key}"),))
        return RunningTorchServe(address, time.monotonic() - began_s, supervised)


class RunningTorchServe:
    """A TorchServe whose workers have their taggers.

    Attributes:
        address: Where requests go.
        start_s: Seconds from its start until it was ready.
        batch_log: What its workers write of their batches.
    """

    def __init__(self, address: Address, start_s: float, supervised: Supervised) -> None:
        self.address = address
        self.start_s = start_s
        self.batch_log: Path = batch_log(supervised.folder)
        self._supervised = supervised

    def pids(self) -> frozenset[int]:
        """Return the processes that live now, Java's and its workers'."""
        return self._supervised.pids()

    def check(self) -> None:
        """See that it lives; of a worker that died TorchServe starts another one.

        Raises:
            ServerError: It does not; the message holds the end of what it said.
        """
        if (how := self._supervised.ended()) is not None:
            raise ServerError(f"expected a running TorchServe, found that it has ended: {how}{_said(self._supervised)}")

    def end(self) -> None:
        """End it, and remove its files.

        Raises:
            ServerError: Some of its processes are there all the same.
        """
        self._supervised.end()


def _wait(supervised: Supervised, settings: Settings, deadline_s: float) -> str:
    """Wait until all workers have their taggers; returns the token for requests."""
    seen: set[int] = set()
    while time.monotonic() < deadline_s:
        if (how := supervised.ended()) is not None:
            said = _said(supervised)
            if _TAKEN in said:
                raise TakenError(
                    f"expected TorchServe to get {settings.ports}, found one of them taken: start again{said}"
                )
            raise ServerError(f"expected TorchServe to become ready, found that it has ended: {how}{said}")
        if (keys := read_keys(supervised.folder)) is not None:
            found = workers(settings.ports.management, keys["management"], MODEL) or []
            seen |= {worker.pid for worker in found if worker.pid is not None}
            # TorchServe would start another one, again and again for minutes.
            if seen - supervised.pids() or _DIED in supervised.last_words():
                raise ServerError(f"expected a worker to load its tagger, found that it ended{_said(supervised)}")
            if sum(worker.ready for worker in found) == settings.workers:
                return keys["inference"]
        time.sleep(_LOOK_S)
    raise ServerError(
        f"expected TorchServe to be ready within {settings.startup_timeout_s} s, found it is not: raise "
        f"startup_timeout_s if the tagger takes longer{_said(supervised)}"
    )


def _said(supervised: Supervised) -> str:
    last, before = supervised.last_words(), None
    while last != before:  # what a worker says comes through TorchServe, line by line
        time.sleep(_LOOK_S)
        last, before = supervised.last_words(), last
    return f"\nIt said last:\n{last}" if last else ""
