"""Medians, percentiles, the location of few values, and the interval of a ratio of medians."""

from __future__ import annotations

import math

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.report.costs import Latency
from leanner.report.costs import Speedup


if TYPE_CHECKING:
    from numpy.typing import NDArray


#: One in so many medians may lie outside of its interval: 95 % do not.
_ONE_IN: Final = 20


def latency(milliseconds: Sequence[float]) -> Latency:
    """Return the percentiles (nearest rank, so that each is a latency that occurred)."""
    p50, p95, p99 = np.percentile(np.asarray(milliseconds), [50, 95, 99], method="higher")
    return Latency(p50=float(p50), p95=float(p95), p99=float(p99), sentences=len(milliseconds))


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return two of ``values`` that hold the median between them with at least 95 %.

    The narrowest pair of order statistics, as far from the lower as from the upper end, whatever
    the distribution (David and Nagaraja 2003, Order Statistics, section 7.1): ``X(r)`` and
    ``X(n + 1 - r)`` hold it with a probability of at least ``1 - 2 P(B < r)``, B binomial with n and 1/2.

    Returns:
        ``None`` with fewer than 6 values: even the smallest and the largest fall short of 95 % then.
    """
    number = len(values)
    rank = below = 0
    # In whole numbers, so that no rounding decides: 2 P(B <= rank) <= 1 / 20.
    while _ONE_IN * 2 * (below + math.comb(number, rank)) <= 2**number:
        below += math.comb(number, rank)
        rank += 1
    if rank == 0:
        return None
    ordered = sorted(values)
    return float(ordered[rank - 1]), float(ordered[number - rank])


def half_width_pct(values: Sequence[float]) -> float | None:
    """Return half the length of the median's 95 % interval in percent of the median; ``None`` without one."""
    interval = median_interval(values)
    if interval is None:
        return None
    return 50.0 * (interval[1] - interval[0]) / float(np.median(values))


def hodges_lehmann(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of the means of all pairs of values, each with itself among them.

    Of normal values it needs 1.05 times as many as a mean does for the same error, where a median needs 1.57 times;
    29 % of them may be anything (Hodges and Lehmann 1963, Estimates of Location Based on Rank Tests, Annals of
    Mathematical Statistics 34(2)).

    Args:
        values: *Shape:* ``(…, values)``

    Returns:
        *Shape:* ``(…)``
    """
    one, other = np.triu_indices(values.shape[-1])
    location: NDArray[np.float64] = np.median((values[..., one] + values[..., other]) / 2.0, axis=-1)
    return location


def speedup(
    baseline_s: Sequence[float], rounds_s: Sequence[float], *, against: str, resamples: int = 10_000, seed: int = 0
) -> Speedup:
    """Return the ratio of the median round times with a 95 % percentile-bootstrap interval.

    The rounds of both are resampled on their own (Efron and Tibshirani 1993, chapter 13).
    """
    rng = np.random.default_rng(seed)
    medians = [
        np.median(rng.choice(np.asarray(sample), size=(resamples, len(sample))), axis=1)
        for sample in (baseline_s, rounds_s)
    ]
    low, high = np.percentile(medians[0] / medians[1], [2.5, 97.5])
    value = float(np.median(baseline_s) / np.median(rounds_s))
    return Speedup(value=value, low=float(low), high=float(high), against=against)


def speedup_of_pairs(
    baseline_s: Sequence[float], rounds_s: Sequence[float], *, against: str, resamples: int = 10_000, seed: int = 0
) -> Speedup:
    """Return the median of the ratios of neighbours, with a 95 % percentile-bootstrap interval.

    Pairs are resampled whole: what slowed both does not count (Efron and Tibshirani 1993,
    chapter 8).

    Args:
        baseline_s: Seconds of each window of the baseline.
        rounds_s: Seconds of each window of the case, in the same order.
        against: Name of the baseline.
        resamples: Of the bootstrap.
        seed: Of its generator.

    Raises:
        ValueError: Not as many of one as of the other.
    """
    ratios = np.array([before / after for before, after in zip(baseline_s, rounds_s, strict=True)])
    drawn = np.random.default_rng(seed).choice(ratios, size=(resamples, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return Speedup(
        value=float(np.median(ratios)),
        low=float(low),
        high=float(high),
        against=against,
        paired=True,
        against_s=tuple(baseline_s),
    )


def by_window(rounds_s: Sequence[float], per_window: int) -> list[float]:
    """Return the seconds of each window of ``per_window`` rounds."""
    return [sum(rounds_s[start : start + per_window]) for start in range(0, len(rounds_s), per_window)]
