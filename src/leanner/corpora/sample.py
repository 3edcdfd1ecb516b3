"""A seeded sample of whole articles, stratified by corpus, that needs no list of articles.

Every article has a rank: a hash of seed, corpus and article. A corpus gives its articles
in the order of rank until its share of the sentences is reached, so that a sample is one
threshold a corpus. It depends on the seed and on which articles there are, not on the
order of files, and a larger sample holds the smaller one.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.corpora.fingerprints import fingerprint


if TYPE_CHECKING:
    from leanner.types import Document


_HIGHEST_RANK: Final = (1 << 64) - 1


def rank(seed: int, corpus: str, article: str) -> int:
    """Return the place of an article in the drawing order of its corpus, 64 bits."""
    return fingerprint(str(seed), corpus, article)


@dataclass(frozen=True, slots=True)
class Sample:
    """Which articles were drawn.

    Attributes:
        seed: Seed of the draw.
        highest: Highest rank that was drawn, by corpus.
    """

    seed: int
    highest: dict[str, int]

    def holds(self, corpus: str, article: str) -> bool:
        """Return whether the article was drawn."""
        return rank(self.seed, corpus, article) <= self.highest.get(corpus, -1)


class Survey:
    """Counts sentences by article in 12 bytes a document, then draws.

    Args:
        seed: Seed of the draw.
    """

    __slots__ = ("_ranks", "_seed", "_sentences")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._ranks: dict[str, array[int]] = {}
        self._sentences: dict[str, array[int]] = {}

    def add(self, document: Document) -> None:
        """Count the sentences of a document."""
        ranks = self._ranks.setdefault(document.corpus, array("Q"))
        sentences = self._sentences.setdefault(document.corpus, array("I"))
        place = rank(self._seed, document.corpus, document.article)
        if ranks and ranks[-1] == place:
            sentences[-1] += len(document.sentences)
        else:
            ranks.append(place)
            sentences.append(len(document.sentences))

    def draw(self, sentences: int) -> Sample:
        """Draw about ``sentences`` sentences: not fewer, at most one article a corpus more.

        Each corpus gives its share of the sentences, and at least one article.
        """
        total = sum(sum(counts) for counts in self._sentences.values())
        highest: dict[str, int] = {}
        for corpus, ranks in self._ranks.items():
            articles, document_article = np.unique(np.frombuffer(ranks, dtype=np.uint64), return_inverse=True)
            by_article = np.zeros(len(articles), dtype=np.int64)
            np.add.at(by_article, document_article, np.frombuffer(self._sentences[corpus], dtype=np.uint32))
            drawn = np.cumsum(by_article)
            # drawn >= sentences * share, in integers
            enough = drawn * total >= sentences * int(drawn[-1])
            highest[corpus] = int(articles[int(np.argmax(enough))]) if enough.any() else _HIGHEST_RANK
        return Sample(self._seed, highest)
