"""Sub-tokens of words, each word tokenized once.

A tokenizer that is given words takes each by itself (``tokenizers``, ``encode_single_sequence``), so that
what it makes of a word is the same in every sentence. Text repeats its words.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import numpy as np

from leanner.taggers.subtokens import read_whole


if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Words that are remembered; beyond that all are forgotten.
MOST: Final = 100_000


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

    def rows(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the sub-tokens of each sentence, special ones included, and the number of each one's word.

        *Shapes:* both ``(sub-tokens,)``; the number of a special token is -1.
        """
        known = self._learn(sentences)
        first, last = self._special()
        for words in sentences:
            pieces = [known[word] for word in words]
            ids = np.array([*first, *chain.from_iterable(pieces), *last], dtype=np.int64)
            numbers = np.full(len(ids), -1, dtype=np.int64)
            lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
            numbers[len(first) : len(ids) - len(last)] = np.repeat(np.arange(len(words)), lengths)
            yield ids, numbers

    def _learn(self, sentences: Sequence[Sequence[str]]) -> dict[str, list[int]]:
        if len(self._known) > MOST:
            self._known = {}
        # Another thread may forget them meanwhile.
        known = self._known
        new = list(set(chain.from_iterable(sentences)).difference(known))
        read_whole(self._subtokens)
        alone = self._subtokens.encode_batch([[word] for word in new], is_pretokenized=True, add_special_tokens=False)
        known.update((word, encoding.ids) for word, encoding in zip(new, alone, strict=True))
        return known

    def _special(self) -> tuple[list[int], list[int]]:
        """Return the special tokens before and after a sentence."""
        word: list[str] = ["a"]
        inner = self._subtokens.encode(word, is_pretokenized=True, add_special_tokens=False).ids
        whole = self._subtokens.encode(word, is_pretokenized=True)
        begin = whole.word_ids.index(0)
        return whole.ids[:begin], whole.ids[begin + len(inner) :]
