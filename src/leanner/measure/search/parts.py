"""The text of a search: the part on which candidates are compared, and the one that the choice has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from typing import Final

from leanner.measure.timed import timed_part
from leanner.scoring.bootstrap import MIN_ARTICLES


if TYPE_CHECKING:
    from leanner.types import Document


#: Factor between the sentences of two rungs, and between the candidates: the eta of successive halving.
ETA: Final = 3
#: So many rungs if there are sentences enough for them.
RUNGS: Final = 3
#: Candidates that the last rung has time for.
FINALISTS: Final = 4
#: Until which share of the budget each rung goes on. In the first one candidates are prepared, which takes longer than
#: tagging; the rest of the budget is for the confirmation.
FIRST_ENDS: Final = 0.5
LAST_ENDS: Final = 0.8
#: The baseline is given about so long to tag what is timed.
TIMED_S: Final = 1.0
LEAST_TIMED_SENTENCES: Final = 32
#: Rungs whose sentences differ by less are one.
_LEAST_GROWTH: Final = 1.5


@dataclass(frozen=True, slots=True)
class Text:
    """Whole articles that candidates tag.

    Attributes:
        part: What they are called: ``calibration`` or ``held out``.
        documents: F1 is of all of them.
        timed: Of these, those that are tagged again for the time.
    """

    part: str
    documents: tuple[Document, ...]
    timed: tuple[Document, ...]

    @property
    def sentences(self) -> int:
        """Sentences that F1 is of."""
        return sentences_of(self.documents)

    @property
    def articles(self) -> int:
        """Articles that F1 is of."""
        return articles_of(self.documents)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much text each rung has, and until when it goes on.

    Attributes:
        rungs: Sentences of each, ascending.
        ends_s: Seconds from the beginning until which each rung tries candidates.
        timed_sentences: About how many of them are tagged again for the time.
    """

    rungs: tuple[int, ...]
    ends_s: tuple[float, ...]
    timed_sentences: int


def split(documents: Sequence[Document], seed: int) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    """Return the calibration part and what is held out: whole articles, half of each corpus by its sentences.

    Raises:
        ValueError: One of the two has too few articles for an interval.
    """
    calibration = timed_part(documents, -(-sentences_of(documents) // 2), seed).documents
    chosen = {(document.corpus, document.article) for document in calibration}
    held_out = tuple(document for document in documents if (document.corpus, document.article) not in chosen)
    fewest = min(articles_of(calibration), articles_of(held_out))
    if fewest < MIN_ARTICLES:
        raise ValueError(
            f"expected {MIN_ARTICLES} articles or more in each half of the corpora, found {fewest}: less gives no "
            "interval; name more text"
        )
    return calibration, held_out


def plan(calibration: Sequence[Document], seed: int, *, budget_s: float, sentence_s: float) -> Plan:
    """Return the rungs that a budget has time for.

    Each rung has ``ETA`` times the sentences of the one before, and the last one as many as ``FINALISTS`` candidates
    can be tried on, each in the time that the baseline takes to tag them twice. The first one has
    articles enough for an interval.

    Args:
        calibration: The part on which candidates are compared.
        seed: Of the draws.
        budget_s: Seconds for all of the search.
        sentence_s: Seconds that the baseline takes for a sentence.
    """
    finalist_s = (LAST_ENDS - FIRST_ENDS) / (RUNGS - 1) * budget_s / FINALISTS
    fewest, most = _fewest(calibration, seed), sentences_of(calibration)
    last = min(most, max(fewest, int(finalist_s / (2 * sentence_s))))
    sizes = sorted({max(fewest, last // ETA**rung) for rung in range(RUNGS)})
    # A rung with hardly more text than the one before would ask the same again.
    rungs = (*(small for small, large in pairwise(sizes) if large >= _LEAST_GROWTH * small), sizes[-1])
    step = (LAST_ENDS - FIRST_ENDS) / max(1, len(rungs) - 1)
    ends_s = [budget_s * (LAST_ENDS - step * left) for left in reversed(range(len(rungs)))]
    return Plan(rungs, tuple(ends_s), max(LEAST_TIMED_SENTENCES, int(TIMED_S / sentence_s)))


def drawn(part: str, documents: Sequence[Document], sentences: int, timed_sentences: int, seed: int) -> Text:
    """Return about so many sentences of a part; a larger text of the same seed holds the smaller one."""
    chosen = timed_part(documents, sentences, seed).documents
    return Text(part, chosen, timed_part(chosen, timed_sentences, seed).documents)


def sentences_of(documents: Sequence[Document]) -> int:
    """Return the number of sentences."""
    return sum(len(document.sentences) for document in documents)


def articles_of(documents: Sequence[Document]) -> int:
    """Return the number of articles."""
    return len({(document.corpus, document.article) for document in documents})


def _fewest(documents: Sequence[Document], seed: int) -> int:
    """Return about how many sentences have the articles that an interval takes."""
    most = sentences_of(documents)
    sentences = max(1, most * MIN_ARTICLES // articles_of(documents))
    while sentences < most and articles_of(timed_part(documents, sentences, seed).documents) < MIN_ARTICLES:
        sentences += max(1, sentences // 10)
    return min(sentences, most)
