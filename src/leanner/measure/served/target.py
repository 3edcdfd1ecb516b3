"""What requests are sent to: a server from another process, or the batcher of this one."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Protocol

from leanner.passes.protocol import NotRunnable
from leanner.serving.batch_log import BatchLog
from leanner.serving.handling import BatchHandler
from leanner.serving.in_process import InProcess
from leanner.serving.load.generator import LoadGenerator
from leanner.serving.load.job import Driven
from leanner.serving.load.scenarios import run
from leanner.serving.server import NotInstalledError
from leanner.serving.serving import IN_PROCESS
from leanner.serving.serving import Serving
from leanner.serving.serving import make_server


if TYPE_CHECKING:
    from leanner.serving.load.scenarios import Scenario
    from leanner.serving.server import Running
    from leanner.serving.source import Source
    from leanner.taggers.protocol import Tagger


#: Seconds after which a request is given up.
TIMEOUT_S: Final = 60.0

#: Seconds that the start of a server may take, passes left out.
START_S: Final = 180.0

#: Requests that may wait in this process: as many as the servers let wait.
_QUEUE: Final = 100


class Target(Protocol):
    """What answers.

    Attributes:
        server: For the record.
    """

    server: dict[str, Any]

    @property
    def start_s(self) -> float | None:
        """Seconds until it was ready; ``None`` if nothing was started."""
        ...

    @property
    def batch_log(self) -> Path:
        """What it writes of its batches."""
        ...

    def drive(self, scenario: Scenario, indices: Sequence[int], *, limit_s: float) -> Driven:
        """Send the bodies with these numbers as a scenario says; what is not answered in time is given up."""
        ...

    def pids(self) -> frozenset[int]:
        """Return the processes of the server; none where it is this one."""
        ...

    def check(self) -> None:
        """See that it lives.

        Raises:
            ServerError: It does not.
        """
        ...


@contextlib.contextmanager
def open_target(
    serving: Serving, source: Source, local: Tagger, bodies: Sequence[bytes], *, start_s: float = START_S
) -> Iterator[Target]:
    """Start what a configuration is served by, and the load.

    Args:
        serving: By which server, in which batches.
        source: Where a server's worker gets its tagger from.
        local: The same tagger here, which the batcher of this process runs.
        bodies: Of all requests that there will be.
        start_s: How long the start may take.

    Raises:
        NotRunnable: The server is not installed.
        ServerError: It did not become ready.
    """
    if serving.server == IN_PROCESS:
        with _in_process(serving, local, bodies) as target:
            yield target
        return
    server = make_server(serving.server, start_s)
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(server.start(source, serving.batching))
        except NotInstalledError as error:
            raise NotRunnable(serving.refusals()[0]) from error
        yield _OverHttp(running, server.describe(), stack.enter_context(LoadGenerator(bodies)))


@dataclass(slots=True)
class _OverHttp:
    running: Running
    server: dict[str, Any]
    generator: LoadGenerator

    @property
    def start_s(self) -> float | None:
        return self.running.start_s

    @property
    def batch_log(self) -> Path:
        return self.running.batch_log

    def drive(self, scenario: Scenario, indices: Sequence[int], *, limit_s: float) -> Driven:
        self.running.check()
        return self.generator.run(self.running.address, scenario, indices, limit_s=limit_s, timeout_s=TIMEOUT_S)

    def pids(self) -> frozenset[int]:
        return self.running.pids()

    def check(self) -> None:
        self.running.check()


@contextlib.contextmanager
def _in_process(serving: Serving, local: Tagger, bodies: Sequence[bytes]) -> Iterator[Target]:
    server = InProcess(queue_size=max(_QUEUE, serving.batching.max_batch_size))
    # A file without a name leaves nothing behind, also where this process is killed.
    with (
        tempfile.TemporaryFile() as file,
        BatchLog(path := Path(f"/proc/self/fd/{file.fileno()}")) as log,
        asyncio.Runner() as runner,
    ):
        stack = AsyncExitStack()
        send = runner.run(stack.enter_async_context(server.open(BatchHandler(local, log), serving.batching)))
        try:
            yield _Here(runner, send, bodies, path, server.describe())
        finally:
            runner.run(stack.aclose())


@dataclass(slots=True)
class _Here:
    runner: asyncio.Runner
    send: Any
    bodies: Sequence[bytes]
    log: Path
    server: dict[str, Any]

    @property
    def start_s(self) -> float | None:
        return None

    @property
    def batch_log(self) -> Path:
        return self.log

    def drive(self, scenario: Scenario, indices: Sequence[int], *, limit_s: float) -> Driven:
        began_ns = time.monotonic_ns()
        outcomes = self.runner.run(run(scenario, self.send, self.bodies, indices, limit_s=limit_s))
        # Its CPU time is the tagger's too.
        return Driven(tuple(outcomes), began_ns, time.monotonic_ns(), 0.0)

    def pids(self) -> frozenset[int]:
        return frozenset()

    def check(self) -> None:
        """Lives as long as this process."""
