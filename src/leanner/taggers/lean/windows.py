"""Sentences of a document that are computed together, each of them once.

A tagger with context computes the neighbours of a sentence with every sentence: at 64 words to
each side (FLERT, Schweter and Akbik 2020, arXiv 2011.06993, section 2.1) several times as many words as the sentence
has. In a window all of its sentences are each other's context; what stands before and behind the window is the
context of all of it. A model was not trained so: neighbours within the window are not marked as such, and differ in
length.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from numpy.typing import NDArray


def windows_of(sentences: Sequence[list[str]], words: int) -> Iterator[Sequence[list[str]]]:
    """Yield sentences that follow each other and have at most ``words`` words together, one at least.

    Args:
        sentences: Of a document, as words.
        words: The most that a window takes; a longer sentence is a window of its own.

    Raises:
        ValueError: ``words`` is not positive.
    """
    if words < 1:
        raise ValueError(f"expected windows of at least one word, found {words}")
    begin = held = 0
    for number, sentence in enumerate(sentences):
        if begin < number and held + len(sentence) > words:
            yield sentences[begin:number]
            begin, held = number, 0
        held += len(sentence)
    if begin < len(sentences):
        yield sentences[begin:]


def sentences_of(lengths: Sequence[Sequence[int]], prompt: int) -> tuple[NDArray[np.int64], list[int]]:
    """Return where the sentences of windows end, and how many words of a prompt each begins with.

    The prompt of a window is its first sentence's: what begins in it and ends in the text is then cut off
    as it is where each sentence has one.

    *Shapes:* ends ``(sentences,)``, counted as in ``leanner.taggers.rows.Chunk``.

    Args:
        lengths: Words of the sentences of each window.
        prompt: Words of the prompt before each window.
    """
    prompts = [0 if number else prompt for window in lengths for number in range(len(window))]
    flat = [length for window in lengths for length in window]
    return np.cumsum([words + before for words, before in zip(flat, prompts, strict=True)], dtype=np.int64), prompts
