"""Keeping the raw traces of a run, so that they can be stored, checked and replayed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leanner.meters.errors import MeterError
from leanner.meters.meter import Meter
from leanner.meters.meter import WindowKind
from leanner.meters.replay import ReplayMeter
from leanner.meters.stored import StoredCase
from leanner.meters.stored import StoredWindow
from leanner.meters.stored import write_traces
from leanner.meters.trace_files import trace_file


if TYPE_CHECKING:
    from leanner.meters.combine import Equipment
    from leanner.meters.reading import Reading


class RecordingMeter(Meter):
    """Passes everything on to ``meter`` and keeps the trace of each window.

    With a folder, the windows of a case are written when the next one begins or the meter
    is closed, and forgotten; a case that is begun again replaces its file. Windows of the
    session are kept and written with each case, so that a run that is killed loses those
    of one case at most.

    Args:
        meter: What measures.
        folder: Where to write; made if it is not there; ``None`` to write nothing.

    Raises:
        MeterError: ``meter`` replays a recording, which is no measurement to record.
        OSError: The folder cannot be made; also from what writes.
    """

    def __init__(self, meter: Meter, folder: Path | None = None) -> None:
        if folder is not None:
            if isinstance(meter, ReplayMeter):
                raise MeterError(
                    "expected meters to record, found a recording that is replayed; drop --leanner-record-meters or "
                    "--leanner-replay-meters"
                )
            folder.mkdir(parents=True, exist_ok=True)
        self._meter = meter
        self._folder = folder
        self._case: str | None = None
        self._windows: list[StoredWindow] = []
        self._session: list[StoredWindow] = []
        self._open: tuple[WindowKind, int, int | None] = ("round", 1, None)

    @property
    def equipment(self) -> Equipment:
        """What there is to measure with, and why the rest is missing."""
        return self._meter.equipment

    @property
    def recorded(self) -> StoredCase:
        """The windows of the case so far, or of the session where none has begun."""
        windows = self._session if self._case is None else self._windows
        return StoredCase(self._case, self.equipment, tuple(windows))

    def begin_case(self, name: str | None) -> None:
        """Write the case that ends here, and begin another."""
        self._write()
        self._case, self._windows = None, []
        self._meter.begin_case(name)
        self._case = name

    def start(self, kind: WindowKind = "round", *, rounds: int = 1, sentences: int | None = None) -> None:
        """Begin a window."""
        self._meter.start(kind, rounds=rounds, sentences=sentences)
        self._open = (kind, rounds, sentences)

    def stop(self) -> Reading:
        """End the window, keep its trace and return its reading."""
        reading = self._meter.stop()
        kind, rounds, sentences = self._open
        window = StoredWindow.of(reading, kind, rounds=rounds, sentences=sentences)
        (self._session if self._case is None else self._windows).append(window)
        return reading

    def cancel(self) -> None:
        """End the window, if one is open, without a reading or a trace."""
        self._meter.cancel()

    def close(self) -> None:
        """End what is open and write what is not written yet; may be called again."""
        try:
            self._meter.close()
        finally:
            self._write()

    def _write(self) -> None:
        if self._folder is None:
            return
        for case, windows in ((None, self._session), (self._case, self._windows)):
            if windows:
                path = trace_file(self._folder, self.equipment.device, case)
                write_traces(path, StoredCase(case, self.equipment, tuple(windows)))
