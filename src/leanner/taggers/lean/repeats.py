"""Sentences that stand in a text more than once, with the same context: their tags are decided once.

What a tagger makes of a sentence follows from its words and those of its context alone, so
that this is exact, except where a pass lets a result depend on the rest of the batch.
"""

from __future__ import annotations

import hashlib

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

import numpy as np


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.taggers.lean.encoding import InContext


#: Different sentences that are remembered, the newest ones: some 20 MB, however long the text is.
REMEMBERED: Final = 32_768

_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Repeats:
    """Which sentences of a chunk are which.

    Attributes:
        new: Those that have not been seen, in order.
        first: The number of the first of them, counted over the text.
        numbers: Of the sentence with the same words, for each sentence of the chunk.
        oldest: Lower numbers do not come up in later chunks.
    """

    new: list[InContext]
    first: int
    numbers: list[int]
    oldest: int


class Seen:
    """The sentences of a text so far.

    Args:
        remembered: How many different ones are kept.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered: Final = remembered
        self._numbers: Final[dict[bytes, int]] = {}
        self._next = 0

    def __call__(self, sentences: Iterable[InContext]) -> Repeats:
        """Return which of the next sentences repeat one that is remembered, or each other."""
        new: list[InContext] = []
        numbers: list[int] = []
        first = self._next
        for sentence in sentences:
            key = _digest(sentence)
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = self._next
                self._next += 1
                new.append(sentence)
            numbers.append(number)
        # Dictionaries keep the order of insertion, which is that of the numbers.
        oldest = max(0, self._next - self._remembered)
        for key, number in list(self._numbers.items()):
            if number >= oldest:
                break
            del self._numbers[key]
        return Repeats(new, first, numbers, oldest)


class KnownTags:
    """The tags of the sentences that :class:`Seen` remembers."""

    def __init__(self) -> None:
        self._tags: Final[dict[int, NDArray[np.int64]]] = {}

    def __call__(
        self, repeats: Repeats, tags: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return tags and ends of all sentences of a chunk.

        *Shapes:* ``tags`` ``(words of the new sentences,)``, ``ends`` ``(new sentences,)``; result
        ``(words,)`` and ``(sentences,)``, ends counted as in ``leanner.taggers.rows.Chunk``.
        """
        begin = 0
        for number, end in enumerate(ends.tolist(), repeats.first):
            self._tags[number] = tags[begin:end].copy()
            begin = end
        parts = [self._tags[number] for number in repeats.numbers]
        for number in list(self._tags):
            if number >= repeats.oldest:
                break
            del self._tags[number]
        lengths = np.array([len(part) for part in parts], dtype=np.int64)
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts]), lengths.cumsum()


def share_of_repeats(sentences: Iterable[InContext]) -> float | None:
    """Return the share of sentences that need no decision of their own; ``None`` without a sentence."""
    repeats = Seen()(sentences)
    return 1 - len(repeats.new) / len(repeats.numbers) if repeats.numbers else None


def _digest(sentence: InContext) -> bytes:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for words in sentence:
        # Lengths tell apart what a separator could be part of.
        digest.update(len(words).to_bytes(4, "little"))
        for word in words:
            encoded = word.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(4, "little"))
            digest.update(encoded)
    return digest.digest()
