"""Articles drawn again and again: the F1 of several taggers on the same draws."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.scoring.counts import FN
from leanner.scoring.counts import FP
from leanner.scoring.counts import TP


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.scoring.counts import ArticleCounts


# Drawn articles held at a time (8 bytes each, three arrays of them): bounds the
# memory whatever the number of articles, and part of what a seed means.
_CELLS: Final = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """The micro F1 of taggers on other articles than those that there are.

    Attributes:
        drawn: On each resample; those that leave an F1 undefined are left out. *Shape:* ``(resamples, taggers)``
        left_out: For each stratum the same without each of its articles, the others of it weighted up; strata
            without any such F1 are left out. *Shape:* ``(articles of the stratum, taggers)`` each.
    """

    drawn: NDArray[np.float64]
    left_out: list[NDArray[np.float64]]


def resample(taggers: Sequence[ArticleCounts], resamples: int, seed: int) -> Resampled:
    """Score taggers on the same draws of articles.

    Articles are drawn with replacement within each corpus, and all taggers are scored on
    the same draw (Berg-Kirkpatrick, Burkett and Klein 2012, An Empirical Investigation of
    Statistical Significance in NLP). The article is the unit because its mentions repeat
    each other. A corpus of n articles gives n - 1 draws, weighted to n (Rao and Wu 1988,
    Resampling Inference With Complex Survey Data): n draws make the interval of small corpora
    too narrow. Corpora with a single article are drawn together with the next smallest
    corpus: alone they would add no variance.

    Args:
        taggers: Matches on the same gold spans (``require_one_gold``), of two articles or more.
        resamples: Number of draws.
        seed: Equal seeds give equal draws, whatever the number of taggers.
    """
    evidence: NDArray[np.bool_] = np.any(taggers[0].annotated, axis=1)
    spans = np.stack([_spans(counts) for counts in taggers], axis=1)[evidence]
    names = [corpus for (corpus, _), annotated in zip(taggers[0].keys, evidence.tolist(), strict=True) if annotated]
    strata = _strata(names)
    drawn = np.concatenate(list(_draw(spans, strata, resamples, np.random.default_rng(seed))))
    left_out = [_defined(f1) for f1 in _without_each(spans, strata)]
    return Resampled(_defined(drawn), [stratum for stratum in left_out if stratum.size])


def articles_of(counts: ArticleCounts) -> int:
    """Return the number of articles with an annotated label: the others are no evidence."""
    return int(np.any(counts.annotated, axis=1).sum())


def require_sensible(resamples: int, confidence: float) -> None:
    """Refuse what gives no interval.

    Raises:
        ValueError: There are fewer than 1,000 resamples, or the confidence is not between 0 and 1.
    """
    if resamples < 1_000:
        raise ValueError(f"expected at least 1000 resamples, found {resamples}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, found {confidence}")


def require_one_gold(baseline: ArticleCounts, candidate: ArticleCounts) -> None:
    """Refuse taggers that cannot be paired.

    Raises:
        ValueError: The two are not about the same gold spans.
    """
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
    """Yield the F1 of resamples, NaN where undefined. *Shape:* ``(draws, taggers)`` each.

    Args:
        spans: Per article and tagger, see ``_spans``. *Shape:* ``(articles, taggers, 2)``.
        strata: Rows of ``spans`` that are drawn among each other.
        resamples: Number of draws in all.
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
        yield _f1(sums.reshape(draws, -1, 2))


def _without_each(spans: NDArray[np.float64], strata: list[NDArray[np.intp]]) -> Iterator[NDArray[np.float64]]:
    """Yield for each stratum the F1 without each of its articles, the others of it weighted up."""
    total = spans.sum(axis=0)
    for stratum in strata:
        own, size = spans[stratum], len(stratum)
        yield _f1(total - own.sum(axis=0) + (own.sum(axis=0) - own) * (size / (size - 1)))


def _f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F1, NaN where undefined; ``sums`` holds its numerator and denominator on the last axis."""
    with np.errstate(invalid="ignore"):
        f1: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
    return f1


def _defined(f1: NDArray[np.float64]) -> NDArray[np.float64]:
    # A draw without any gold span can leave an F1 undefined.
    return f1[np.isfinite(f1).all(axis=1)]
