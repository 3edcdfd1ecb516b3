"""Readings from recorded traces, for a machine without meters."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from leanner.meters.errors import MeterError
from leanner.meters.errors import TraceFileError
from leanner.meters.meter import Meter
from leanner.meters.meter import WindowKind
from leanner.meters.stored import read_traces
from leanner.meters.trace_files import find_trace_files


if TYPE_CHECKING:
    from leanner.meters.combine import Equipment
    from leanner.meters.reading import Reading
    from leanner.meters.stored import StoredCase
    from leanner.meters.stored import StoredWindow


#: Rest that was measured for the whole session also stands for the rest of a case without its own.
_REST: Final[frozenset[WindowKind]] = frozenset({"idle-bare", "idle-before", "idle-after"})


class ReplayMeter(Meter):
    """Hands back what a ``RecordingMeter`` wrote, window by window, through the same arithmetic.

    A window is answered by the recorded ones of its case and kind, in their order, those of
    as many sentences if there are any. Where more are asked for than were recorded, they are
    used again from the first, which ``quality`` says. So it says where the recorded window
    held other work than the one that is asked for, and the reading is then ``suspect``.

    Args:
        folder: What ``--leanner-record-meters`` made.
        device: Torch device of the cases. If nothing was recorded on it, but on one other device, that is taken
            instead, and the readings are ``suspect``.

    Raises:
        MeterError: There is no recording in the folder, or none of the device.
        TraceFileError: A file is damaged.
    """

    def __init__(self, folder: Path, device: str) -> None:
        found = find_trace_files(folder)
        devices = sorted({recorded_on for recorded_on, _ in found})
        if not devices:
            raise MeterError(
                f"expected recorded meter traces in {folder}, found none; name the folder that a run with "
                "--leanner-record-meters made"
            )
        if device not in devices and len(devices) > 1:
            raise MeterError(
                f"expected meter traces recorded on {device} in {folder}, found those of {', '.join(devices)}; run on "
                "one of these, or record on this one"
            )
        self._folder = folder
        self._device = device
        self._recorded_on = device if device in devices else devices[0]
        self._files = {case: path for (recorded_on, case), path in found.items() if recorded_on == self._recorded_on}
        self._session = self._read(None) if None in self._files else None
        self._case: StoredCase | None = None
        # What the machine has must be known before the first case, too.
        self._first = self._session or self._read(next(iter(self._files)))
        self._used: dict[tuple[str | None, WindowKind, int | None], int] = {}
        self._open: _Recorded | None = None
        self._closed = False

    @property
    def equipment(self) -> Equipment:
        """What the case was recorded with."""
        return (self._case or self._first).equipment

    def begin_case(self, name: str | None) -> None:
        """Go to the first window of a recorded case.

        Raises:
            MeterError: The case was not recorded.
            TraceFileError: Its file is damaged.
        """
        if name is not None and name not in self._files:
            cases = ", ".join(sorted(case for case in self._files if case is not None)) or "no case"
            raise MeterError(
                f"expected a recording of {name} on {self._recorded_on} in {self._folder}, found {cases}; "
                "record it too, or leave it out (-k)"
            )
        self._case = None if name is None else self._read(name)
        self._used = {key: number for key, number in self._used.items() if key[0] is None}

    def start(self, kind: WindowKind = "round", *, rounds: int = 1, sentences: int | None = None) -> None:
        """Begin a window.

        Raises:
            MeterError: No window of this kind was recorded, one is open already, or the meter is closed.
        """
        if self._closed:
            raise MeterError("expected an open meter, found a closed one; open another ReplayMeter")
        if self._open is not None:
            raise MeterError("expected no open window, found one; call stop() before the next start()")
        stored = self._holding(kind)
        same_kind = [window for window in stored.windows if window.kind == kind]
        same_work = [window for window in same_kind if sentences is not None and window.sentences == sentences]
        windows = same_work or same_kind
        key = (stored.case, kind, sentences if same_work else None)
        used = self._used.get(key, 0)
        self._used[key] = used + 1
        window = windows[used % len(windows)]
        notes = [f"replayed from {self._files[stored.case].name}: {kind} {used % len(windows) + 1} of {len(windows)}"]
        if used >= len(windows):
            notes.append(f"a recorded {kind} is used again: this run has more of them than the recording")
        self._open = _Recorded(stored, window, notes, self._doubts(window, rounds, sentences))

    def stop(self) -> Reading:
        """End the window and return the reading of the recorded one.

        Raises:
            MeterError: There is none.
        """
        if self._open is None:
            raise MeterError("expected an open window, found none; call start() first")
        recorded, self._open = self._open, None
        reading = recorded.window.reading(recorded.stored.equipment)
        return replace(
            reading,
            quality=(*reading.quality, *recorded.notes, *recorded.doubts),
            suspect=reading.suspect or bool(recorded.doubts),
            replayed=self._files[recorded.stored.case].name,
        )

    def cancel(self) -> None:
        """End the window, if one is open; the next one is answered by the next recorded one."""
        self._open = None

    def close(self) -> None:
        """End what is open; may be called again."""
        self.cancel()
        self._closed = True

    def _holding(self, kind: WindowKind) -> StoredCase:
        """Return what holds windows of ``kind``: the case; for rest, or outside of a case, the session."""
        within = [self._case, self._session if self._case is None or kind in _REST else None]
        there = [stored for stored in within if stored is not None]
        for stored in there:
            if any(window.kind == kind for window in stored.windows):
                return stored
        case = "outside of a case" if self._case is None else f"for case {self._case.case}"
        kinds = ", ".join(dict.fromkeys(window.kind for stored in there for window in stored.windows)) or "no window"
        raise MeterError(
            f"expected a recorded window of kind {kind} {case} on {self._recorded_on} in {self._folder}, "
            f"found {kinds}; record again with the options of this run"
        )

    def _doubts(self, window: StoredWindow, rounds: int, sentences: int | None) -> list[str]:
        doubts: list[str] = []
        if self._recorded_on != self._device:
            doubts.append(f"recorded on {self._recorded_on} and replayed for {self._device}")
        if window.rounds != rounds:
            doubts.append(f"the recorded window holds {window.rounds} rounds, that of this run {rounds}")
        if None not in (window.sentences, sentences) and window.sentences != sentences:
            doubts.append(f"the recorded round tagged {window.sentences} sentences, that of this run {sentences}")
        return doubts

    def _read(self, case: str | None) -> StoredCase:
        path = self._files[case]
        stored = read_traces(path)
        if (stored.case, stored.equipment.device) != (case, self._recorded_on):
            raise TraceFileError(
                f"{path}:1: expected the traces of {case or 'the session'} on {self._recorded_on}, as the file is "
                f"called, found those of {stored.case or 'the session'} on {stored.equipment.device}; give it its old "
                "name back"
            )
        return stored


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A recorded window that answers the open one, what to say of it, and what puts it in doubt."""

    stored: StoredCase
    window: StoredWindow
    notes: list[str]
    doubts: list[str]
