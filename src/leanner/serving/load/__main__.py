"""The process that sends: ``python -m leanner.serving.load FD PARENT``, started by ``generator``.

Over the connection ``FD`` come the bodies, then a ``Job`` for each run, answered by ``("driven", Driven)`` or
``("failed", text)``. It ends when the connection does, and also when its parent is gone while a fork of that still
holds the connection.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
import threading
import time
import traceback

from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING
from typing import Final

from leanner.serving.load.client import Client
from leanner.serving.load.job import Driven
from leanner.serving.load.precise import precise_loop
from leanner.serving.load.scenarios import run


if TYPE_CHECKING:
    from leanner.serving.load.job import Job


#: How long the end of the parent may go unnoticed.
_WATCH_S: Final = 0.5


async def drive(job: Job, bodies: Sequence[bytes]) -> Driven:
    """Send what ``job`` asks for over new connections."""
    began_ns, began_cpu_s = time.monotonic_ns(), time.process_time()
    async with Client(job.address, job.timeout_s) as client:
        outcomes = await run(job.scenario, client.send, bodies, job.indices, limit_s=job.limit_s)
        return Driven(tuple(outcomes), began_ns, time.monotonic_ns(), time.process_time() - began_cpu_s)


def serve(parent: Connection) -> None:
    """Do what comes over ``parent`` until it ends."""
    try:
        bodies: Sequence[bytes] = parent.recv()
        parent.send(("ready", None))
        while True:
            job: Job = parent.recv()
            try:
                with asyncio.Runner(loop_factory=precise_loop) as runner:
                    driven = runner.run(drive(job, bodies))
            except Exception:  # noqa: BLE001 - told to the parent, which raises it
                parent.send(("failed", traceback.format_exc()))
            else:
                parent.send(("driven", driven))
            gc.collect()
    except (EOFError, ConnectionError):
        return


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os._exit(0)


def main() -> None:
    """Run the process."""
    descriptor, parent = map(int, sys.argv[1:])
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    # Requests in flight take a descriptor each, and have no bound.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # What a run keeps grows until it ends, and a collection would hold up the answers meanwhile.
    gc.disable()
    with Connection(descriptor) as connection:
        serve(connection)


if __name__ == "__main__":
    main()
