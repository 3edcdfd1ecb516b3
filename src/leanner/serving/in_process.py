"""The floor that servers are compared with: the same handler behind the batcher of this process, without HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time

from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.serving.batch_log import BatchLog
from leanner.serving.batcher import Batcher
from leanner.serving.batcher import BatchFailedError
from leanner.serving.batcher import OverloadedError
from leanner.serving.handling import FAILED
from leanner.serving.handling import Answer
from leanner.serving.handling import BatchHandler
from leanner.serving.wire import write_error


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching
    from leanner.serving.source import Source


OVERLOADED: Final = 503

#: A body in; an HTTP status and a body out.
Send = Callable[[bytes], Awaitable[tuple[int, bytes]]]


@dataclass(frozen=True, slots=True)
class RunningInProcess:
    """A tagger that is ready in this process: ``leanner.serving.server.Running``, with ``send`` for an address.

    Attributes:
        send: Answers a request.
        start_s: Seconds until its tagger was there.
        batch_log: What batches it forms: see ``leanner.serving.batch_log``.
    """

    send: Send
    start_s: float
    batch_log: Path

    def pids(self) -> frozenset[int]:
        """Return this process."""
        return frozenset({os.getpid()})

    def check(self) -> None:
        """Lives as long as this process."""


@dataclass(frozen=True, slots=True)
class InProcess:
    """The batcher of this process as a server: ``leanner.serving.server.Server``, but asynchronous.

    Attributes:
        queue_size: Requests that may wait; what comes beyond is answered 503.
    """

    queue_size: int = 100

    @property
    def name(self) -> str:
        """As in the record."""
        return "in-process"

    def describe(self) -> dict[str, Any]:
        """Return name, version and parameters, ready for JSON."""
        return {"name": self.name, "version": version("leanner"), "queue_size": self.queue_size}

    @contextlib.asynccontextmanager
    async def start(self, source: Source, batching: DynamicBatching) -> AsyncIterator[RunningInProcess]:
        """Load a tagger and serve it; its batch log lies in a temporary folder, which is gone at the end."""
        began_s = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="leanner-in-process-") as folder:
            path = Path(folder) / "batches.jsonl"
            with BatchLog(path) as log:
                handler = BatchHandler(await asyncio.to_thread(source.load), log)
                async with self.open(handler, batching) as send:
                    yield RunningInProcess(send, time.perf_counter() - began_s, path)

    @contextlib.asynccontextmanager
    async def open(
        self, handler: Callable[[Sequence[bytes]], Sequence[Answer]], batching: DynamicBatching
    ) -> AsyncIterator[Send]:
        """Serve a handler; at the end what waits is still answered.

        Args:
            handler: Bodies of a batch in, answers out, in order.
            batching: When a batch begins, and whether requests are grouped by the length of their bodies.

        Raises:
            ValueError: The queue has no room for a batch.
        """
        async with Batcher(handler, batching, queue_size=self.queue_size, length=len) as batcher:

            async def send(body: bytes) -> tuple[int, bytes]:
                try:
                    answer = await batcher.submit(body)
                except OverloadedError as error:
                    return OVERLOADED, write_error(str(error))
                except BatchFailedError as error:
                    return FAILED, write_error(str(error))
                return answer.status, answer.body

            yield send
