"""A comparison from names to outcome, and what it leaves in the store: what the command line and pytest share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Final

from leanner.compare.comparing import compare
from leanner.compare.conditions import differences
from leanner.compare.control import control
from leanner.compare.outcome import Outcome
from leanner.compare.sides import BASELINE
from leanner.compare.store import digest_of
from leanner.compare.store import latest_level
from leanner.compare.thresholds import gates as default_gates
from leanner.configurations import CONTROL


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.compare.comparison import Comparison
    from leanner.compare.comparison import Session
    from leanner.compare.control import Control
    from leanner.compare.sides import Sides
    from leanner.compare.store import Entry
    from leanner.compare.thresholds import Gates


FIRST: Final = "first run on this machine"
#: Outcomes of runs that were not judged: under other conditions than the baseline's, or without a cost to judge.
REFUSED: Final = "refused"
UNJUDGED: Final = "not judged"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Attributes:
        comparison: ``None`` where there was no baseline.
        stored: The entry of the new run; ``None`` if it was not to be stored.
        advice: What to do next, in a sentence; empty if nothing is to be done.
        control: The A/A control of the new run; ``None`` if it has none.
        refusal: Why the new run, which is stored, was not compared; empty if it was, or had nothing to be held against.
    """

    comparison: Comparison | None
    stored: Entry | None
    advice: str
    control: Control | None = None
    refusal: str = ""

    @property
    def exit_code(self) -> int:
        """That of the comparison; 0 where there was none to make, 2 where it was refused."""
        if self.refusal:
            return 2
        return 0 if self.comparison is None else self.comparison.exit_code


def judge(sides: Sides, base: str, new: str, gates: Gates, *, across_machines: bool = False) -> Result:
    """Compare NEW with BASE.

    Held against ``baseline``, NEW is stored: as a session of the baseline if nothing changed by these gates and by the
    default ones, else beside it, as long as it is not accepted. Where nothing of this machine is stored, it becomes
    the baseline; where this machine has a baseline, but under other conditions, NEW is stored beside it and refused.

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
    sides.reader.marks += [f"a stored run is left out: {each.text}" for each in sides.store.broken()]
    known = sides.of_same_hardware(report) if base == BASELINE and not before else None
    if base == BASELINE and not before and (known is None or not across_machines):
        return _first(sides, report, new, known)
    # what is measured under other conditions is compared, and no session of that baseline
    across = known is not None
    before = before if known is None else [known]
    others = [session for session in before if not any(session.is_of(each) for each in after)]
    if base == BASELINE and not others:
        return Result(None, None, f"{new} is the baseline itself: nothing was compared")
    # who compares a run with itself by name gets what was asked for
    before = others or before
    stored = sides.stored(report)

    def by(which: Gates) -> Comparison:
        return compare(
            before,
            after,
            which,
            lambda: sides.reader.documents(report),
            stored=stored,
            across_machines=across_machines,
            marks=sides.reader.marks,
        )

    comparison = by(gates)
    if base != BASELINE or across:
        return Result(comparison, None, "")
    usual = default_gates()
    # what a narrow or a loose gate lets pass is no session of the baseline yet
    return _keep(sides, report, comparison, comparison if gates == usual else by(usual))


def _first(sides: Sides, report: Report, new: str, known: Session | None) -> Result:
    if known is not None:
        entry = sides.store.add(report, None, REFUSED)
        unlike = "; ".join(differences(known.report, report)) or "it has cases on other devices"
        refusal = (
            f"expected a run under the conditions of the latest baseline of this machine, {known.name}, found another: "
            f"{unlike}; measure it alike, or, if that is meant: {_advice(entry)}, which opens a baseline of its own"
        )
        return Result(None, entry, "", refusal=refusal)
    count = len(sides.store.entries())
    entry = sides.store.accept(report, FIRST)
    notes = [f"{count} runs of other machines are stored, which say nothing of it"] if count else []
    notes += sides.reader.marks if sides.store.broken() else []
    beside = "".join(f"; {note}" for note in notes)
    return Result(None, entry, f"{FIRST}: {new} is stored as the baseline {entry.id}, nothing was compared{beside}")


def _keep(sides: Sides, report: Report, comparison: Comparison, usual: Comparison) -> Result:
    """Store a run by what came of it, by the gates asked for and by the default ones.

    A run that is kept already stays what it is: only ``accept`` takes it into a baseline.
    """
    alike = sides.store.like(report)
    both = (comparison, usual)
    kept = next((entry for entry in alike if entry.sha256 == digest_of(report)), None)
    if kept is not None and kept.level is not None:
        return Result(comparison, kept, "")
    outcome, advice, beside = Outcome.SAME.value, "", None
    if any(each.failing for each in both):
        outcome, advice = Outcome.WORSE.value, "if that is meant"
    elif any(each.unjudged for each in both):
        outcome, advice = UNJUDGED, "it is no session of the baseline; if it is to be one"
    elif any(each.count(Outcome.BETTER) for each in both):
        # its better numbers would blur what unchanged sessions look like
        outcome, advice = Outcome.BETTER.value, "to guard what was gained"
    elif pending := [change for each in both for change in each.pending]:
        names = ", ".join(dict.fromkeys(f"{each.configuration} {each.metric.name}" for each in pending))
        outcome, beside = Outcome.INCONCLUSIVE.value, latest_level(alike)
        advice = (
            f"beyond the gate, and too few sessions are stored to tell: {names}; it is no session of the baseline; if "
            "that is meant"
        )
    if kept is not None:
        return Result(comparison, kept, f"{advice or 'it lies beside the baseline; to move that'}: {_advice(kept)}")
    level = latest_level(alike) if outcome == Outcome.SAME.value else None
    entry = sides.store.add(report, level, outcome, beside=beside)
    return Result(comparison, entry, f"{advice}: {_advice(entry)}" if advice else "")


def _advice(entry: Entry) -> str:
    return f'leanner accept {entry.id} --reason "…"'
