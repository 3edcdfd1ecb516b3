"""The process that samples, as the meter holds it: started, spoken to, waited for, ended."""

from __future__ import annotations

import json
import os
import select
import signal
import site
import subprocess
import sys
import tempfile

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.errors import MeterError
from leanner.meters.processes import SAMPLER


if TYPE_CHECKING:
    from leanner.meters.plan import Plan


# NVML takes seconds to start where no one else uses the driver.
_START_S: Final = 60.0

# How long a process may take to end, and as long again when it is killed.
_END_S: Final = 1.0

# As much as is read of what it wrote to standard error.
_LAST_WORDS_B: Final = 4096


class LostError(Exception):
    """The process is gone, or does not answer; the message says how."""


class SamplerProcess:
    """A process that samples, and the pipes to it.

    Args:
        plan: What it reads.
        clock: The monotonic clock, which it shares.

    Raises:
        MeterError: It cannot be started.
    """

    def __init__(self, plan: Plan, clock: Clock = monotonic_ns) -> None:
        self._unread = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process; a pipe could fill up
        # A session of its own: Ctrl-C is for the run, which then ends the sampler. -P: a file of
        # the working directory must not stand in for a module.
        command = [sys.executable or "", "-P", "-m", SAMPLER]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of this package
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise MeterError(
                f"the sampler cannot be started: {error}; expected sys.executable to be a Python interpreter that "
                f"this process may run, found {sys.executable!r}"
            ) from error
        try:
            self._open(plan, clock)
        except LostError as lost:
            raise MeterError(
                f"the sampler cannot be started: {lost}; expected `{sys.executable} -P -c 'import {SAMPLER}'` to work "
                "in this environment"
            ) from lost
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it lives, as a child of this process: to a fork of its parent, it counts as ended."""
        return self._process.poll() is None

    def send(self, command: Mapping[str, Any]) -> None:
        """Send a command.

        Raises:
            LostError: The process is gone.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
        except BrokenPipeError:
            raise self._lost() from None

    def receive(self, patience_s: float) -> Mapping[str, Any]:
        """Return the next answer.

        Raises:
            LostError: The process is gone, or was silent for ``patience_s`` seconds and has been ended.
        """
        assert self._process.stdout is not None
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN)
        while b"\n" not in self._unread:
            if not poll.poll(patience_s * 1000.0):
                self.end()
                raise LostError(
                    f"it did not answer within {patience_s:g} s and was ended: a driver call hangs; check the device"
                )
            part = self._process.stdout.read(1 << 20)
            if not part:
                raise self._lost()
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """End the process; in a fork of its parent, this leaves it alone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._wait()
        self._process.stdout.close()
        self._errors.close()

    def _open(self, plan: Plan, clock: Clock) -> None:
        before_ns = clock()
        self.send({"do": "open", "parent": os.getpid(), "plan": plan.to_json()})
        ready_ns = self.receive(_START_S)["ready"]
        if not before_ns <= ready_ns <= clock():
            raise MeterError(
                "expected processes of this machine to share the monotonic clock, found the sampler's at "
                f"{ready_ns} ns and this one's at {before_ns} ns: when its samples were taken is unknown"
            )

    def _lost(self) -> LostError:
        """Return how the process ended."""
        self._wait()
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LAST_WORDS_B))
        said = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        status = self._process.returncode
        name = f" ({signal.Signals(-status).name})" if status is not None and status < 0 else ""
        self.end()
        return LostError(f"exit status {status}{name}" + (f": {said}" if said else ""))

    def _wait(self) -> None:
        # A process that is not a child of this one is at once taken for ended, and not killed.
        for last_resort in (None, self._process.kill):
            if last_resort is not None:
                last_resort()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                continue  # even behind a kill, as long as a driver holds it
            return


def _environment() -> dict[str, str]:
    """Return an environment in which the sampler is of this leanner, and not of another one that is installed."""
    root = str(Path(__file__).parents[2])
    environ = dict(os.environ)
    # Not for site-packages: in PYTHONPATH it would come before the standard library.
    if root not in {*site.getsitepackages(), site.getusersitepackages()}:
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environ.get("PYTHONPATH")]))
    return environ
