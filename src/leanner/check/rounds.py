"""Whether rounds are those that were planned, fill the windows of the stored traces, and leave no window out."""

from __future__ import annotations

import statistics

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.measure.plan import LEAST_ROUNDS
from leanner.measure.plan import MOST_ROUNDS
from leanner.measure.plan import MOST_WARMUP_ROUNDS
from leanner.measure.plan import PILOT_ROUNDS
from leanner.measure.plan import is_settled
from leanner.measure.plan import plan_of
from leanner.meters import least_window_s
from leanner.meters.clock import seconds
from leanner.report.problem import Problem


if TYPE_CHECKING:
    from leanner.measure.joules import Metered
    from leanner.meters.combine import Equipment
    from leanner.report.record import CaseRecord
    from leanner.types import Document


#: What a window may hold beside its rounds, in seconds: 0.05 ms a round were measured in one process, 0.3 ms where
#: the case has one of its own. Of a single window it may be more, since a process can be kept waiting.
_BESIDE_WINDOW_S: Final = 0.005
_BESIDE_ROUND_S: Final = 0.001
_PAUSE_S: Final = 0.1


def problems(
    equipment: Equipment,
    metered: Metered,
    record: CaseRecord,
    options: Mapping[str, Any],
    documents: Sequence[Document] | None,
) -> Iterator[Problem]:
    """Yield what is wrong with the rounds of a case; the places are within the record.

    Args:
        equipment: Of its traces.
        metered: Their windows.
        record: Of the case.
        options: Of the run.
        documents: That a round tags; ``None`` if they could not be had.
    """
    yield from _warmup(record)
    yield from _number(equipment, metered, record, options, documents)
    yield from _times(metered, record)
    if not is_replayed(record):
        yield from _pauses(metered, record)
        yield from _rivals(metered, record)


def is_replayed(record: CaseRecord) -> bool:
    """Whether the windows were measured when they were recorded, in another run than the rounds."""
    return record.energy is not None and record.energy.replayed


def warmup_of(record: CaseRecord) -> tuple[float, ...]:
    """Return the seconds of the warm-up that the number of rounds was planned from.

    Before it, all of the corpus is tagged once for the sake of F1, where rounds tag a part of it.
    """
    time, corpus = record.time, record.corpus
    if time is None:
        return ()
    return time.warmup_s[1:] if corpus is not None and time.sentences < corpus.sentences else time.warmup_s


def is_a_warmup(warmup_s: Sequence[float]) -> bool:
    """Whether a run can have warmed up so: a whole round, then as many as it takes to settle, within limits."""
    pilot_s = warmup_s[1:]
    if not PILOT_ROUNDS <= len(pilot_s) <= MOST_WARMUP_ROUNDS or min(warmup_s) <= 0.0:
        return False
    if any(is_settled(pilot_s[:number]) for number in range(PILOT_ROUNDS, len(pilot_s))):
        return False
    return is_settled(pilot_s) or len(pilot_s) == MOST_WARMUP_ROUNDS


def _warmup(record: CaseRecord) -> Iterator[Problem]:
    if record.time is not None and not is_a_warmup(warmup_of(record)):
        text = f"expected a whole round, then {PILOT_ROUNDS} to {MOST_WARMUP_ROUNDS}, no more than it takes to settle"
        yield Problem("time.warmup_s", f"{text}; found {len(record.time.warmup_s)} rounds")


def _number(
    equipment: Equipment,
    metered: Metered,
    record: CaseRecord,
    options: Mapping[str, Any],
    documents: Sequence[Document] | None,
) -> Iterator[Problem]:
    """Yield where there are more or fewer windows and rounds than planned: one may have been left out."""
    time, windows, per_window = record.time, len(metered.readings), metered.per_window
    if time is None:
        return
    if not time.rounds_s:
        if windows > 1:
            text = "expected the seconds of each round, since only without them there is a single window"
            yield Problem("time.rounds_s", f"{text}; found none beside {windows} windows")
        return
    found = f"found {per_window * windows} in {windows} stored windows"
    warmup_s = warmup_of(record)
    if documents is None or is_replayed(record) or not is_a_warmup(warmup_s):
        # Nothing tells it, or how short a window may be is a question of another machine.
        if not LEAST_ROUNDS <= windows <= MOST_ROUNDS:
            text = f"expected {LEAST_ROUNDS} to {MOST_ROUNDS} windows of {per_window} rounds"
            yield Problem("time.rounds_s", f"{text}; {found}")
        return
    if per_window > 1 and windows == LEAST_ROUNDS and "latencies" not in record.files:
        return  # as every plan was before leanner stored latencies
    plan = plan_of(
        warmup_s,
        documents,
        seconds=options["seconds"],
        precision_pct=options["precision_pct"],
        least_window_s=least_window_s(equipment),
    )
    if (plan.rounds, plan.rounds_per_window) != (per_window * windows, per_window):
        text = f"expected {plan.rounds} rounds, {plan.rounds_per_window} a window, as planned from time.warmup_s"
        yield Problem("time.rounds_s", f"{text} and the run's options; {found}")


def _times(metered: Metered, record: CaseRecord) -> Iterator[Problem]:
    """Yield rounds that do not fill their windows: their times are not those that were metered."""
    rounds_s = () if record.time is None else record.time.rounds_s
    per_window = metered.per_window
    if not rounds_s:
        return  # not timed
    expected = per_window * len(metered.readings)
    if len(rounds_s) != expected:
        text = f"expected {expected} rounds, {per_window} for each stored window; found {len(rounds_s)}"
        yield Problem("time.rounds_s", text)
        return
    if is_replayed(record):
        return
    most_s = _BESIDE_WINDOW_S + _BESIDE_ROUND_S * per_window
    beside_s = []
    for number, reading in enumerate(metered.readings):
        inside_s = sum(rounds_s[number * per_window : (number + 1) * per_window])
        beside_s.append(reading.window_s - inside_s)
        if not 0.0 <= beside_s[-1] <= most_s + _PAUSE_S:
            text = f"expected rounds that fill their window of {reading.window_s:.4f} s, found {inside_s:.4f} s"
            yield Problem(f"time.rounds_s[{number * per_window}]", text)
    if statistics.median(beside_s) > most_s:
        text = f"expected rounds that leave no more than {1000 * most_s:.0f} ms of their windows"
        yield Problem("time.rounds_s", f"{text}, found {1000 * statistics.median(beside_s):.1f} ms in the median")


def _pauses(metered: Metered, record: CaseRecord) -> Iterator[Problem]:
    """Yield pauses between windows in which another would fit: that of a slow round may have been taken out."""
    faster = record.speedup
    if faster is not None and faster.paired and len(faster.against_s) != len(metered.readings):
        return  # how long the baseline ran in between is unknown: another check's problem
    holes_s = [between_s - rivals_s for between_s, rivals_s in _between(metered, record)]
    if not holes_s:
        return
    most_s = statistics.median(holes_s) + max(_PAUSE_S, min(reading.window_s for reading in metered.readings))
    for number, hole_s in enumerate(holes_s, start=1):
        if hole_s > most_s:
            text = f"expected the next window within {most_s:.4f} s of the end of that of round {number}"
            yield Problem("files.traces", f"{text}, as after the others; found it after {hole_s:.4f} s")


def _rivals(metered: Metered, record: CaseRecord) -> Iterator[Problem]:
    """Yield windows of the baseline that are longer than the time between those of the case (``measure.timing``)."""
    for number, (between_s, inside_s) in enumerate(_between(metered, record)):
        if inside_s > max(0.0, between_s):
            text = f"expected windows that fit into the {between_s:.4f} s between those of the case"
            yield Problem(f"speedup.against_s[{number}]", f"{text}, found {inside_s:.4f} s")


def _between(metered: Metered, record: CaseRecord) -> Iterator[tuple[float, float]]:
    """Yield the seconds between successive windows, and those of the baseline's windows in between."""
    against_s = () if record.speedup is None else record.speedup.against_s
    traces = [reading.trace for reading in metered.readings]
    for number, (earlier, later) in enumerate(pairwise(traces)):
        # A B B A: both stand behind the first, third, … window of the case.
        rivals_s = sum(against_s[number : number + 2]) if number % 2 == 0 else 0.0
        yield seconds(later.start_ns - earlier.end_ns), rivals_s
