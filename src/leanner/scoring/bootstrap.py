"""The loss in F1 between two taggers, with an interval from a paired bootstrap over articles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

from leanner.scoring.interval import bca_interval
from leanner.scoring.interval import bca_p_value
from leanner.scoring.resampling import articles_of
from leanner.scoring.resampling import require_one_gold
from leanner.scoring.resampling import require_sensible
from leanner.scoring.resampling import resample


if TYPE_CHECKING:
    from leanner.scoring.counts import ArticleCounts


#: Below this, resampled articles say too little about articles not seen.
MIN_ARTICLES: Final = 20


@dataclass(frozen=True, slots=True)
class F1Loss:
    """Micro F1 of the baseline minus that of the candidate, in percentage points: positive is worse.

    Attributes:
        points: On the articles as they are; ``None`` where an F1 is undefined.
        low: Lower end of the interval.
        high: Upper end of the interval.
        confidence: Nominal coverage of the interval.
        resamples: Resamples that the interval comes from.
        articles: Articles with an annotated label.
        mentions: Gold spans.
        reason: Why the interval (or the loss) is ``None``.
        p: Of no loss and no gain, two-sided; ``None`` without an interval.
    """

    points: float | None
    low: float | None
    high: float | None
    confidence: float
    resamples: int
    articles: int
    mentions: int
    reason: str | None = None
    p: float | None = None


def f1_loss(
    baseline: ArticleCounts,
    candidate: ArticleCounts,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> F1Loss:
    """Compare two taggers on the same articles.

    Both are scored on the same draws of articles (``resample``). The ends are those of ``bca_interval``.

    No resample shows what no article shows: taggers that agree everywhere have the interval
    0 to 0, and where only a handful of mentions differ the interval is too narrow.

    Args:
        baseline: Matches of the tagger to compare with.
        candidate: Matches of the other, on the same documents and labels.
        resamples: Number of draws, at least 1,000.
        seed: Equal seeds give equal intervals, whatever the order of the documents.
        confidence: Nominal coverage, between 0 and 1.

    Raises:
        ValueError: The two are not about the same gold spans, or a number is out of range.
    """
    require_sensible(resamples, confidence)
    require_one_gold(baseline, candidate)
    articles = articles_of(baseline)
    mentions = baseline.total().tp + baseline.total().fn

    def loss(
        points: float | None,
        low: float | None,
        high: float | None,
        used: int,
        *,
        reason: str | None = None,
        p: float | None = None,
    ) -> F1Loss:
        return F1Loss(points, low, high, confidence, used, articles, mentions, reason, p)

    before, after = baseline.total().f1, candidate.total().f1
    if before is None or after is None:
        return loss(None, None, None, 0, reason="F1 is undefined: no gold spans, and a tagger that predicts none")
    points = 100 * (before - after)
    if articles < MIN_ARTICLES:
        return loss(points, None, None, 0, reason=f"{articles} articles; an interval takes at least {MIN_ARTICLES}")

    resampled = resample([baseline, candidate], resamples, seed)
    drawn, *left_out = (100 * (f1[:, 0] - f1[:, 1]) for f1 in (resampled.drawn, *resampled.left_out))
    if not drawn.size:
        return loss(points, None, None, 0, reason="F1 is undefined in every resample")
    low, high = bca_interval(drawn, points, left_out, confidence)
    return loss(points, low, high, int(drawn.size), p=bca_p_value(drawn, points, left_out))
