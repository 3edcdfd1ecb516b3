"""A comparison from names to outcome, and what it leaves in the store: what the command line and pytest share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Final

from leanner.compare.comparing import compare
from leanner.compare.control import control
from leanner.compare.outcome import Outcome
from leanner.compare.sides import BASELINE
from leanner.compare.store import digest_of
from leanner.compare.store import latest_level
from leanner.configurations import CONTROL


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.compare.comparison import Comparison
    from leanner.compare.comparison import Session
    from leanner.compare.control import Control
    from leanner.compare.sides import Sides
    from leanner.compare.store import Entry
    from leanner.compare.thresholds import Gates


FIRST: Final = "first run on this machine under these conditions"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Attributes:
        comparison: ``None`` where there was no baseline.
        stored: The entry of the new run; ``None`` if it was not to be stored.
        advice: What to do next, in a sentence; empty if nothing is to be done.
        control: The A/A control of the new run; ``None`` if it has none.
    """

    comparison: Comparison | None
    stored: Entry | None
    advice: str
    control: Control | None = None

    @property
    def exit_code(self) -> int:
        """0 if nothing is worse or removed, else 1."""
        return 0 if self.comparison is None else self.comparison.exit_code


def judge(sides: Sides, base: str, new: str, gates: Gates, *, across_machines: bool = False) -> Result:
    """Compare NEW with BASE.

    Held against ``baseline``, NEW is stored: as a session of the baseline if nothing changed, else beside it, as
    long as it is not accepted. Where there is no baseline, it becomes one.

    Raises:
        CannotCompareError: They cannot be compared, or one of them is not there.
        OSError: A run cannot be stored.
    """
    after = sides.alike(new, base)
    found = _judge(sides, base, new, after, gates, across_machines=across_machines)
    return replace(found, control=look(sides, after[-1].report, gates))


def look(sides: Sides, report: Report, gates: Gates) -> Control | None:
    """Return the A/A control of a run, beside those of the store; ``None`` if it has none.

    Raises:
        CannotCompareError: A stored run is broken.
    """
    stored = sides.all_like(report) if any(case.configuration == CONTROL for case in report.cases.values()) else []
    return control(report, stored, gates, lambda: sides.reader.documents(report))


def _judge(
    sides: Sides, base: str, new: str, after: Sequence[Session], gates: Gates, *, across_machines: bool
) -> Result:
    report = after[-1].report
    before = sides.several(base, report)
    if base == BASELINE and not before:
        return _first(sides, report, new)
    others = [session for session in before if not any(session.is_of(each) for each in after)]
    if base == BASELINE and not others:
        return Result(None, None, f"{new} is the baseline itself: nothing was compared")
    # who compares a run with itself by name gets what was asked for
    before = others or before
    comparison = compare(
        before,
        after,
        gates,
        lambda: sides.reader.documents(report),
        stored=sides.stored(report),
        across_machines=across_machines,
        marks=sides.reader.marks,
    )
    if base != BASELINE:
        return Result(comparison, None, "")
    return _keep(sides, comparison, report)


def _first(sides: Sides, report: Report, new: str) -> Result:
    count = len(sides.store.entries())
    entry = sides.store.accept(report, FIRST)
    beside = f"; {count} runs of other machines or conditions are stored, which say nothing of it" if count else ""
    return Result(None, entry, f"{FIRST}: {new} is stored as the baseline {entry.id}, nothing was compared{beside}")


def _keep(sides: Sides, comparison: Comparison, report: Report) -> Result:
    alike = sides.store.like(report)
    level = latest_level(alike)
    if kept := [entry for entry in alike if entry.level is not None and entry.sha256 == digest_of(report)]:
        # what was accepted stays so
        return Result(comparison, kept[0], "")
    if comparison.failing:
        entry = sides.store.add(report, None, Outcome.WORSE.value)
        advice = f'if that is meant: leanner accept {entry.id} --reason "…"'
    elif comparison.count(Outcome.BETTER):
        # its better numbers would blur what unchanged sessions look like
        entry = sides.store.add(report, None, Outcome.BETTER.value)
        advice = f'to guard what was gained: leanner accept {entry.id} --reason "…"'
    else:
        entry = sides.store.add(report, level, Outcome.SAME.value)
        advice = ""
    return Result(comparison, entry, advice)
