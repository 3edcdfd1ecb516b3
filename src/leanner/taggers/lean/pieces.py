"""Sub-tokens of words, each word tokenized once.

A tokenizer that is given words takes each by itself (``tokenizers``, ``encode_single_sequence``), so that
what it makes of a word is the same in every sentence. Text repeats its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import NamedTuple

import numpy as np

from leanner.taggers.subtokens import read_whole


if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Words that are remembered; beyond that all are forgotten.
MOST: Final = 100_000


class Subtokens(NamedTuple):
    """Sentences as sub-tokens behind each other.

    Attributes:
        ids: Special ones included, ``(sub-tokens,)``.
        words: The number of the word in its sentence that each belongs to, -1 of a special one, ``(sub-tokens,)``.
        ends: The number of sub-tokens up to the end of each sentence, ``(sentences,)``.
    """

    ids: NDArray[np.int64]
    words: NDArray[np.int64]
    ends: NDArray[np.int64]


class Pieces:
    """What a tokenizer makes of words.

    Args:
        subtokens: A ``tokenizers.Tokenizer`` that puts special tokens at either end.
    """

    def __init__(self, subtokens: Any) -> None:  # noqa: ANN401 - see above
        self._subtokens: Final = subtokens
        self._known: dict[str, list[int]] = {}

    def forget(self) -> None:
        """Know no word: what is tagged next may not profit from what was tagged before."""
        self._known = {}

    def of(self, sentences: Sequence[Sequence[str]]) -> Subtokens:
        """Return the sub-tokens of sentences, special ones included."""
        known = self._learn(sentences)
        first, last = self._special()
        pieces = [known[word] for words in sentences for word in words]
        words = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        whose = np.repeat(np.arange(len(sentences)), words)
        # Of each sub-token: its word, numbered over all sentences, and its sentence.
        word = np.repeat(np.arange(len(pieces)), np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces)))
        sentence = whose[word]
        special = len(first) + len(last)
        ends = np.cumsum(np.bincount(sentence, minlength=len(sentences)) + special)
        begins = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1]))[: len(ends)]
        places = np.arange(len(word)) + sentence * special + len(first)
        ids = np.empty(len(word) + special * len(sentences), dtype=np.int64)
        ids[places] = np.fromiter(chain.from_iterable(pieces), dtype=np.int64, count=len(word))
        for place, token in enumerate(first):
            ids[begins + place] = token
        for place, token in enumerate(last):
            ids[ends - len(last) + place] = token
        numbers = np.full(len(ids), -1, dtype=np.int64)
        numbers[places] = word - (np.cumsum(words) - words)[sentence]
        return Subtokens(ids, numbers, ends)

    def _learn(self, sentences: Sequence[Sequence[str]]) -> dict[str, list[int]]:
        if len(self._known) > MOST:
            self._known = {}
        # Another thread may forget them meanwhile.
        known = self._known
        new = list(set(chain.from_iterable(sentences)).difference(known))
        read_whole(self._subtokens)
        if not new:
            return known
        # As one sentence: an encoding of its own for each word takes longer.
        while (encoding := self._encoding(new)).overflowing:
            # Who shares the tokenizer had it cut long texts meanwhile.
            read_whole(self._subtokens)
        pieces: list[list[int]] = [[] for _ in new]
        for token, number in zip(encoding.ids, encoding.word_ids, strict=True):
            pieces[number].append(token)
        known.update(zip(new, pieces, strict=True))
        return known

    def _encoding(self, words: list[str]) -> Any:  # noqa: ANN401 - a tokenizers.Encoding
        (encoding,) = self._subtokens.encode_batch([words], is_pretokenized=True, add_special_tokens=False)
        return encoding

    def _special(self) -> tuple[list[int], list[int]]:
        """Return the special tokens before and after a sentence."""
        word: list[str] = ["a"]
        inner = self._subtokens.encode(word, is_pretokenized=True, add_special_tokens=False).ids
        whole = self._subtokens.encode(word, is_pretokenized=True)
        begin = whole.word_ids.index(0)
        return whole.ids[:begin], whole.ids[begin + len(inner) :]
