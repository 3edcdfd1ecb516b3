"""From a chunk of sentences to rows of sub-tokens, as Flair's transformer embeddings make them.

Prompt, FLERT context and separators stand where Flair puts them (Schweter and Akbik 2020,
arXiv 2011.06993, section 2.1), and a text longer than the model is read in windows that
overlap by ``stride``, of which each keeps its middle: ``combine_strided_tensors`` in
``flair.embeddings.transformer``.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final
from typing import NamedTuple

import numpy as np

from leanner.taggers.lean.pieces import Pieces
from leanner.taggers.lean.windows import windows_of
from leanner.taggers.rows import Chunk
from leanner.taggers.rows import DocumentChunk
from leanner.taggers.rows import Offsets
from leanner.taggers.rows import Row


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.taggers.lean.reading import Reading
    from leanner.taggers.splitters import Splitter
    from leanner.types import Document


class InContext(NamedTuple):
    """The words of a sentence, prompt included, and those around it, without separators."""

    left: list[str]
    text: list[str]
    right: list[str]


class Texts(NamedTuple):
    """What is to be encoded of some documents.

    Attributes:
        inputs: Their sentences with a word, or windows of them.
        lengths: Words of the sentences of each window; ``None`` where each input is a sentence.
        offsets: Of the words.
    """

    inputs: list[InContext]
    lengths: list[list[int]] | None
    offsets: Offsets


class WordEncoder:
    """Makes rows of words.

    Args:
        reading: How the tagger has them.
    """

    def __init__(self, reading: Reading) -> None:
        self.prompt: Final = list(reading.prompt)
        self._pieces: Final = Pieces(reading.subtokens)
        self.context: Final = reading.context
        self.separator: Final = [] if reading.separator is None else [reading.separator]
        self.every_subtoken: Final = reading.pooling == "mean"
        self.longest: Final = reading.longest
        self.stride: Final = reading.stride
        self.windows: Final = reading.windows

    def encode(self, sentences: Iterable[InContext]) -> Chunk:
        """Return the rows of ``sentences``, each of which has a word."""
        inputs: list[list[str]] = []
        spans: list[tuple[int, int]] = []
        for left, text, right in sentences:
            inputs.append([*left, *self.separator, *text, *self.separator, *right])
            first = len(left) + len(self.separator)
            spans.append((first, first + len(text)))
        firsts, lasts = np.array(spans, dtype=np.int64).reshape(-1, 2).T
        ends = np.cumsum(lasts - firsts)
        subtokens = self._pieces.of(inputs)
        lengths = np.diff(subtokens.ends, prepend=0)
        sentence = np.repeat(np.arange(len(inputs)), lengths)
        words = subtokens.words
        # A word without a number of its own stands outside the sentence.
        inside = (firsts[sentence] <= words) & (words < lasts[sentence])
        numbers = np.where(inside, (ends - lasts)[sentence] + words, -1)
        wanted = np.flatnonzero(self._wanted(numbers, -1))
        positions = wanted - (subtokens.ends - lengths)[sentence[wanted]]
        belongs = numbers[wanted]
        bounds = zip(subtokens.ends.tolist(), np.searchsorted(wanted, subtokens.ends).tolist(), strict=True)
        rows: list[Row] = []
        begin = begin_wanted = 0
        for end, end_wanted in bounds:
            own, of_row = slice(begin, end), slice(begin_wanted, end_wanted)
            if self.longest is None or end - begin <= self.longest:
                rows.append(Row(subtokens.ids[own], positions[of_row], belongs[of_row]))
            else:
                rows.extend(self._windows(subtokens.ids[own], numbers[own], self.longest))
            begin, begin_wanted = end, end_wanted
        return Chunk(rows, ends)

    def in_order(self, texts: Sequence[list[str]]) -> Iterator[InContext]:
        """Yield the sentences of ``texts``, which follow each other, the prompt before each, with their context."""
        prompted = (self.prompt + text for text in texts)
        if not self.context:
            yield from (InContext([], text, []) for text in prompted)
            return
        sentences = list(prompted)
        document = [word for text in sentences for word in text]
        begin = 0
        for text in sentences:
            end = begin + len(text)
            left, right = document[max(0, begin - self.context) : begin], document[end : end + self.context]
            yield InContext(left, text, right)
            begin = end

    def forget(self) -> None:
        """Forget the sub-tokens of words: a text that is tagged again takes as long as the first time."""
        self._pieces.forget()

    def prefix(self) -> NDArray[np.int64]:
        """Return the sub-tokens up to the end of the prompt: what rows without context begin with."""
        return self._pieces.of([self.prompt]).ids[:-1]

    def _windows(self, ids: NDArray[np.int64], numbers: NDArray[np.int64], longest: int) -> Iterator[Row]:
        """Yield what the model reads of a row that is too long for it."""
        size = longest - 2
        if not self.windows:
            ids, numbers = np.append(ids[: size + 1], ids[-1]), np.append(numbers[: size + 1], -1)
            yield self._row(ids, numbers, np.ones(len(ids), dtype=bool), -1)
            return
        half, before = self.stride // 2, -1
        starts = range(0, max(1, len(ids) - 2 - self.stride), size - self.stride)
        for start in starts:
            inner = slice(1 + start, min(1 + start + size, len(ids) - 1))
            window = np.concatenate((ids[:1], ids[inner], ids[-1:]))
            number = np.concatenate((numbers[:1], numbers[inner], numbers[-1:]))
            kept = np.zeros(len(window), dtype=bool)
            begin = 0 if start == starts[0] else half + 1
            end = len(window) if start == starts[-1] else longest - 1 - half
            kept[begin:end] = True
            yield self._row(window, number, kept, before)
            before = int(number[kept][-1]) if kept.any() else before

    def _row(self, ids: NDArray[np.int64], numbers: NDArray[np.int64], kept: NDArray[np.bool_], before: int) -> Row:
        positions = np.flatnonzero(kept)
        words = numbers[positions]
        wanted = self._wanted(words, before)
        return Row(ids, positions[wanted], words[wanted])

    def _wanted(self, words: NDArray[np.int64], before: int) -> NDArray[np.bool_]:
        """Return whether the head needs each sub-token; ``before`` is the word of the one before them."""
        wanted = words >= 0
        if not self.every_subtoken:
            wanted &= words != np.concatenate(([before], words[:-1]))
        return wanted


class Encoder(WordEncoder):
    """Tokenizes documents for one model.

    Args:
        reading: How the tagger has words.
        splitter: Splits a sentence into words.
        window_words: The most words of sentences that are one input together; 0 for each sentence alone.
    """

    def __init__(self, reading: Reading, splitter: Splitter, window_words: int = 0) -> None:
        super().__init__(reading)
        self.words: Final = splitter
        self.window_words: Final = window_words

    def __call__(self, documents: Sequence[Document]) -> DocumentChunk:
        """Return the rows of ``documents``; a sentence has neighbours in its own document only."""
        texts = self.texts(documents)
        chunk = self.encode(texts.inputs)
        return DocumentChunk(chunk.rows, chunk.ends, texts.offsets)

    def texts(self, documents: Sequence[Document]) -> Texts:
        """Return the sentences of ``documents`` with their words, or their windows."""
        texts = Texts([], [] if self.window_words else None, [])
        for document in documents:
            split = [self.words.split(sentence.text) for sentence in document.sentences]
            texts.offsets.append([None if words is None else words.offsets for words in split])
            sentences = [words.texts for words in split if words is not None]
            if texts.lengths is not None:
                grouped = list(windows_of(sentences, self.window_words))
                texts.lengths.extend([len(words) for words in window] for window in grouped)
                sentences = [[word for words in window for word in words] for window in grouped]
            texts.inputs.extend(self.in_order(sentences))
        return texts
