"""Between the windows of a case as they were measured and as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from leanner.measure.joules import Metered
from leanner.measure.prefixes import Prefix
from leanner.meters import idle_of


if TYPE_CHECKING:
    from leanner.meters import Idle
    from leanner.meters import Reading
    from leanner.meters.combine import Equipment
    from leanner.meters.meter import WindowKind
    from leanner.meters.stored import StoredCase
    from leanner.meters.stored import StoredWindow


def metered_of(stored: StoredCase) -> Metered:
    """Compute all readings of a case anew from its traces.

    Raises:
        ValueError: It holds no window of rounds, or windows of different numbers of rounds.
    """
    rounds = _of_kind(stored, "round")
    numbers = {window.rounds for window in rounds}
    if len(numbers) != 1:
        raise ValueError(f"expected windows of equally many rounds, found {sorted(numbers) or 'none'}")
    equipment = stored.equipment
    return Metered(
        readings=[window.reading(equipment) for window in rounds],
        per_window=numbers.pop(),
        bare=_idle(stored, "idle-bare"),
        before=_idle(stored, "idle-before"),
        after=_idle(stored, "idle-after"),
        prefixes=[
            Prefix(window.sentences or 0, window.rounds, window.reading(equipment))
            for window in _of_kind(stored, "prefix")
        ],
    )


def as_measured(stored: StoredCase, windows: int) -> StoredCase:
    """Leave out what follows the measured windows of rounds: pytest-benchmark profiles a round that is none.

    Args:
        stored: All windows of a case.
        windows: How many of them, of rounds, were measured.
    """
    measured = _of_kind(stored, "round")[:windows]
    others = [window for window in stored.windows if window.kind != "round"]
    kept = {id(window) for window in (*measured, *others)}
    return replace(stored, windows=tuple(window for window in stored.windows if id(window) in kept))


def as_stored(metered: Metered, stored: StoredCase) -> Metered:
    """Return the windows with the readings that their stored traces give, where these were thinned.

    So what a record says always follows from what lies beside it.

    Args:
        metered: As they were measured.
        stored: As they are stored, see ``as_measured``.
    """
    rounds = _as_thinned(metered.readings, _of_kind(stored, "round"), stored.equipment)
    parts = _as_thinned([part.reading for part in metered.prefixes], _of_kind(stored, "prefix"), stored.equipment)
    return replace(
        metered,
        readings=rounds,
        bare=_rest_as_thinned(metered.bare, stored, "idle-bare"),
        before=_rest_as_thinned(metered.before, stored, "idle-before"),
        after=_rest_as_thinned(metered.after, stored, "idle-after"),
        prefixes=[replace(part, reading=reading) for part, reading in zip(metered.prefixes, parts, strict=True)],
    )


def _as_thinned(readings: Sequence[Reading], windows: Sequence[StoredWindow], equipment: Equipment) -> list[Reading]:
    return [
        reading if window.thinned_from is None else _keeping_doubts(window.reading(equipment), reading)
        for reading, window in zip(readings, windows, strict=True)
    ]


def _keeping_doubts(thinned: Reading, measured: Reading) -> Reading:
    """Return a reading with what is said of the one that it stands for: a replay adds to that."""
    return replace(
        thinned,
        quality=measured.quality,
        suspect=measured.suspect or thinned.suspect,
        replayed=measured.replayed,
    )


def _rest_as_thinned(rest: Idle | None, stored: StoredCase, kind: WindowKind) -> Idle | None:
    is_thinned = any(window.thinned_from is not None for window in _of_kind(stored, kind))
    thinned = _idle(stored, kind) if is_thinned else None
    if rest is None or thinned is None:
        return rest
    return replace(thinned, quality=rest.quality, suspect=rest.suspect or thinned.suspect)


def _of_kind(stored: StoredCase, kind: WindowKind) -> list[StoredWindow]:
    return [window for window in stored.windows if window.kind == kind]


def _idle(stored: StoredCase, kind: WindowKind) -> Idle | None:
    windows = _of_kind(stored, kind)
    return idle_of(windows[0].reading(stored.equipment), stored.equipment) if windows else None
