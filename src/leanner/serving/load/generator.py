"""Load from a process of its own, as the one that measures holds it: started, told what to send, ended."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.connection import Pipe
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Self

from leanner.serving.load.job import Driven
from leanner.serving.load.job import Job


if TYPE_CHECKING:
    from leanner.serving.load.scenarios import Scenario
    from leanner.serving.server import Address


_START_S: Final = 60.0
#: Seconds beyond its limit after which a run hangs: for what it sends back, on a machine with other work.
_GRACE_S: Final = 60.0
_END_S: Final = 5.0
#: As much as is read of what it wrote to standard error.
_LAST_WORDS_B: Final = 4096


class LoadError(RuntimeError):
    """The process that sends failed, or is gone; the message holds what it said."""


class LoadGenerator:
    """A process that sends requests; use as a context manager, which starts and ends it.

    Args:
        bodies: Of the requests, which runs name by their index; they go to the process once.
    """

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self._bodies = list(bodies)
        self._errors: Any = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """Id of the process; ``None`` if there is none."""
        return None if self._process is None else self._process.pid

    def run(
        self,
        address: Address,
        scenario: Scenario,
        indices: Sequence[int] | None = None,
        *,
        limit_s: float,
        timeout_s: float = 30.0,
    ) -> Driven:
        """Send requests, over connections that are opened for this run.

        Args:
            address: Where to.
            scenario: When each is sent.
            indices: Of the bodies to send, in this order; each once if ``None``.
            limit_s: Seconds after which what is not answered is given up. A server that is gone costs no more.
            timeout_s: Seconds after which a single request is.

        Raises:
            ValueError: An index names no body, or a time is not positive.
            LoadError: The process failed. It is gone then, and no other run is possible.
        """
        chosen = range(len(self._bodies)) if indices is None else indices
        if not all(0 <= index < len(self._bodies) for index in chosen):
            raise ValueError(f"expected indices of {len(self._bodies)} bodies, found {min(chosen)} to {max(chosen)}")
        if not (limit_s > 0 and timeout_s > 0):
            raise ValueError(f"expected times of more than 0 s, found limit_s={limit_s}, timeout_s={timeout_s}")
        driven: Driven = self._ask(Job(address, scenario, tuple(chosen), limit_s, timeout_s), limit_s + _GRACE_S)
        return driven

    def close(self) -> None:
        """End the process; a run that is under way ends with it."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is None or connection is None:
            return
        connection.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._errors.close()

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile()  # a pipe could fill up
        ours, theirs = Pipe()
        with theirs:
            # A session of its own: Ctrl-C is for the run, which then ends it. -P: a file of the working directory
            # must not stand in for a module.
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of this package
                [sys.executable, "-P", "-m", "leanner.serving.load", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                start_new_session=True,
            )
        self._connection = ours
        self._ask(self._bodies, _START_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, what: object, patience_s: float) -> Any:  # noqa: ANN401 - as each question has it
        if self._process is None or self._connection is None:
            raise LoadError("expected a process that sends, found none: enter the context first")
        answered = False
        try:
            self._connection.send(what)
            if not self._connection.poll(patience_s):
                raise LoadError(f"the process that sends did not answer within {patience_s:g} s and was ended")
            said, value = self._connection.recv()
            if said == "failed":
                raise LoadError(value)
            answered = True
        except (EOFError, ConnectionError) as error:
            raise LoadError(self._last_words()) from error
        finally:
            if not answered:
                self._process.kill()
                self.close()
        return value

    def _last_words(self) -> str:
        assert self._process is not None
        self._process.kill()
        status = self._process.wait()
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LAST_WORDS_B))
        said = self._errors.read().decode(errors="replace").strip()
        return f"the process that sends ended with status {status}" + (f": {said}" if said else "")
