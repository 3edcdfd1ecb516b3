"""Windows of the baseline and of its repetition that exchange their names: how often a gate alarms then."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.compare.evidence import of_costs
from leanner.compare.metrics import BY_NAME
from leanner.compare.outcome import decide
from leanner.measure.statistics import by_window


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.compare.evidence import Evidence
    from leanner.compare.metrics import Metric
    from leanner.compare.outcome import Outcome
    from leanner.compare.thresholds import Threshold
    from leanner.report.record import CaseRecord


#: With more ways than these to exchange names, so many are drawn.
_WAYS: Final = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of two sides, in pairs that were measured in the order A B, B A, A B, ….

    Attributes:
        metric: That they are of.
        before: Of the baseline. *Shape:* ``(windows,)``
        after: Of its repetition. *Shape:* ``(windows,)``
        records: Of both sides, each made from its windows.
        seed: Of the draw.
    """

    metric: Metric
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    records: Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[CaseRecord, CaseRecord]]
    seed: int

    def evidence(self, exchanged: Sequence[bool] = (), *, interval: bool = True) -> Evidence:
        """Return the evidence for a change.

        Args:
            exchanged: Whether each A B B A is called B A A B; not at all if empty.
            interval: See ``of_costs``.
        """
        swap = np.repeat(np.array(exchanged or [False] * len(self.before), dtype=bool), 2)[: len(self.before)]
        sides = np.where(swap, self.after, self.before), np.where(swap, self.before, self.after)
        old, new = self.records(*sides)
        return of_costs(self.metric, [old], [new], None, interval=interval)

    def outcomes(self, threshold: Threshold) -> Iterator[Outcome]:
        """Yield what the gate says of each way to exchange names, or of ``_WAYS`` that are drawn.

        Two windows of each side, A B B A, exchange their names together, so that every way is one that could have been
        measured (Edgington and Onghena 2007, Randomization Tests, chapter 5: exchange within blocks).
        """
        blocks = (len(self.before) + 1) // 2
        for exchanged in self._ways(blocks):
            evidence = self.evidence(exchanged, interval=False)
            yield decide(evidence, evidence.p, threshold)

    def _ways(self, blocks: int) -> Iterator[Sequence[bool]]:
        if 2**blocks <= _WAYS:
            yield from product((False, True), repeat=blocks)
        else:
            yield from np.random.default_rng(self.seed).integers(0, 2, (_WAYS, blocks)).astype(bool).tolist()


def interleaved(again: CaseRecord) -> Windows | None:
    """Return the seconds of the repetition's windows, and of the baseline's between them; ``None`` without rounds."""
    if again.time is None or again.speedup is None or not again.speedup.paired:
        return None
    time = again.time
    own = by_window(time.rounds_s, 1 if again.energy is None else again.energy.rounds_per_window)

    def of(windows: NDArray[np.float64]) -> CaseRecord:
        seconds = tuple(windows.tolist())
        return replace(again, time=replace(time, rounds_s=seconds, median_s=float(np.median(windows))))

    def both(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[CaseRecord, CaseRecord]:
        return of(before), of(after)

    return Windows(BY_NAME["time"], np.array(again.speedup.against_s), np.array(own), both, again.seed or 0)


def one_after_the_other(before: CaseRecord, after: CaseRecord) -> Windows | None:
    """Return the joules of the windows of both cases, which only the repetition has between others.

    Returns:
        ``None`` where some are not known, or hold different numbers of rounds.
    """
    old, new = before.energy, after.energy
    if old is None or new is None or old.rounds_per_window != new.rounds_per_window:
        return None
    sides = [_joules(energy.rounds_j) for energy in (old, new)]
    known = [side for side in sides if side is not None]
    if len(known) < 2 or old.per_1000_sentences_j is None or new.per_1000_sentences_j is None:
        return None
    number = min(map(len, known))

    def of(record: CaseRecord, windows: NDArray[np.float64]) -> CaseRecord:
        energy = record.energy
        assert energy is not None
        assert energy.per_1000_sentences_j is not None
        # sentences of a window are the same on both sides
        share = energy.per_1000_sentences_j / float(np.mean([joules for joules in energy.rounds_j if joules]))
        return replace(
            record,
            energy=replace(
                energy,
                rounds_j=tuple(windows.tolist()),
                total_j=float(windows.sum()),
                per_1000_sentences_j=share * float(windows.mean()),
            ),
        )

    def both(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[CaseRecord, CaseRecord]:
        return of(before, first), of(after, second)

    return Windows(BY_NAME["energy"], known[0][:number], known[1][:number], both, before.seed or 0)


def _joules(windows: Sequence[float | None]) -> NDArray[np.float64] | None:
    joules = [each for each in windows if each is not None]
    return np.array(joules) if len(joules) == len(windows) and joules else None
