"""The meter of a run: windows, one after the other, each with its reading."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from typing import Literal
from typing import Protocol
from typing import Self

from leanner.meters.combine import Equipment
from leanner.meters.combine import combine
from leanner.meters.errors import MeterError
from leanner.meters.plugged import PluggedWindow
from leanner.meters.plugged import PlugIn
from leanner.meters.plugged import with_plugged


if TYPE_CHECKING:
    from leanner.meters.cuda import CudaHooks
    from leanner.meters.nvml import Nvml
    from leanner.meters.reading import Reading
    from leanner.meters.sampling import Sampler


#: What a window holds: rest (before anything is loaded; with the tagger loaded, before and after the rounds), a round
#: that warms up, a round, one of the baseline between those of a case, one over the first sentences alone, or requests
#: that arrive at a rate.
WindowKind = Literal["idle-bare", "idle-before", "idle-after", "warmup", "round", "baseline-round", "prefix", "rate"]


class Window:
    """One metered stretch; has its reading once it has ended."""

    def __init__(self) -> None:
        self._reading: Reading | None = None

    @property
    def reading(self) -> Reading:
        """What was measured.

        Raises:
            MeterError: The window has not ended.
        """
        if self._reading is None:
            raise MeterError("expected a window that has ended; read it after the `with` block")
        return self._reading


class Meter(Protocol):
    """Measures windows, one after the other: by meters (``EnergyMeter``) or from a recording (``ReplayMeter``).

    Use it as a context manager, or call ``close``. Windows neither nest nor overlap.
    """

    @property
    def equipment(self) -> Equipment:
        """What there is to measure with, and why the rest is missing."""
        ...

    def begin_case(self, name: str | None) -> None:
        """Say to which case the windows from now on belong; ``None`` for those of the whole session."""
        ...

    def start(self, kind: WindowKind = "round", *, rounds: int = 1, sentences: int | None = None) -> None:
        """Begin a window.

        Args:
            kind: What it will hold.
            rounds: How many of them.
            sentences: Sentences that each of them tags.

        Raises:
            MeterError: One is open already, or the meter is closed.
        """
        ...

    def stop(self) -> Reading:
        """End the window and return its reading.

        Raises:
            MeterError: There is none, or it has no reading.
        """
        ...

    def cancel(self) -> None:
        """End the window, if one is open, without a reading."""
        ...

    def close(self) -> None:
        """End what is open; may be called again."""
        ...

    @contextmanager
    def window(self, kind: WindowKind = "round", *, rounds: int = 1, sentences: int | None = None) -> Iterator[Window]:
        """Measure the ``with`` block; if it raises, there is no reading."""
        window = Window()
        self.start(kind, rounds=rounds, sentences=sentences)
        try:
            yield window
        except BaseException as error:
            try:
                self.cancel()
            except MeterError as second:
                error.add_note(f"besides: {second}")
            raise
        window._reading = self.stop()  # noqa: SLF001 - set here and nowhere else

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EnergyMeter(Meter):
    """Measures windows with what ``open_meter`` found.

    No signal handler, no global state, no thread; the sampler starts with the first window
    and lives until ``close``.

    Args:
        equipment: What there is to measure with.
        sampler: Takes the samples.
        cuda: Callables of the CUDA device.
        nvml: What is shut down at the end.
        plugged: Meters from outside, see ``plugged``.
    """

    def __init__(
        self,
        equipment: Equipment,
        sampler: Sampler,
        *,
        cuda: CudaHooks | None = None,
        nvml: Nvml | None = None,
        plugged: Sequence[PlugIn] = (),
    ) -> None:
        self._equipment = equipment
        self._sampler = sampler
        self._cuda = cuda
        self._nvml = nvml
        self._plugged = PluggedWindow(plugged, equipment.device)
        self._under_way = False
        self._closed = False

    @property
    def equipment(self) -> Equipment:
        """What there is to measure with, and why the rest is missing."""
        return self._equipment

    def begin_case(self, name: str | None) -> None:
        """Do nothing: a measurement is the same in every case."""

    def start(
        self,
        kind: WindowKind = "round",  # noqa: ARG002 - a measurement is the same for every kind
        *,
        rounds: int = 1,  # noqa: ARG002 - and for every number of rounds
        sentences: int | None = None,  # noqa: ARG002 - and of sentences
    ) -> None:
        """Begin a window.

        Raises:
            MeterError: One is open already, the meter is closed, or its sampler cannot be started.
        """
        if self._closed:
            raise MeterError("expected an open meter, found a closed one; open another with open_meter()")
        if self._under_way:
            raise MeterError("expected no open window, found one; call stop() before the next start()")
        if self._cuda is not None:
            self._cuda.synchronize()
            self._cuda.reset_peak()
        self._plugged.enter()
        try:
            self._sampler.start()
        except BaseException:
            self._plugged.exit()
            raise
        self._under_way = True

    def stop(self) -> Reading:
        """End the window and return its reading.

        Raises:
            MeterError: There is none.
        """
        if not self._under_way:
            raise MeterError("expected an open window, found none; call start() first")
        self._under_way = False
        try:
            if self._cuda is not None:
                self._cuda.synchronize()
        finally:
            try:
                trace = self._sampler.stop()
            finally:
                self._plugged.exit()
        peak_b = None if self._cuda is None else self._cuda.peak_allocated_b()
        return with_plugged(combine(self._equipment, trace, peak_b), self._plugged.joules())

    def cancel(self) -> None:
        """End the window, if one is open, without a reading."""
        if not self._under_way:
            return
        self._under_way = False
        try:
            self._sampler.stop()
        finally:
            self._plugged.exit()

    def close(self) -> None:
        """End what is open; may be called again."""
        try:
            self.cancel()
        finally:
            try:
                self._sampler.close()
            finally:
                closed, self._closed = self._closed, True
                if self._nvml is not None and not closed:
                    self._nvml.close()
