"""The device that cases run on, with its meter, and what it draws and holds at rest."""

from __future__ import annotations

import importlib

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from leanner.measure.floor import Held
from leanner.measure.floor import held
from leanner.meters import Idle
from leanner.meters import RecordingMeter
from leanner.meters import ReplayMeter
from leanner.meters import cuda_hooks
from leanner.meters import least_window_s
from leanner.meters import measure_idle
from leanner.meters import open_meter


if TYPE_CHECKING:
    from leanner.meters import CudaHooks
    from leanner.meters import Meter
    from leanner.meters.meter import WindowKind
    from leanner.meters.stored import StoredCase
    from leanner.meters.stored import StoredWindow
    from leanner.options import Options
    from leanner.taggers.protocol import Tagger


@dataclass(slots=True)
class Machine:
    """A device, its meter and its environment.

    Attributes:
        device: Torch device.
        options: How to measure.
        environment: For the record.
        meter: Meters the windows of all cases, and keeps their traces.
        bare: Power at rest before anything was loaded; ``None`` where it is not measured.
    """

    device: str
    options: Options
    environment: Mapping[str, Any]
    meter: RecordingMeter
    bare: Idle | None = None
    _bare_windows: tuple[StoredWindow, ...] = ()
    _first: Held | None = None
    _weights_sha256: str | None = None

    @classmethod
    def open(cls, options: Options, device: str, environment: Mapping[str, Any]) -> Machine:
        """Open the meter of ``device``.

        Raises:
            MeterError: It cannot be metered as the options ask.
        """
        return cls(device, options, environment, _recording(options, _meter(options, device)))

    @property
    def lock_name(self) -> str:
        """What is locked: the CPU, or the GPU by its UUID where it is known."""
        gpu = self.meter.equipment.gpu
        return "cpu" if self.device == "cpu" else self.device.replace(":", "-") if gpu is None else gpu.uuid

    @property
    def least_window_s(self) -> float:
        """Shortest window whose joules can be told."""
        return least_window_s(self.meter.equipment)

    @property
    def first(self) -> Held:
        """What is held before the first case, CUDA's context included."""
        if self._first is None:
            if self.device != "cpu":
                torch = importlib.import_module("torch")
                torch.zeros(1, device=self.device)
            self._first = held(self.device)
        return self._first

    def rest_bare(self) -> None:
        """Measure the power at rest before anything is loaded; call it first."""
        self.bare = self.rest("idle-bare")
        self._bare_windows = self.meter.recorded.windows

    def rest(self, kind: WindowKind) -> Idle | None:
        """Measure the power at rest; ``None`` where the device that does the work has no meter."""
        works = "gpu" if self.meter.equipment.on_gpu else "cpu_package"
        if self.options.idle_s == 0 or works in self.meter.equipment.missing():
            return None
        if self.options.replay_meters is not None:
            return measure_idle(self.meter, self.options.idle_s, _not_at_all, kind=kind)
        return measure_idle(self.meter, self.options.idle_s, kind=kind)

    def stored(self) -> StoredCase:
        """Return the windows of the case so far as they are stored, rest before anything was loaded included."""
        case = self.meter.recorded
        return replace(case, windows=(*self._bare_windows, *case.windows)).thinned()

    def weights_sha256(self, load: Callable[[], Tagger]) -> str:
        """Return the digest of the tagger's weights; it is loaded once for it."""
        if self._weights_sha256 is None:
            self._weights_sha256 = load().weights_sha256
        return self._weights_sha256

    def close(self) -> None:
        """Close the meter."""
        self.meter.close()


def _meter(options: Options, device: str) -> Meter:
    if options.replay_meters is not None:
        return ReplayMeter(Path(options.replay_meters), device)
    return open_meter(
        options.energy,
        device,
        interval_s=options.interval_s,
        watts_per_core=options.watts_per_core,
        cuda=_late_cuda(device),
    )


def _recording(options: Options, meter: Meter) -> RecordingMeter:
    return RecordingMeter(meter, None if options.record_meters is None else Path(options.record_meters))


def _late_cuda(device: str) -> CudaHooks | None:
    return cuda_hooks(importlib.import_module("torch"), device)


def _not_at_all(seconds: float) -> None:
    """Rest that was recorded needs no time."""
    del seconds
