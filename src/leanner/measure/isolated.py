"""The other process of an isolated case: ``python -m leanner.measure.isolated FD``."""

from __future__ import annotations

import sys
import traceback

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import TYPE_CHECKING

from leanner.measure.session import Session
from leanner.passes.protocol import NotRunnable


if TYPE_CHECKING:
    from leanner.measure.isolation import Job


@dataclass(slots=True)
class RemoteStopwatch:
    """Lets the process at the other end time the rounds; the same to a case as pytest-benchmark."""

    connection: Connection
    stats: SimpleNamespace | None = None

    def pedantic(
        self,
        target: Callable[[], object],
        *,
        setup: Callable[[], None],
        teardown: Callable[[], None],
        rounds: int,
        warmup_rounds: int,
        iterations: int,
    ) -> None:
        """Run the rounds as they are asked for."""
        if (warmup_rounds, iterations) != (0, 1):
            raise ValueError(f"expected no warm-up and one iteration, found {warmup_rounds} and {iterations}")
        steps: dict[str, Callable[[], object]] = {"begin": setup, "run": target, "end": teardown}
        self.connection.send(("rounds", rounds))
        while True:
            what, value = self.connection.recv()
            if what == "timed":
                self.stats = None if value is None else SimpleNamespace(stats=SimpleNamespace(data=value))
                return
            steps[what]()
            self.connection.send(("done", None))


def serve(connection: Connection) -> None:
    """Measure the one job that comes over ``connection``, and send what came of it."""
    job: Job = connection.recv()
    # The lock, the journal and the files are the first process's.
    options = replace(job.options, lock="off", journal=None, resume=None)
    session = Session(options, job.root, lambda text: connection.send(("say", text)), given=job.subject)
    try:
        finished = session.run(job.configuration, job.device, RemoteStopwatch(connection), job.baseline)
    except NotRunnable as reason:
        connection.send(("not-run", str(reason)))
    except Exception:  # noqa: BLE001 - told to the first process, which raises it
        connection.send(("failed", traceback.format_exc()))
    else:
        connection.send(("finished", finished))
    finally:
        session.close()


if __name__ == "__main__":
    with Connection(int(sys.argv[1])) as connection:
        serve(connection)
