"""One candidate on one text: its loss of F1 and its time, both against the baseline on the same text."""

from __future__ import annotations

import time

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from typing import Final

from leanner.configurations import BASELINE
from leanner.measure.rounds import tag_all
from leanner.measure.rounds import timed
from leanner.measure.statistics import speedup_of_pairs
from leanner.report.predictions import spans_sha256
from leanner.scoring.bootstrap import F1Loss
from leanner.scoring.bootstrap import f1_loss
from leanner.scoring.counts import count_matches
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from leanner.measure.search.parts import Text
    from leanner.scoring.counts import ArticleCounts
    from leanner.taggers.protocol import Tagger


#: Seconds, ever growing.
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen of a candidate.

    Attributes:
        candidate: Its name.
        part: Of the text: ``calibration`` or ``held out``.
        sentences: That F1 is of.
        articles: The same.
        f1: Micro F1; ``None`` where it is undefined.
        loss: Against the baseline on the same sentences, in percentage points.
        baseline_s: Seconds of the baseline's rounds.
        rounds_s: Seconds of the candidate's, each run next to that of the baseline.
        speedup: Median ratio of the two.
        speedup_low: Lower end of its interval; with two pairs the smaller of the two ratios.
        speedup_high: The upper end.
        weights_mb: Bytes of the weights as stored, in MB = 10^6 bytes.
        prepare_s: Seconds that the passes took; 0 where an earlier trial had applied them.
        spans_sha256: Digest of the spans.
        quality: What a reader must know of the tagger.
    """

    candidate: str
    part: str
    sentences: int
    articles: int
    f1: float | None
    loss: F1Loss
    baseline_s: tuple[float, ...]
    rounds_s: tuple[float, ...]
    speedup: float
    speedup_low: float
    speedup_high: float
    weights_mb: float
    prepare_s: float
    spans_sha256: str
    quality: tuple[str, ...] = ()


class Rival:
    """The baseline: what every candidate is held against, and interleaved with.

    Args:
        tagger: Without any pass.
    """

    def __init__(self, tagger: Tagger) -> None:
        self.tagger: Final = tagger
        self._counts: dict[tuple[str, int], ArticleCounts] = {}

    def counts(self, text: Text) -> ArticleCounts:
        """Return its matches on a text, tagged at the first use."""
        key = (text.part, text.sentences)
        if key not in self._counts:
            predictions = tag_all(self.tagger, text.documents)
            self._counts[key] = count_matches(text.documents, predictions, self.tagger.labels)
        return self._counts[key]


def try_candidate(
    name: str,
    tagger: Tagger,
    rival: Rival,
    text: Text,
    *,
    quartets: int = 1,
    seed: int = 0,
    prepare_s: float = 0.0,
    clock: Clock = time.perf_counter,
) -> Trial:
    """Tag a text once for F1, and the timed part of it in rounds A B B A, A being the baseline.

    Args:
        name: Of the candidate.
        tagger: With its passes.
        rival: Without them.
        text: What both tag.
        quartets: How often A B B A, two pairs each.
        seed: Of the bootstraps.
        prepare_s: Seconds that the passes took.
        clock: Times the rounds.
    """
    before = rival.counts(text)
    predictions = tag_all(tagger, text.documents)
    counts = count_matches(text.documents, predictions, tagger.labels)
    own, theirs = (partial(tag_all, each, text.timed) for each in (tagger, rival.tagger))
    baseline_s: list[float] = []
    rounds_s: list[float] = []
    for _ in range(quartets):
        for call, seconds in ((theirs, baseline_s), (own, rounds_s), (own, rounds_s), (theirs, baseline_s)):
            seconds.append(max(timed(call, clock)[1], 1e-9))
    ratio = speedup_of_pairs(baseline_s, rounds_s, against=BASELINE, seed=seed)
    return Trial(
        candidate=name,
        part=text.part,
        sentences=text.sentences,
        articles=text.articles,
        f1=counts.total().f1,
        loss=f1_loss(before, counts, seed=seed),
        baseline_s=tuple(baseline_s),
        rounds_s=tuple(rounds_s),
        speedup=ratio.value,
        speedup_low=ratio.low,
        speedup_high=ratio.high,
        weights_mb=weigh(tagger.model).weights_mb,
        prepare_s=prepare_s,
        spans_sha256=spans_sha256(predictions),
        quality=tuple(tagger.quality),
    )
