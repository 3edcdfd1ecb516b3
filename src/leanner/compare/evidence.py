"""What speaks for a change: its size, its interval and a p-value, and what these rest on."""

from __future__ import annotations

import math

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from scipy import stats

from leanner.compare.metrics import Kind
from leanner.compare.spread import MIN_SESSIONS
from leanner.measure.statistics import speedup


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.compare.metrics import Metric
    from leanner.report.costs import Energy
    from leanner.report.costs import Marginal
    from leanner.report.record import CaseRecord


#: The chance that anything at all among the gated metrics is called worse or better when nothing changed.
ALPHA: Final = 0.05
#: The same between sessions where the baseline is one: half of it, one in a hundred, is on the side that is worse.
ALPHA_ALONE: Final = 0.02
#: Rounds that each side must have.
MIN_ROUNDS: Final = 10
#: What numbers that a session has one of are taken to scatter by between sessions, as long as too few are stored to
#: know: about what they did on the least quiet machine that was measured (docs/results/aa.md).
ASSUMED_SPREAD: Final = {"host": 0.05, "vram": 0.05, "p99": 0.2, "estimate": 0.2}
#: Half-widths of normal intervals with 95 % are so many standard deviations.
_NORMAL: Final = float(stats.norm.isf(0.025))


class Basis(StrEnum):
    """What the error of a change was estimated from."""

    SESSIONS = "between sessions"
    WITHIN = "within-session only"
    ARTICLES = "articles"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A change, and how sure it is.

    Attributes:
        before: The baseline's value.
        after: The new one.
        worse_by: What it got worse by, in the metric's unit; negative is better.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p: Of no change, two-sided; ``None`` where it is not to be had.
        basis: What interval and p rest on.
        reason: Why there is no p.
        units: Of what more would narrow the interval: rounds, sessions, articles.
        number: How many of them there were, as a sum of reciprocals would count them: those of each side.
        alpha: That the adjusted p must be below.
    """

    before: float
    after: float
    worse_by: float
    low: float | None
    high: float | None
    p: float | None
    basis: Basis
    reason: str | None = None
    units: str = "sessions"
    number: float = 1.0
    alpha: float = ALPHA


@dataclass(frozen=True, slots=True)
class CaseSpread:
    """Spread of one case's metric between sessions; see ``Spread``."""

    variance: float
    freedom: float
    sessions: int

    @property
    def is_known(self) -> bool:
        """Whether there are enough sessions to use it."""
        return self.sessions >= MIN_SESSIONS and self.freedom > 0


def critical(before: int) -> float:
    """Return what an adjusted p between sessions must be below, with so many ``before``.

    Half of a change is then the baseline's own, and the threshold guards less: tables of one session against one
    alarmed at close to the rule's own rate.
    """
    return ALPHA_ALONE if before == 1 else ALPHA


def of_sessions(
    change: NDArray[np.float64] | float,
    variance: NDArray[np.float64] | float,
    freedom: NDArray[np.float64] | float,
    before: int,
    after: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return p, two-sided, of no change, and the half-width of the change's 95 % interval.

    Student's t with sessions as units: ``change`` is the difference of the mean logarithms of ``before`` and ``after``
    sessions, each of ``variance``.
    """
    error = np.sqrt(np.asarray(variance) * (1.0 / before + 1.0 / after))
    size = np.abs(np.asarray(change, dtype=np.float64))
    # Sessions that are equal to the last bit: any change is one.
    t = np.divide(size, error, out=np.where(size > 0.0, np.inf, 0.0), where=error > 0.0)
    p: NDArray[np.float64] = 2.0 * stats.t.sf(t, freedom)
    half: NDArray[np.float64] = stats.t.isf(0.025, freedom) * error
    return p, half


def of_rounds(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p, two-sided, that rounds of two sessions come from one distribution.

    Mann and Whitney 1947, On a Test of Whether One of Two Random Variables Is Stochastically Larger than the Other,
    Annals of Mathematical Statistics 18(1); normal approximation, with the correction for ties.

    Args:
        before: Seconds. *Shape:* ``(…, rounds)``
        after: Likewise, perhaps with another number of rounds.
    """
    p: NDArray[np.float64] = stats.mannwhitneyu(before, after, axis=-1, method="asymptotic").pvalue
    return p


def of_costs(
    metric: Metric,
    before: Sequence[CaseRecord],
    after: Sequence[CaseRecord],
    between: CaseSpread | None,
    *,
    interval: bool = True,
) -> Evidence:
    """Return the evidence for a change of a cost.

    Where the spread between sessions is known, it takes part: p is then the larger of that between sessions and that
    within them (intersection-union test: a change must be seen in both, Berger 1982, Multiparameter Hypothesis Testing
    and Acceptance Sampling, Technometrics 24(4)).

    Args:
        metric: Any but F1.
        before: Sessions of the baseline; all have the metric.
        after: Sessions to compare with them; likewise.
        between: Spread of the case between sessions; ``None`` where none is stored.
        interval: Whether the interval of rounds is computed, which takes most of the time.
    """
    values = [[_value(metric, record) for record in side] for side in (before, after)]
    if metric.kind is Kind.EXACT:
        # Held against the session that was accepted: many small changes are then a large one.
        return _exact(values[0][0], values[1][-1])
    if min(map(min, values)) <= 0.0:
        return _without_ratio(metric, values[0][-1], values[1][-1])
    known = between is not None and between.is_known
    logarithm = metric.logarithm if known else lambda record: math.log(_value(metric, record))
    means = [float(np.mean([logarithm(record) for record in side])) for side in (before, after)]
    start, change = math.exp(means[0]), means[1] - means[0]
    if metric.kind is Kind.SINGLE:
        low, high, p, reason = _assumed(metric, len(before), len(after), change)
    else:
        low, high, p, reason = _WITHIN[metric.kind](before, after, change)
    units, number, basis, alpha = ("rounds", _rounds(before, after), Basis.WITHIN, ALPHA)
    if between is not None and between.is_known:
        across, half = of_sessions(change, between.variance, between.freedom, len(before), len(after))
        alpha = critical(len(before))
        if metric.kind is Kind.SINGLE:
            p, reason = float(across), None
        elif p is not None:
            p = max(p, float(across))
        low, high = change - float(half), change + float(half)
        units, number, basis = "sessions", 2.0 / (1.0 / len(before) + 1.0 / len(after)), Basis.SESSIONS
    elif interval and metric.kind is Kind.ROUNDS:
        low, high = _ratio(before, after)
    return Evidence(
        before=start,
        after=math.exp(means[1]),
        worse_by=start * math.expm1(change),
        low=None if low is None else start * math.expm1(low),
        high=None if high is None else start * math.expm1(high),
        p=p,
        basis=basis,
        reason=reason,
        units="sessions" if metric.kind is Kind.SINGLE else units,
        number=2.0 / (1.0 / len(before) + 1.0 / len(after)) if metric.kind is Kind.SINGLE else number,
        alpha=alpha,
    )


def _exact(before: float, after: float) -> Evidence:
    """Return a change of what has no error: bytes that were counted."""
    change = after - before
    return Evidence(before, after, change, change, change, 0.0 if change else 1.0, Basis.EXACT)


def _without_ratio(metric: Metric, before: float, after: float) -> Evidence:
    """Return a change of what should be positive and is not, as a slope within its noise may be."""
    reason = f"{metric.name} is not positive on both sides: no ratio tells what changed"
    return Evidence(before, after, after - before, None, None, None, Basis.WITHIN, reason)


_Found = tuple[float | None, float | None, float | None, str | None]


def _seconds(before: Sequence[CaseRecord], after: Sequence[CaseRecord], change: float) -> _Found:
    """Compare rounds by Mann and Whitney's test; the interval takes longer, and is not needed with stored sessions."""
    del change
    old, new = _pooled(before), _pooled(after)
    if min(len(old), len(new)) < MIN_ROUNDS:
        return None, None, None, f"expected {MIN_ROUNDS} rounds or more, found {len(old)} and {len(new)}"
    return None, None, float(of_rounds(old, new)), None


def _ratio(before: Sequence[CaseRecord], after: Sequence[CaseRecord]) -> tuple[float, float]:
    """Return the percentile-bootstrap interval of the logarithm of the ratio of median rounds."""
    ratio = speedup(_pooled(after).tolist(), _pooled(before).tolist(), against="baseline")
    return math.log(ratio.low), math.log(ratio.high)


def _pooled(side: Sequence[CaseRecord]) -> NDArray[np.float64]:
    return np.array([seconds for record in side if record.time is not None for seconds in record.time.rounds_s])


def _joules(before: Sequence[CaseRecord], after: Sequence[CaseRecord], change: float) -> _Found:
    """Compare joules by what does not cancel on one device (docs/metering.md, the rule), both sides in quadrature."""
    sides = [[relative_sd(record.energy) for record in side if record.energy is not None] for side in (before, after)]
    errors = [[error for error in side if error is not None] for side in sides]
    if any(len(known) < len(side) for known, side in zip(errors, sides, strict=True)):
        return None, None, None, "the random part of the joules is unknown"
    variance = sum(sum(error**2 for error in side) / len(side) ** 2 for side in errors)
    return _normal(change, math.sqrt(variance))


def _line(before: Sequence[CaseRecord], after: Sequence[CaseRecord], change: float) -> _Found:
    """Compare slopes by their t intervals."""
    lines = [[r.energy.marginal for r in side if r.energy and r.energy.marginal] for side in (before, after)]
    variance = sum(sum(_slope_sd(line) ** 2 for line in side) / len(side) ** 2 for side in lines)
    return _normal(change, math.sqrt(variance))


def _assumed(metric: Metric, before: int, after: int, change: float) -> _Found:
    """Compare what a session has one number of by a spread that is taken for granted until it is known."""
    return _normal(change, ASSUMED_SPREAD[metric.name] * math.sqrt(1.0 / before + 1.0 / after))


_WITHIN: Final = {Kind.ROUNDS: _seconds, Kind.JOULES: _joules, Kind.LINE: _line}


def _normal(change: float, error: float) -> _Found:
    if not error > 0.0:
        return None, None, None, "the random part of its error is not known, or none at all"
    return change - _NORMAL * error, change + _NORMAL * error, 2.0 * float(stats.norm.sf(abs(change) / error)), None


def relative_sd(energy: Energy) -> float | None:
    """Return the larger of the sensors' random part and of what the windows scatter, over the joules."""
    if energy.random_pct is None or not energy.total_j:
        return None
    sensors = energy.random_pct / 100.0 / _NORMAL
    windows = [joules for joules in energy.rounds_j if joules is not None]
    if len(windows) < 2:
        return sensors
    sum_half = float(stats.t.isf(0.025, len(windows) - 1) * np.std(windows, ddof=1) * math.sqrt(len(windows)))
    return max(sensors, sum_half / _NORMAL / energy.total_j)


def _slope_sd(line: Marginal) -> float:
    half = (line.per_1000_sentences_high_j - line.per_1000_sentences_low_j) / 2.0
    return half / float(stats.t.isf(0.025, len(line.points) - 2)) / line.per_1000_sentences_j


def _rounds(before: Sequence[CaseRecord], after: Sequence[CaseRecord]) -> float:
    return 2.0 / sum(1.0 / max(len(_pooled(side)), 1) for side in (before, after))


def _value(metric: Metric, record: CaseRecord) -> float:
    value = metric.value(record)
    assert value is not None
    return value
