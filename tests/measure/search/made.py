"""Taggers, passes and trials made up for the tests of searching, and a clock that they move."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from leanner.measure.search.space import Candidate
from leanner.measure.search.trial import Trial
from leanner.passes.protocol import NotRunnable
from leanner.scoring.bootstrap import F1Loss
from measure.fakes import FakeTagger


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


@dataclass
class Clock:
    """Seconds, by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class TimedTagger(FakeTagger):
    """Takes so long for a sentence, and finds nothing in some articles."""

    clock: Clock = field(default_factory=Clock)
    sentence_s: float = 0.01
    blind: frozenset[str] = frozenset()

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield gold spans."""
        given = list(documents)
        self.clock.now += self.sentence_s * sum(len(document.sentences) for document in given)
        for document, prediction in zip(given, super().tag(given), strict=True):
            yield tuple(() for _ in prediction) if document.article in self.blind else prediction


@dataclass(frozen=True)
class Faster:
    """A pass after which the tagger is faster, and misses every ``forgets``-th mention and all of some articles."""

    times: float
    forgets: int = 0
    blind: frozenset[str] = frozenset()
    takes_s: float = 0.0
    refuses: str | None = None
    name: str = "faster"

    def describe(self) -> dict[str, Any]:
        """Return the name."""
        return {"name": self.name}

    def __call__(self, tagger: Tagger) -> Tagger:
        """Return it."""
        if self.refuses is not None:
            raise NotRunnable(self.refuses)
        assert isinstance(tagger, TimedTagger)
        tagger.clock.now += self.takes_s
        tagger.sentence_s /= self.times
        tagger.forgets, tagger.blind = self.forgets, self.blind
        return tagger


def candidate(name: str, times: float, forgets: int = 0, **more: Any) -> Candidate:  # noqa: ANN401 - any field
    """Return a candidate of one made-up pass."""
    return Candidate(name, (Faster(times, forgets, **more),))


def loader(clock: Clock, sentence_s: float = 0.01) -> Callable[[], TimedTagger]:
    """Return what loads a tagger that takes so long for a sentence."""
    return lambda: TimedTagger(clock=clock, sentence_s=sentence_s)


def trial(
    name: str,
    points: float | None = 0.0,
    speedup: float = 1.0,
    weights_mb: float = 10.0,
    *,
    reach: float | None = 0.5,
    spread: float = 0.0,
) -> Trial:
    """Return a trial whose loss has an interval of ``reach`` to either side, and its speed-up one of ``spread``."""
    known = points is not None and reach is not None
    low, high = (points - reach, points + reach) if points is not None and reach is not None else (None, None)
    loss = F1Loss(points, low, high, 0.95, 1000, 20, 100, None if known else "made up")
    return Trial(
        candidate=name,
        part="calibration",
        sentences=100,
        articles=20,
        f1=0.8,
        loss=loss,
        baseline_s=(speedup, speedup),
        rounds_s=(1.0, 1.0),
        speedup=speedup,
        speedup_low=speedup - spread,
        speedup_high=speedup + spread,
        weights_mb=weights_mb,
        prepare_s=1.0,
        spans_sha256="a" * 64,
    )
