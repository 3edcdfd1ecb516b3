"""From a sentence's text to its words with their offsets, without Flair's objects.

What Flair's own tokenizers do is done again step for step, from ``flair.data.Sentence`` and
``flair.tokenization``: a tagger must see the words that it was trained on.
"""

from __future__ import annotations

import re
import unicodedata

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from typing import NamedTuple
from typing import Protocol

from segtok.segmenter import split_single
from segtok.tokenizer import split_contractions
from segtok.tokenizer import word_tokenizer

from leanner.words import word_offsets


# What Flair 0.15.1 takes out of a text: zero-width characters, line separators, and
# the control characters that Windows-1252 does not use.
TAKEN_OUT: Final = re.compile("[\u200b\u200c\ufe0f\ufeff\u2028\u2029\x81\x8d\x8f\x90]")
# The control characters that it reads as Windows-1252.
_RESTORED: Final = {code: bytes([code]).decode("cp1252", "replace") for code in range(0x80, 0x9A)}
# Categories that BERT's normalizer removes, so that no sub-token is left.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn"})


class SplitText(NamedTuple):
    """The words of a sentence as texts, and the ``(start, end)`` characters of each, end exclusive."""

    texts: list[str]
    offsets: list[tuple[int, int]]


class Splitter(Protocol):
    """Splits a text into words as the tagger was trained on."""

    @property
    def name(self) -> str:
        """What the record calls it."""
        ...

    def split(self, text: str) -> SplitText | None:
        """Return the words of ``text``, or ``None`` if it has none."""
        ...


@dataclass(frozen=True, slots=True)
class VisibleWords:
    """The words of :func:`leanner.words.word_offsets` that BERT can see."""

    name: str = "leanner.words"

    def split(self, text: str) -> SplitText | None:
        """Return the words of ``text``, or ``None`` if it has none."""
        offsets = word_offsets(text)
        if not text.isascii():
            offsets = [(start, end) for start, end in offsets if _is_visible(text[start:end])]
        return SplitText([text[start:end] for start, end in offsets], offsets) if offsets else None


@dataclass(frozen=True, slots=True)
class SegtokWords:
    """The words that Flair finds by segtok.

    Attributes:
        split_characters: Each of them is a word of its own.
    """

    split_characters: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the record calls it."""
        return "flair.SegtokTokenizer"

    def split(self, text: str) -> SplitText | None:
        """Return the words of ``text``, or ``None`` if it has none."""
        return _located(text, self._words, self._unhyphenated)

    def _words(self, text: str) -> list[str]:
        if self.split_characters:
            symbols = f"[{re.escape(''.join(self.split_characters))}]"
            text = re.sub(rf"(\S)({symbols})", r"\1 \2", text)
            text = re.sub(rf"({symbols})(\S)", r"\1 \2", text)
        return [
            word for sentence in split_single(text) for word in split_contractions(word_tokenizer(sentence)) if word
        ]

    def _unhyphenated(self, text: str) -> list[str]:
        # segtok joins words around a hyphen and a carriage return, and repeats parts of a word with two apostrophes.
        return [word for sentence in split_single(text.replace("\r", " ")) for word in word_tokenizer(sentence) if word]


@dataclass(frozen=True, slots=True)
class SpacedWords:
    """What stands between spaces, as Flair's ``SpaceTokenizer`` has it."""

    name: str = "flair.SpaceTokenizer"

    def split(self, text: str) -> SplitText | None:
        """Return the words of ``text``, or ``None`` if it has none."""
        return _located(text, _between_spaces, _between_spaces)


def _between_spaces(text: str) -> list[str]:
    return [word for word in text.split(" ") if word]


def _located(
    text: str, words_of: Callable[[str], list[str]], otherwise: Callable[[str], list[str]]
) -> SplitText | None:
    """Return the words of what Flair leaves of ``text``, with their places in ``text`` itself.

    Args:
        text: As it is given.
        words_of: Flair's tokenizer.
        otherwise: Asked where a word of Flair's is not in the text, of which Flair can make no sentence.
    """
    cleaned = TAKEN_OUT.sub("", text)
    if not cleaned.strip():
        return None
    cleaned = cleaned.translate(_RESTORED)
    words = words_of(cleaned)
    try:
        places = _places(cleaned, words)
    except ValueError:
        words = otherwise(cleaned)
        places = _places(cleaned, words)
    if not words:
        return None
    if len(cleaned) == len(text):
        return SplitText(words, places)
    kept = [index for index, character in enumerate(text) if not TAKEN_OUT.match(character)]
    return SplitText(words, [(kept[start], kept[end - 1] + 1) for start, end in places])


def _places(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    places, position = [], 0
    for word in words:
        start = text.index(word, position)
        position = start + len(word)
        places.append((start, position))
    return places


def _is_visible(word: str) -> bool:
    return word.isascii() or any(unicodedata.category(c) not in _INVISIBLE and c != "\ufffd" for c in word)
