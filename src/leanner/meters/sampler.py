"""The sampler: a process of its own that reads the meters between the edges of a window.

``python -m leanner.meters.sampler``, started by ``child``. A thread would do worse: it
waits up to 0.4 s for the interpreter's lock while the tagger works. One JSON object a
line, commands on standard input, answers on standard output:

- ``{"do": "open", "parent": PID, "plan": {…}}`` is answered by ``{"ready": CLOCK}``;
- ``{"do": "start", "window": N, "looked_at": TREE}`` has no answer;
- ``{"do": "stop", "window": N, "end_ns": CLOCK}`` is answered by
  ``{"window": N, "ticks_ns": […], "samples": […], "cpu_s": SECONDS}``.

Between ``start`` and ``stop`` it ticks and keeps what it sees; otherwise it sleeps. It
ends when standard input does, and also when its parent is gone while a fork of that still
holds the pipe.
"""

from __future__ import annotations

import gc
import json
import os
import select
import sys

from collections.abc import Mapping
from typing import Any
from typing import Final
from typing import NoReturn

from leanner.meters.census import Census
from leanner.meters.clock import monotonic_ns
from leanner.meters.errors import UnmeasurableError
from leanner.meters.memory import MemorySource
from leanner.meters.nvml import Nvml
from leanner.meters.nvml import open_nvml
from leanner.meters.plan import GpuPlan
from leanner.meters.plan import Plan
from leanner.meters.ticker import Ticker


# How long the end of the parent may go unnoticed.
_WATCH_S: Final = 0.5

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2


class EndedError(Exception):
    """Nobody is left to sample for."""


class Parent:
    """The other end of the pipes: who sends commands and takes answers.

    Args:
        commands: Descriptor to read from.
        answers: Descriptor to write to.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._pid = os.getppid()
        self._unread = b""
        os.set_blocking(answers, False)

    def is_process(self, pid: int) -> None:
        """State who the parent is: it may have ended before this process could ask."""
        self._pid = pid

    def command(self, wait_s: float) -> Mapping[str, Any] | None:
        """Return the next command; ``None`` if there is none within ``wait_s`` seconds.

        Raises:
            EndedError: The parent is gone.
        """
        while b"\n" not in self._unread:
            self._check()
            # select, not poll: its timeout is not rounded to milliseconds.
            if not select.select([self._commands], [], [], wait_s)[0]:
                return None
            part = os.read(self._commands, 65536)
            if not part:
                raise EndedError
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        command: Mapping[str, Any] = json.loads(line)
        return command

    def answer(self, message: Mapping[str, Any]) -> None:
        """Send an answer, however long the parent takes to read it.

        Raises:
            EndedError: The parent is gone.
        """
        rest = memoryview(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        while rest:
            self._check()
            if select.select([], [self._answers], [], _WATCH_S)[1]:
                try:
                    rest = rest[os.write(self._answers, rest) :]
                except BrokenPipeError:
                    raise EndedError from None

    def _check(self) -> None:
        # A fork of the parent may hold the pipe open when the parent itself has been killed.
        if os.getppid() != self._pid:
            raise EndedError


def make_ticker(plan: Plan) -> Ticker:
    """Return the ticker of a plan.

    Raises:
        UnmeasurableError: NVML is not here, or shows another GPU than the meter has seen.
    """
    tree = Census(plan.pid)
    sources = plan.sources(tree, _open(plan.gpu), monotonic_ns)
    memory = next(source for source in sources if isinstance(source, MemorySource))
    return Ticker(sources, tree.look, memory, plan.interval_s)


def _open(gpu: GpuPlan | None) -> Nvml | None:
    if gpu is None:
        return None
    nvml = open_nvml("cuda", {}, uuid=gpu.uuid)
    if (found := GpuPlan.of(nvml)) != gpu:
        raise UnmeasurableError(f"expected NVML to tell {gpu}, as it told the meter, found {found}")
    return nvml


def serve(parent: Parent) -> NoReturn:
    """Do what the parent says until it is gone.

    Raises:
        EndedError: It is.
        UnmeasurableError: Its plan cannot be carried out.
    """
    command = None
    while command is None:
        command = parent.command(_WATCH_S)
    parent.is_process(command["parent"])
    ticker = make_ticker(Plan.from_json(command["plan"]))
    parent.answer({"ready": monotonic_ns()})
    while True:
        command = parent.command(min(_WATCH_S, ticker.wait_s()))
        if command is None:
            ticker.tick_if_due()
        elif command["do"] == "start":
            ticker.start(command["window"], command["looked_at"])
        else:
            parent.answer(ticker.stop(command["end_ns"]))


def main() -> int:
    """Run the sampler; returns the exit status."""
    if os.isatty(_STDIN):
        sys.stderr.write("expected a meter at standard input, found a terminal: leanner starts its sampler itself\n")
        return 2
    # What a driver's library prints must not come between the answers.
    answers = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    # What is kept grows until the window ends, and holds no cycles: a collection would only walk through it.
    gc.disable()
    try:
        serve(Parent(_STDIN, answers))
    except EndedError:
        return 0
    except UnmeasurableError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
