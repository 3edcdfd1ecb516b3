"""What every server can do: be started with a tagger, say where it listens, and be gone."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching
    from leanner.serving.source import Source


class ServerError(RuntimeError):
    """A server did not start, or is gone; the message says what it said and what to do."""


class NotInstalledError(ServerError):
    """A server's package, or what that needs, is not here; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes: ``POST path`` to a port of 127.0.0.1, with these headers besides."""

    port: int
    path: str
    headers: tuple[tuple[str, str], ...] = ()


class Running(Protocol):
    """A server that has said that it is ready.

    Attributes:
        address: Where requests go.
        start_s: Seconds from its start until it was ready.
        batch_log: What its workers write of their batches: see ``leanner.serving.batch_log``.
    """

    @property
    def address(self) -> Address: ...  # noqa: D102 - see above

    @property
    def start_s(self) -> float: ...  # noqa: D102 - see above

    @property
    def batch_log(self) -> Path: ...  # noqa: D102 - see above

    def pids(self) -> frozenset[int]:
        """Return its processes, workers included, that live now."""
        ...

    def check(self) -> None:
        """See that it lives.

        Raises:
            ServerError: It does not; the message holds the end of what it said.
        """
        ...


class Server(Protocol):
    """A way to serve: a frozen dataclass of its parameters."""

    @property
    def name(self) -> str:
        """As in the record: ``torchserve``, ``mosec``, ``in-process``."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return ``name``, its version and parameters, ready for JSON."""
        ...

    def start(self, source: Source, batching: DynamicBatching) -> AbstractContextManager[Running]:
        """Start it on loopback, wait until a worker has its tagger, and stop it at the end.

        Its files lie in a temporary folder, which is gone at the end.

        Raises:
            NotInstalledError: It is not installed here.
            ServerError: It did not become ready.
        """
        ...
