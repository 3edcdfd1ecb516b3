"""A case in a fresh process: what earlier cases left in memory, caches and allocators cannot touch it.

The other process measures just as this one would; only the clock stays here: its
rounds are started over a pipe by pytest-benchmark's calls, which adds about a tenth of a
millisecond to each.
"""

from __future__ import annotations

import os
import subprocess
import sys

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from leanner.passes.protocol import NotRunnable


if TYPE_CHECKING:
    from leanner.configurations import Configuration
    from leanner.measure.case import Baseline
    from leanner.measure.finished import Finished
    from leanner.measure.subject import Subject
    from leanner.measure.timing import Stopwatch
    from leanner.options import Options


#: Seconds that a process which has said all is given to end.
_ENDS_WITHIN_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Job:
    """What the other process is to measure; without ``baseline`` it tags once with the base tagger for it."""

    configuration: Configuration
    device: str
    options: Options
    root: Path
    subject: Subject
    baseline: Baseline | None


class IsolatedError(RuntimeError):
    """The process of a case failed; the message holds what it said."""


def measure_isolated(job: Job, stopwatch: Stopwatch, say: Callable[[str], None]) -> Finished:
    """Measure ``job`` in a process of its own.

    Raises:
        NotRunnable: As the case itself would.
        IsolatedError: It failed, or was killed.
    """
    ours, theirs = Pipe()
    command = [sys.executable, "-m", "leanner.measure.isolated", str(theirs.fileno())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    # A new interpreter, not a fork and not multiprocessing's spawn: it neither inherits this
    # process's memory nor imports the user's main module again.
    with (
        ours,
        subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL) as process,  # noqa: S603 - arguments are ours
    ):
        theirs.close()
        try:
            ours.send(job)
            return _converse(ours, stopwatch, say)
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            raise IsolatedError(f"the process of the case ended with status {process.wait()}") from error
        finally:
            ours.close()
            _end(process)


def _converse(ours: Connection, stopwatch: Stopwatch, say: Callable[[str], None]) -> Finished:
    while True:
        what, value = ours.recv()
        if what == "say":
            say(value)
        elif what == "rounds":
            _time(ours, stopwatch, value, say)
        elif what == "finished":
            finished: Finished = value
            return finished
        elif what == "not-run":
            raise NotRunnable(value)
        else:
            raise IsolatedError(value)


def _time(ours: Connection, stopwatch: Stopwatch, rounds: int, say: Callable[[str], None]) -> None:
    def ask(step: str) -> Callable[[], None]:
        def call() -> None:
            ours.send((step, None))
            while (answer := ours.recv())[0] == "say":
                say(answer[1])
            if answer[0] != "done":
                raise IsolatedError(answer[1])

        return call

    stopwatch.pedantic(
        ask("run"), setup=ask("begin"), teardown=ask("end"), rounds=rounds, warmup_rounds=0, iterations=1
    )
    metadata = getattr(stopwatch, "stats", None)
    ours.send(("timed", None if metadata is None else [float(seconds) for seconds in metadata.stats.data]))


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
