"""The meter's side of the sampler: reads the edges itself, and has a process tick in between.

No thread: in a window nothing of this runs. The process is started at the first window
and kept; one that is lost takes its ticks with it, and the next window starts another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.child import LostError
from leanner.meters.child import SamplerProcess
from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.memory import looked_at
from leanner.meters.sampling import EdgeSampler
from leanner.meters.sampling import Source
from leanner.meters.trace import Moment
from leanner.meters.trace import Sample
from leanner.meters.trace import Trace


if TYPE_CHECKING:
    from leanner.meters.plan import Plan


#: Seconds without an answer after which the process hangs: longer than any driver call that comes back.
PATIENCE_S: Final = 10.0


class ProcessSampler(EdgeSampler):
    """Reads the edges here, closest to the window, and the ticks in a process of its own.

    Args:
        sources: What to read at the edges.
        plan: The same, for the process to read in between.
        clock: The monotonic clock, which the process shares.
        patience_s: Seconds without an answer after which the process is given up.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        plan: Plan,
        clock: Clock = monotonic_ns,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__(sources, plan.interval_s, clock)
        self._plan = plan
        self._patience_s = patience_s
        self._process: SamplerProcess | None = None
        self._window = 0
        self._failure: str | None = None

    @property
    def pid(self) -> int | None:
        """Id of the process; ``None`` if there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Read every source, begin the window and have the process tick.

        Raises:
            MeterError: The process cannot be started.
        """
        process = self._running()
        self._begin()
        self._window += 1
        self._failure = None
        try:
            process.send({"do": "start", "window": self._window, "looked_at": looked_at(self._samples)})
        except LostError as lost:
            self._lose(lost)
        self._start_ns = self._clock()

    def stop(self) -> Trace:
        """End the window, read every source and fetch the ticks; a lost process is a failure in the trace's health."""
        end_ns = self._clock()
        self._end()
        cpu_s = None
        if self._process is not None:
            try:
                cpu_s = self._fetch(self._process, end_ns)
            except LostError as lost:
                self._lose(lost)
        return self._trace(end_ns, cpu_s, self._failure)

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def _running(self) -> SamplerProcess:
        if self._process is None or not self._process.usable:
            self.close()
            self._process = SamplerProcess(self._plan, self._clock)
        return self._process

    def _fetch(self, process: SamplerProcess, end_ns: int) -> float:
        """Take over the ticks of the window that has ended; returns the process's CPU seconds."""
        process.send({"do": "stop", "window": self._window, "end_ns": end_ns})
        answer = process.receive(self._patience_s)
        while answer["window"] != self._window:
            answer = process.receive(self._patience_s)  # of a window whose end was interrupted
        for source, t_ns, values, failures in answer["samples"]:
            self._samples.append(Sample(source, Moment.TICK, t_ns, values, failures))
        self._ticks_ns = list(answer["ticks_ns"])
        return float(answer["cpu_s"])

    def _lose(self, lost: LostError) -> None:
        self._process = None
        self._failure = f"the sampler was lost within the window: {lost}; what lies between its edges is unknown"
