"""Which candidates no other one is better than: the Pareto front over loss of F1, time and weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leanner.report import pareto


if TYPE_CHECKING:
    from leanner.measure.search.trial import Trial


def dominates(one: Trial, other: Trial, *, clearly: bool = False) -> bool:
    """Return whether ``one`` is nowhere worse than ``other``, and somewhere better.

    Args:
        one: With a loss.
        other: With a loss.
        clearly: Whether it must be faster too, its slowest pair of rounds than the fastest one of ``other``: a few
            rounds tell no small differences.
    """
    return pareto.dominates(_costs(one), _costs(other)) and (not clearly or one.speedup_low > other.speedup_high)


def dominated(trials: Sequence[Trial], *, clearly: bool = False) -> dict[str, str]:
    """Return the dominated candidates, and for each the fastest that dominates it.

    Args:
        trials: Of different candidates, all with a loss.
        clearly: As in ``dominates``.
    """
    fastest_first = sorted(trials, key=lambda trial: -trial.speedup)
    found: dict[str, str] = {}
    for trial in trials:
        better = next((each for each in fastest_first if dominates(each, trial, clearly=clearly)), None)
        if better is not None:
            found[trial.candidate] = better.candidate
    return found


def _costs(trial: Trial) -> tuple[float, float, float]:
    assert trial.loss.points is not None
    return trial.loss.points, 1 / trial.speedup, trial.weights_mb
