"""The loss in F1 between two taggers, with an interval from a paired bootstrap over articles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.scoring.counts import FN
from leanner.scoring.counts import FP
from leanner.scoring.counts import TP
from leanner.scoring.counts import ArticleCounts
from leanner.scoring.interval import bca_interval
from leanner.scoring.interval import bca_p_value


if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Below this, resampled articles say too little about articles not seen.
MIN_ARTICLES: Final = 20

# Drawn articles held at a time (8 bytes each, three arrays of them): bounds the
# memory whatever the number of articles, and part of what a seed means.
_CELLS: Final = 1 << 20


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

    Articles are drawn with replacement within each corpus, and both taggers are scored on
    the same draw (Berg-Kirkpatrick, Burkett and Klein 2012, An Empirical Investigation of
    Statistical Significance in NLP). The article is the unit because its mentions repeat
    each other. A corpus of n articles gives n - 1 draws, weighted to n (Rao and Wu 1988,
    Resampling Inference With Complex Survey Data): n draws make the interval of small corpora
    too narrow. Corpora with a single article are drawn together with the next smallest
    corpus: alone they would add no variance. The ends are those of ``bca_interval``.

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
    if resamples < 1_000:
        raise ValueError(f"expected at least 1000 resamples, found {resamples}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, found {confidence}")
    _check_same_gold(baseline, candidate)
    evidence: NDArray[np.bool_] = np.any(baseline.annotated, axis=1)
    articles = int(evidence.sum())
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

    spans = np.stack([_spans(baseline), _spans(candidate)], axis=1)[evidence]
    names = [corpus for (corpus, _), annotated in zip(baseline.keys, evidence.tolist(), strict=True) if annotated]
    strata = _strata(names)
    drawn = np.concatenate(list(_draw(spans, strata, resamples, np.random.default_rng(seed))))
    # A draw without any gold span can leave an F1 undefined.
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return loss(points, None, None, 0, reason="F1 is undefined in every resample")
    left_out = _without_each(spans, strata)
    low, high = bca_interval(drawn, points, left_out, confidence)
    return loss(points, low, high, int(drawn.size), p=bca_p_value(drawn, points, left_out))


def _check_same_gold(baseline: ArticleCounts, candidate: ArticleCounts) -> None:
    if baseline.keys != candidate.keys:
        ours, theirs = set(baseline.keys), set(candidate.keys)
        raise ValueError(
            f"expected both taggers on the same articles, found {len(ours - theirs)} of the baseline only "
            f"and {len(theirs - ours)} of the candidate only"
        )
    if baseline.labels != candidate.labels or not np.array_equal(baseline.annotated, candidate.annotated):
        raise ValueError("expected both taggers scored on the same labels; pass the same labels for both")
    gold, again = (counts.matches[:, :, TP] + counts.matches[:, :, FN] for counts in (baseline, candidate))
    if not np.array_equal(gold, again):
        corpus, article = baseline.keys[int(np.argmax((gold != again).any(axis=1)))]
        raise ValueError(f"expected both taggers on the same gold spans, found other numbers in {corpus} {article}")


def _spans(counts: ArticleCounts) -> NDArray[np.float64]:
    """Return twice the matched spans, and gold plus predicted ones. *Shape:* ``(articles, 2)``."""
    tp, fp, fn = (counts.matches[:, :, kind].sum(axis=1) for kind in (TP, FP, FN))
    return np.stack([2 * tp, 2 * tp + fp + fn], axis=1).astype(np.float64)


def _strata(names: list[str]) -> list[NDArray[np.intp]]:
    """Group articles by corpus; groups of one join the next smallest (collapsed strata)."""
    corpora = np.array(names)
    strata = sorted((np.flatnonzero(corpora == name) for name in sorted(set(names))), key=len)
    while len(strata) > 1 and len(strata[0]) < 2:
        strata[:2] = [np.concatenate(strata[:2])]
        strata.sort(key=len)
    return strata


def _draw(
    spans: NDArray[np.float64], strata: list[NDArray[np.intp]], resamples: int, random: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Yield the losses of resamples in percentage points, NaN where undefined.

    Args:
        spans: Per article and tagger, see ``_spans``. *Shape:* ``(articles, 2, 2)``.
        strata: Rows of ``spans`` that are drawn among each other.
        resamples: Number of losses in all.
        random: Where the draws come from.
    """
    flat = spans.reshape(len(spans), -1)
    rows = max(1, _CELLS // len(spans))
    for first in range(0, resamples, rows):
        draws = min(rows, resamples - first)
        sums = np.zeros((draws, flat.shape[1]))
        for stratum in strata:
            size = len(stratum)
            chosen = random.integers(size, size=(draws, size - 1))
            chosen += size * np.arange(draws)[:, None]
            # Sums of whole numbers in floats: exact, so neither order nor threads matter.
            times = np.bincount(chosen.ravel(), minlength=draws * size).reshape(draws, size)
            sums += (times.astype(np.float64) @ flat[stratum]) * (size / (size - 1))
        yield _losses(sums.reshape(draws, 2, 2))


def _without_each(spans: NDArray[np.float64], strata: list[NDArray[np.intp]]) -> list[NDArray[np.float64]]:
    """Return the losses without each article of a stratum, the others of it weighted up."""
    total = spans.sum(axis=0)
    losses = []
    for stratum in strata:
        own, size = spans[stratum], len(stratum)
        jackknifed = _losses(total - own.sum(axis=0) + (own.sum(axis=0) - own) * (size / (size - 1)))
        losses.append(jackknifed[np.isfinite(jackknifed)])
    return [stratum for stratum in losses if stratum.size]


def _losses(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return losses in percentage points, NaN where an F1 is undefined.

    Args:
        sums: See ``_spans``, summed over articles. *Shape:* ``(…, 2, 2)``, the last two axes
            baseline and candidate, numerator and denominator of F1.
    """
    with np.errstate(invalid="ignore"):
        f1 = sums[..., 0] / sums[..., 1]
    losses: NDArray[np.float64] = 100 * (f1[..., 0] - f1[..., 1])
    return losses
