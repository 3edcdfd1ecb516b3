"""Medians, percentiles and the interval of a ratio of medians."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leanner.report.record import Latency
from leanner.report.record import Speedup


def latency(milliseconds: Sequence[float]) -> Latency:
    """Return the percentiles (nearest rank, so that each is a latency that occurred)."""
    p50, p95, p99 = np.percentile(np.asarray(milliseconds), [50, 95, 99], method="higher")
    return Latency(p50=float(p50), p95=float(p95), p99=float(p99), sentences=len(milliseconds))


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
