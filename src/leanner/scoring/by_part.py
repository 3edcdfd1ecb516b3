"""F1 and its loss on a part of what was scored, each with an interval: a label, a corpus, or all."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.scoring.bootstrap import F1Loss
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.counts import FN
from leanner.scoring.counts import FP
from leanner.scoring.counts import LABELS
from leanner.scoring.counts import TP
from leanner.scoring.counts import ArticleCounts


if TYPE_CHECKING:
    from leanner.types import Label


#: Draws for each interval: ends of a figure, not of a verdict, and there are many of them.
RESAMPLES: Final = 2_000


@dataclass(frozen=True, slots=True)
class F1Interval:
    """An F1 with 95 %; ``None`` is unknown, with the reason."""

    f1: float | None
    low: float | None
    high: float | None
    reason: str | None = None


def part_of(counts: ArticleCounts, *, label: Label | None = None, corpus: str | None = None) -> ArticleCounts:
    """Return the counts of one label, of one corpus, or of both; articles without the label stay, empty."""
    rows = np.array([corpus in (None, name) for name, _ in counts.keys], dtype=np.bool_)
    columns = np.array([label in (None, each) for each in LABELS], dtype=np.bool_)
    return replace(
        counts,
        keys=tuple(key for key, kept in zip(counts.keys, rows.tolist(), strict=True) if kept),
        matches=counts.matches[rows] * columns[None, :, None],
        annotated=counts.annotated[rows] & columns[None, :],
    )


def f1_interval(counts: ArticleCounts, *, resamples: int = RESAMPLES, seed: int = 0) -> F1Interval:
    """Return the micro F1 of a tagger with an interval from a bootstrap over articles.

    An F1 is what is left of 1 after the loss against a tagger that gives the gold spans: the interval is
    that of ``f1_loss``, the other way round.

    Args:
        counts: Matches of the tagger.
        resamples: Number of draws, at least 1,000.
        seed: Equal seeds give equal intervals.
    """
    f1 = counts.total().f1
    gold = counts.matches[:, :, TP] + counts.matches[:, :, FN]
    if not gold.sum():
        return F1Interval(f1, None, None, "no gold spans")
    perfect = counts.matches.copy()
    perfect[:, :, TP], perfect[:, :, FP], perfect[:, :, FN] = gold, 0, 0
    loss = f1_loss(replace(counts, matches=perfect), counts, resamples=resamples, seed=seed)
    if loss.low is None or loss.high is None:
        return F1Interval(f1, None, None, loss.reason)
    return F1Interval(f1, 1 - loss.high / 100, 1 - loss.low / 100)


def loss_on(
    baseline: ArticleCounts, counts: ArticleCounts, *, label: Label | None = None, corpus: str | None = None, seed: int
) -> F1Loss:
    """Return the loss on one part, as ``f1_loss`` does, from ``RESAMPLES`` draws."""
    before, after = (part_of(each, label=label, corpus=corpus) for each in (baseline, counts))
    return f1_loss(before, after, resamples=RESAMPLES, seed=seed)
