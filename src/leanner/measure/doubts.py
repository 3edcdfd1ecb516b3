"""What a reader must know of the windows of a case, those at rest and over parts of the corpus included."""

from __future__ import annotations

import re

from collections.abc import Collection
from collections.abc import Sequence
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from leanner.measure.joules import Metered
    from leanner.meters import Idle
    from leanner.meters import Reading


def is_suspect(metered: Metered) -> bool:
    """Return whether joules of the case are in doubt: of rounds, of the rest in their net, or of prefixes."""
    rest = [idle for idle in (metered.before, metered.after) if idle is not None]
    windows: list[Reading | Idle] = [*metered.readings, *rest, *(part.reading for part in metered.prefixes)]
    return any(window.suspect for window in windows)


def notes_of(metered: Metered) -> list[str]:
    """Return what the windows note, once for each kind of note, with how many of the windows have it.

    What all rounds note is said once, and not of the other windows again.
    """
    readings = metered.readings
    of_all = set(readings[0].quality).intersection(*(reading.quality for reading in readings))
    rest = [idle for idle in (metered.bare, metered.before, metered.after) if idle is not None]
    return [
        *_by_window(readings),
        *(f"at rest: {note}" for note in _by_window(rest, of_all)),
        *(f"prefix: {note}" for note in _by_window([part.reading for part in metered.prefixes], of_all)),
    ]


def _by_window(windows: Sequence[Reading | Idle], said: Collection[str] = ()) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for window in windows:
        for note in window.quality:
            if note not in said:
                kinds.setdefault(re.sub(r"[0-9.]+", "#", note), []).append(note)
    return [
        notes[0]
        if len(notes) == len(windows) and len(set(notes)) == 1
        else f"{max(notes)} ({len(notes)} of {len(windows)} windows)"
        for notes in kinds.values()
    ]
