"""Who goes on to the next rung: decisions of a search that follow from what it has seen, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanner.measure.search.front import dominated
from leanner.measure.search.parts import ETA
from leanner.measure.search.parts import FINALISTS


if TYPE_CHECKING:
    from leanner.measure.search.trial import Trial


@dataclass(frozen=True, slots=True)
class Halving:
    """The end of a rung.

    Attributes:
        kept: Candidates of the next rung, in the order in which they are tried.
        out: The others, and why.
    """

    kept: tuple[str, ...]
    out: Mapping[str, str]


def halve(trials: Sequence[Trial], drop: float) -> Halving:
    """Keep a third of a rung's candidates, and not fewer than ``FINALISTS``.

    Successive halving (Jamieson and Talwalkar 2016, AISTATS, Non-stochastic Best Arm Identification and
    Hyperparameter Optimization, section 3: what looks worst is dropped, what is left gets more). There the loss is the
    aim, and the time the budget. Here the time is the aim and the loss a bound: who surely breaks it is out, who is
    clearly dominated too, and the others are ranked by speed, those first whose loss itself keeps within the bound.

    Args:
        trials: Of different candidates, all on the same text.
        drop: Loss of F1 that is allowed, in percentage points.
    """
    out: dict[str, str] = {}
    for trial in trials:
        loss = trial.loss
        if loss.points is None:
            out[trial.candidate] = loss.reason or "its loss of F1 is undefined"
        elif loss.low is not None and loss.low > drop:
            out[trial.candidate] = f"its loss is above {drop:g}: {loss.points:.2f}, and not less than {loss.low:.2f}"
    rest = [trial for trial in trials if trial.candidate not in out]
    for name, better in dominated(rest, clearly=True).items():
        out[name] = f"{better} is faster, and neither its loss nor its weights are larger"
    ranked = by_speed([trial for trial in rest if trial.candidate not in out], drop)
    keep = max(FINALISTS, -(-len(trials) // ETA))
    for trial in ranked[keep:]:
        what = f"a loss of {trial.loss.points:.2f}" if _above(trial.loss.points, drop) else "slower"
        out[trial.candidate] = f"{what}, and place for {keep} only"
    return Halving(tuple(trial.candidate for trial in ranked[:keep]), out)


def by_speed(trials: Sequence[Trial], drop: float) -> list[Trial]:
    """Return the fastest first, those whose loss is above the drop behind all others."""
    return sorted(trials, key=lambda trial: (_above(trial.loss.points, drop), -trial.speedup, trial.candidate))


def contenders(rungs: Sequence[Sequence[Trial]], drop: float) -> list[tuple[Trial, bool]]:
    """Return who may win, the first to be confirmed first, and whether its whole interval keeps within the drop.

    Those of the last rung come first, then those that got less far. Within a rung the fastest comes first of those
    whose interval keeps within the drop, then the fastest of those whose loss does.

    Args:
        rungs: Trials of each rung.
        drop: Loss of F1 that is allowed, in percentage points.
    """
    found: dict[str, tuple[Trial, bool]] = {}
    for trials in reversed(rungs):
        last = [trial for trial in trials if not _above(trial.loss.points, drop)]
        surely = [trial for trial in last if not _above(trial.loss.high, drop)]
        hardly = [trial for trial in last if _above(trial.loss.high, drop)]
        for sure, group in ((True, surely), (False, hardly)):
            for trial in by_speed(group, drop):
                found.setdefault(trial.candidate, (trial, sure))
    # Who was seen on more text and above the drop there is no contender for what it was on less.
    latest = {trial.candidate: trial for trials in rungs for trial in trials}
    return [entry for name, entry in found.items() if entry[0] is latest[name]]


def _above(loss: float | None, drop: float) -> bool:
    return loss is None or loss > drop
