"""Sentences of a document that are computed together, each of them once.

A tagger with context computes the neighbours of a sentence with every sentence: at 64 words to
each side (FLERT, Schweter and Akbik 2020, arXiv 2011.06993, section 2.1) several times as many words as the sentence
has. In a window all of its sentences are each other's context. A model was not trained so:
what it sees of the neighbours is no longer marked as such, and differs in length.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from numpy.typing import NDArray


def windows(lengths: Sequence[int], words: int) -> Iterator[int]:
    """Yield how many sentences that follow each other have at most ``words`` words together, one at least.

    Args:
        lengths: Of the sentences of a document.
        words: The most that a window takes; a longer sentence is a window of its own.

    Raises:
        ValueError: ``words`` is not positive.
    """
    if words < 1:
        raise ValueError(f"expected windows of at least one word, found {words}")
    held = sentences = 0
    for length in lengths:
        if sentences and held + length > words:
            yield sentences
            held = sentences = 0
        held += length
        sentences += 1
    if sentences:
        yield sentences


def without_prompts(
    tags: NDArray[np.int64], ends: NDArray[np.int64], lengths: Sequence[Sequence[int]], prompt: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the tags of the sentences of windows, and where each sentence ends among them.

    *Shapes:* ``tags`` ``(words of all windows, prompts included,)``, ``ends`` ``(windows,)``; result
    ``(words of all sentences,)`` and ``(sentences,)``.

    Args:
        tags: Of all words.
        ends: Of the windows, counted as in ``leanner.taggers.rows.Chunk``.
        lengths: Of the sentences of each window.
        prompt: Words of the prompt before each window.
    """
    kept = np.ones(len(tags), dtype=bool)
    begins = np.concatenate(([0], ends[:-1])).astype(np.int64) if len(ends) else ends
    for offset in range(prompt):
        kept[begins + offset] = False
    flat = np.array([length for window in lengths for length in window], dtype=np.int64)
    return tags[kept], flat.cumsum()
