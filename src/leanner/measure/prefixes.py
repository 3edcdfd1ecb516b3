"""Parts of what a round tags in windows of their own: what tells the joules of a sentence from the fixed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from typing import Final

from leanner.measure.plan import rounds_that_fill
from leanner.measure.rounds import tag_all
from leanner.measure.rounds import timed


if TYPE_CHECKING:
    from leanner.meters import Meter
    from leanner.meters import Reading
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


#: Shares of the documents that a round tags.
SHARES: Final = (0.25, 0.5, 0.75)
#: Windows for each share.
REPEATS: Final = 2


@dataclass(frozen=True, slots=True)
class Prefix:
    """A window over the first documents of a round.

    Attributes:
        sentences: In the prefix.
        times: How often the window tagged it.
        reading: Of the whole window.
    """

    sentences: int
    times: int
    reading: Reading


def measure_prefixes(
    tagger: Tagger, documents: Sequence[Document], meter: Meter, least_window_s: float
) -> tuple[Prefix, ...]:
    """Meter windows over prefixes of ``documents``; none where the device that does the work has no meter.

    Sizes alternate, small and large, so that a drift does not look like a slope.
    """
    works = "gpu" if meter.equipment.on_gpu else "cpu_package"
    if works in meter.equipment.missing():
        return ()
    found = []
    for number in range(REPEATS):
        for share in SHARES if number % 2 == 0 else reversed(SHARES):
            part = documents[: max(1, round(share * len(documents)))]
            sentences = sum(len(document.sentences) for document in part)
            _, seconds = timed(partial(tag_all, tagger, part))
            times = rounds_that_fill(least_window_s, seconds)
            with meter.window("prefix", rounds=times, sentences=sentences) as window:
                for _ in range(times):
                    tag_all(tagger, part)
            found.append(Prefix(sentences, times, window.reading))
    return tuple(found)
