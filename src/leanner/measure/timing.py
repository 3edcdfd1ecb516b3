"""The measured rounds: metered in windows, their spans kept, baseline rounds between them where asked."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING
from typing import Protocol

from leanner.measure.rounds import tag_all
from leanner.measure.rounds import timed
from leanner.report.predictions import spans_sha256


if TYPE_CHECKING:
    from leanner.meters import Meter
    from leanner.meters import Reading
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


class Stopwatch(Protocol):
    """pytest-benchmark's ``benchmark`` fixture, as far as a case needs it."""

    def pedantic(
        self,
        target: Callable[[], object],
        *,
        setup: Callable[[], None],
        teardown: Callable[[], None],
        rounds: int,
        warmup_rounds: int,
        iterations: int,
    ) -> object:
        """Call ``target`` in rounds, ``setup`` and ``teardown`` around each and outside its time."""
        ...


@dataclass(slots=True)
class Rounds:
    """What pytest-benchmark calls: ``begin``, ``run`` and ``end`` make one round.

    A window holds ``per_window`` rounds. With a ``rival``, its rounds stand behind and
    before those of every other window, A B B A A B B A: a drift hits both alike.

    Attributes:
        tagger: Under test.
        documents: Tagged in every round.
        meter: Meters the windows.
        per_window: Rounds in one window.
        rival: The baseline's tagger, for interleaving.
        readings: One for each window that has ended.
        rival_s: Seconds of the rival's rounds beside each window.
        predictions: Of the last round.
        outcomes: Digests of the spans at the end of each window: one if all agree.
    """

    tagger: Tagger
    documents: Sequence[Document]
    meter: Meter
    per_window: int = 1
    rival: Tagger | None = None
    readings: list[Reading] = field(default_factory=list)
    rival_s: list[float] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)
    _begun: int = 0
    _open: bool = False

    def run(self) -> None:
        """Tag the documents."""
        self.predictions = tag_all(self.tagger, self.documents)

    def measure(self, stopwatch: Stopwatch, number: int) -> tuple[float, ...]:
        """Run ``number`` rounds, a multiple of ``per_window``; returns the seconds of each.

        There are none where benchmarks are disabled: pytest-benchmark then runs one round.
        """
        stopwatch.pedantic(self.run, setup=self.begin, teardown=self.end, rounds=number, warmup_rounds=0, iterations=1)
        # Disabled, pytest-benchmark calls no teardown; profiling, it runs one round more.
        if self._open:
            self._close_window()
        windows = max(1, number // self.per_window)
        del self.readings[windows:]
        del self.rival_s[windows:]
        # Metadata.stats of pytest-benchmark; None when benchmarks are disabled.
        metadata = getattr(stopwatch, "stats", None)
        return () if metadata is None else tuple(float(seconds) for seconds in metadata.stats.data)

    def begin(self) -> None:
        """Begin a round: pytest-benchmark's ``setup``."""
        window, place = divmod(self._begun, self.per_window)
        self._begun += 1
        if place == 0:
            if window % 2:
                self._run_rival()
            sentences = sum(len(document.sentences) for document in self.documents)
            self.meter.start("round", rounds=self.per_window, sentences=sentences)
            self._open = True

    def end(self) -> None:
        """End a round: pytest-benchmark's ``teardown``."""
        if self._begun % self.per_window == 0:
            self._close_window()
            if (self._begun // self.per_window) % 2:
                self._run_rival()

    def _close_window(self) -> None:
        self.readings.append(self.meter.stop())
        self._open = False
        self.outcomes.add(spans_sha256(self.predictions))

    def _run_rival(self) -> None:
        if self.rival is not None:
            call = partial(tag_all, self.rival, self.documents)
            self.rival_s.append(sum(timed(call)[1] for _ in range(self.per_window)))
