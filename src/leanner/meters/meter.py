"""The meter of a run: windows, one after the other, each with its reading."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from typing import Self

from leanner.meters.clock import Clock
from leanner.meters.clock import monotonic_ns
from leanner.meters.combine import Equipment
from leanner.meters.combine import combine
from leanner.meters.errors import MeterError
from leanner.meters.sampler import Sampler
from leanner.meters.sampler import SamplerFactory
from leanner.meters.sampler import Source
from leanner.meters.sampler import ThreadSampler


if TYPE_CHECKING:
    from leanner.meters.cuda import CudaHooks
    from leanner.meters.nvml import Nvml
    from leanner.meters.reading import Reading


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


class EnergyMeter:
    """Measures windows with what ``open_meter`` found.

    Use it as a context manager, or call ``close``. Windows neither nest nor overlap.
    No signal handler, no global state; the sampler lives as long as a window.

    Attributes:
        equipment: What there is to measure with, and why the rest is missing.
    """

    def __init__(
        self,
        equipment: Equipment,
        sources: Sequence[Source],
        *,
        interval_s: float = 0.1,
        clock: Clock = monotonic_ns,
        sampler: SamplerFactory = ThreadSampler,
        cuda: CudaHooks | None = None,
        nvml: Nvml | None = None,
    ) -> None:
        self.equipment = equipment
        self._sources = tuple(sources)
        self._interval_s = interval_s
        self._clock = clock
        self._make_sampler = sampler
        self._cuda = cuda
        self._nvml = nvml
        self._sampler: Sampler | None = None
        self._closed = False

    def start(self) -> None:
        """Begin a window.

        Raises:
            MeterError: One is open already, or the meter is closed.
        """
        if self._closed:
            raise MeterError("expected an open meter, found a closed one; open another with open_meter()")
        if self._sampler is not None:
            raise MeterError("expected no open window, found one; call stop() before the next start()")
        sampler = self._make_sampler(self._sources, self._interval_s, self._clock)
        if self._cuda is not None:
            self._cuda.synchronize()
            self._cuda.reset_peak()
        sampler.start()
        self._sampler = sampler

    def stop(self) -> Reading:
        """End the window and return its reading.

        Raises:
            MeterError: There is none, or its sampler failed.
        """
        if self._sampler is None:
            raise MeterError("expected an open window, found none; call start() first")
        sampler, self._sampler = self._sampler, None
        try:
            if self._cuda is not None:
                self._cuda.synchronize()
        finally:
            trace = sampler.stop()
        peak_b = None if self._cuda is None else self._cuda.peak_allocated_b()
        return combine(self.equipment, trace, peak_b)

    def cancel(self) -> None:
        """End the window, if one is open, without a reading."""
        sampler, self._sampler = self._sampler, None
        if sampler is not None:
            sampler.stop()

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Measure the ``with`` block; if it raises, there is no reading."""
        window = Window()
        self.start()
        try:
            yield window
        except BaseException as error:
            try:
                self.cancel()
            except MeterError as second:
                error.add_note(f"besides: {second}")
            raise
        window._reading = self.stop()  # noqa: SLF001 - set here and nowhere else

    def close(self) -> None:
        """End what is open; may be called again."""
        try:
            self.cancel()
        finally:
            if self._nvml is not None and not self._closed:
                self._nvml.close()
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
