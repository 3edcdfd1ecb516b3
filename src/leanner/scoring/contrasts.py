"""Weighted sums of the F1 of several taggers, with intervals from a paired bootstrap over articles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leanner.scoring.bootstrap import MIN_ARTICLES
from leanner.scoring.interval import bca_interval
from leanner.scoring.resampling import articles_of
from leanner.scoring.resampling import require_one_gold
from leanner.scoring.resampling import require_sensible
from leanner.scoring.resampling import resample


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.scoring.counts import ArticleCounts


@dataclass(frozen=True, slots=True)
class F1Contrast:
    """A weighted sum of micro F1s, in percentage points.

    Attributes:
        points: On the articles as they are; ``None`` where an F1 is undefined.
        low: Lower end of the interval.
        high: Upper end of the interval.
        reason: Why one of these is ``None``.
    """

    points: float | None
    low: float | None
    high: float | None
    reason: str | None = None


def f1_contrasts(
    taggers: Sequence[ArticleCounts],
    weights: NDArray[np.float64],
    *,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[F1Contrast, ...]:
    """Return contrasts of taggers on the same articles.

    All taggers are scored on the same draws of articles (``resample``), so that what makes an article hard for all
    of them cancels in weights that sum to 0. The ends are those of ``bca_interval``; what it says of few mentions that
    differ (``f1_loss``) is true here: contrasts that are 0 in every article have the interval 0 to 0.

    Args:
        taggers: Matches of each, on the same documents and labels.
        weights: Of the taggers in each contrast. *Shape:* ``(contrasts, taggers)``
        resamples: Number of draws, at least 1,000.
        seed: Equal seeds give equal intervals.
        confidence: Nominal coverage of each interval, between 0 and 1.

    Raises:
        ValueError: Taggers are not about the same gold spans, or a number is out of range.
    """
    require_sensible(resamples, confidence)
    if weights.shape[1:] != (len(taggers),):
        raise ValueError(f"expected a weight for each of {len(taggers)} taggers, found the shape {weights.shape}")
    for other in taggers[1:]:
        require_one_gold(taggers[0], other)
    scores = [counts.total().f1 for counts in taggers]
    known = [100 * f1 for f1 in scores if f1 is not None]
    if len(known) < len(taggers):
        reason = "F1 is undefined: no gold spans, and a tagger that predicts none"
        return (F1Contrast(None, None, None, reason),) * len(weights)
    points = (weights @ np.array(known)).tolist()
    articles = articles_of(taggers[0])
    reason = f"{articles} articles; an interval takes at least {MIN_ARTICLES}"
    if articles >= MIN_ARTICLES:
        resampled = resample(taggers, resamples, seed)
        reason = "F1 is undefined in every resample"
        if resampled.drawn.size:
            drawn, *left_out = (100 * f1 @ weights.T for f1 in (resampled.drawn, *resampled.left_out))
            ends = [
                bca_interval(drawn[:, each], point, [stratum[:, each] for stratum in left_out], confidence)
                for each, point in enumerate(points)
            ]
            return tuple(F1Contrast(point, low, high) for point, (low, high) in zip(points, ends, strict=True))
    return tuple(F1Contrast(point, None, None, reason) for point in points)
