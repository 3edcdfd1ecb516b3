"""From texts to rows of sub-tokens, the first one of each word marked.

A checkpoint was trained on one label a word, at its first sub-token. The words of a tokenizer that marks what continues
a word (WordPiece) are its own. One that does not (byte-level BPE, SentencePiece) knows none; the words are
then those of BERT's pre-tokenizer, runs without blanks and every punctuation mark for itself, and a sub-token belongs
to the word in which it begins, blanks before it left aside.

A text longer than the model is read in windows that overlap, each sub-token by the window in whose middle it lies.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import numpy as np

from tokenizers.pre_tokenizers import BertPreTokenizer

from leanner.taggers.rows import DocumentChunk
from leanner.taggers.rows import Row
from leanner.taggers.subtokens import read_in_windows


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.types import Document


@dataclass(frozen=True, slots=True)
class TypedRow(Row):
    """One input of the model.

    Attributes:
        types: Segment of each sub-token.
    """

    types: NDArray[np.int64]


class TextEncoder:
    """Tokenizes documents for one model.

    Args:
        subtokens: A ``tokenizers.Tokenizer``.
        longest: Sub-tokens of a row at most, special ones included.

    Raises:
        ValueError: A row has no room for a word.
    """

    def __init__(self, subtokens: Any, longest: int) -> None:  # noqa: ANN401 - see above
        self.subtokens: Final = subtokens
        self.longest: Final = longest
        room = longest - self.subtokens.num_special_tokens_to_add(is_pair=False)
        if room < 1:
            raise ValueError(f"expected room for a sub-token in a row, found rows of {longest}, special ones included")
        #: How many sub-tokens two windows share.
        self.overlap: Final = min(longest // 4, room - 1)
        self.knows_words: Final = bool(getattr(self.subtokens.model, "continuing_subword_prefix", None))
        self._pieces: Final = BertPreTokenizer()

    @property
    def words(self) -> str:
        """Whose words they are."""
        return type(self.subtokens.model).__name__ if self.knows_words else type(self._pieces).__name__

    def __call__(self, documents: Sequence[Document]) -> DocumentChunk:
        """Return the rows of ``documents``; each sentence is read alone."""
        texts = [sentence.text for document in documents for sentence in document.sentences]
        encodings = iter(zip(texts, self._encode(texts), strict=True))
        rows: list[Row] = []
        ends: list[int] = []
        offsets: list[list[list[tuple[int, int]] | None]] = []
        begin = 0
        for document in documents:
            offsets.append([])
            for _ in document.sentences:
                text, encoding = next(encodings)
                sentence = _Sentence(text, begin, None if self.knows_words else self._pieces)
                for window, kept in self._windows(encoding):
                    rows.extend(sentence.read(window, kept))
                offsets[-1].append(sentence.offsets())
                begin += len(sentence.words)
                if sentence.words:
                    ends.append(begin)
        return DocumentChunk(rows, np.array(ends, dtype=np.int64), offsets)

    def _encode(self, texts: list[str]) -> list[Any]:
        read_in_windows(self.subtokens, self.longest, self.overlap)
        encodings: list[Any] = self.subtokens.encode_batch(texts)
        return encodings

    def _windows(self, encoding: Any) -> Iterator[tuple[Any, list[int]]]:  # noqa: ANN401 - tokenizers'
        """Yield each window with the positions that are read in it: all of the text's, each once."""
        windows = [encoding, *encoding.overflowing]
        half = self.overlap // 2
        for number, window in enumerate(windows):
            inner = [position for position, special in enumerate(window.special_tokens_mask) if not special]
            begin = half if number else 0
            end = len(inner) if window is windows[-1] else len(inner) - (self.overlap - half)
            yield window, inner[begin:end]


class _Sentence:
    """The words of a sentence, as its windows are read one after the other.

    Args:
        text: Of the sentence.
        number: Of its first word.
        pieces: Finds the words; the tokenizer does if ``None``.

    Attributes:
        words: First and last character of each, end exclusive.
    """

    def __init__(self, text: str, number: int, pieces: BertPreTokenizer | None) -> None:
        self._text = text
        self._number = number
        self._known = pieces is None
        self._ends = [] if pieces is None else [end for _, (_, end) in pieces.pre_tokenize_str(text)]
        self._last: int | None = None
        self.words: list[list[int]] = []

    def read(self, window: Any, kept: Sequence[int]) -> Iterator[TypedRow]:  # noqa: ANN401 - tokenizers'
        """Yield the row of a window, unless no word begins in it.

        Args:
            window: An encoding.
            kept: The positions that are read in it.
        """
        characters = window.offsets
        owners = window.word_ids if self._known else [self._owner(*pair) for pair in characters]
        firsts: list[int] = []
        before = len(self.words)
        for position in kept:
            owner = owners[position]
            if owner is None:
                continue
            begin, end = characters[position]
            if owner != self._last:
                firsts.append(position)
                self.words.append([begin, end])
                self._last = owner
            self.words[-1][1] = max(self.words[-1][1], end)
        if firsts:
            numbers = np.arange(self._number + before, self._number + len(self.words))
            ids, types = np.array(window.ids, dtype=np.int64), np.array(window.type_ids, dtype=np.int64)
            yield TypedRow(ids, np.array(firsts, dtype=np.int64), numbers, types)

    def offsets(self) -> list[tuple[int, int]] | None:
        """Return the characters of each word without blanks around it; ``None`` without a word."""
        if not self.words:
            return None
        trimmed = []
        for begin, end in self.words:
            word = self._text[begin:end]
            start = end - len(word.lstrip())
            trimmed.append((start, start + len(word.strip())))
        return trimmed

    def _owner(self, begin: int, end: int) -> int | None:
        """Return the number of the word that a sub-token belongs to."""
        while begin < end and self._text[begin].isspace():
            begin += 1
        # Blanks alone are the begin of a word if it follows at once (SentencePiece), else of none.
        if begin == len(self._text) or self._text[begin].isspace():
            return None
        number = bisect_right(self._ends, begin)
        return number if number < len(self._ends) else None
