"""From a sentence's text to Flair's sentence, with the character offsets of its tokens.

Flair cleans a text before it tokenizes it, and a task prompt moves the positions of its
tokens. The offsets are therefore kept beside Flair's object, never read from it later.
"""

from __future__ import annotations

import re
import unicodedata

from dataclasses import dataclass
from dataclasses import field
from typing import Final
from typing import NamedTuple
from typing import Protocol

from flair.data import Sentence
from flair.tokenization import SegtokTokenizer
from flair.tokenization import Tokenizer

from leanner.words import word_offsets


# What Flair 0.15.1 takes out of a text: zero-width characters, line separators, and
# the control characters that Windows-1252 does not use.
_TAKEN_OUT: Final = re.compile("[\u200b\u200c\ufe0f\ufeff\u2028\u2029\x81\x8d\x8f\x90]")
# Categories that BERT's normalizer removes, so that no sub-token is left.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn"})


class Tokenized(NamedTuple):
    """A sentence for Flair, and the ``(start, end)`` characters of each of its tokens, end exclusive."""

    sentence: Sentence
    offsets: list[tuple[int, int]]


class SplitText(NamedTuple):
    """The tokens of a sentence as texts, and the ``(start, end)`` characters of each, end exclusive."""

    texts: list[str]
    offsets: list[tuple[int, int]]


class SentenceTokenizer(Protocol):
    """Splits a text into tokens as the tagger was trained on."""

    @property
    def name(self) -> str:
        """What the record calls it."""
        ...

    def __call__(self, text: str) -> Tokenized | None:
        """Return the tokens of ``text``, or ``None`` if it has none."""
        ...

    def split(self, text: str) -> SplitText | None:
        """Return the same tokens without Flair's objects."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """The words of :func:`leanner.words.word_offsets` that BERT can see."""

    name: str = "leanner.words"

    def __call__(self, text: str) -> Tokenized | None:
        """Return the words of ``text``, or ``None`` if it has none."""
        words = self.split(text)
        return None if words is None else Tokenized(Sentence(words.texts), words.offsets)

    def split(self, text: str) -> SplitText | None:
        """Return the same words without Flair's objects."""
        offsets = [(start, end) for start, end in word_offsets(text) if _is_visible(text[start:end])]
        return SplitText([text[start:end] for start, end in offsets], offsets) if offsets else None


@dataclass(frozen=True, slots=True)
class FlairTokens:
    """The tokens that Flair itself finds; segtok's by default, as HunFlair2's documentation has it."""

    tokenizer: Tokenizer = field(default_factory=SegtokTokenizer)

    @property
    def name(self) -> str:
        """What the record calls it."""
        return f"flair.{self.tokenizer.name}"

    def __call__(self, text: str) -> Tokenized | None:
        """Return the tokens of ``text``, or ``None`` if it has none."""
        if not _TAKEN_OUT.sub("", text).strip():
            return None
        sentence = Sentence(text, use_tokenizer=self.tokenizer)
        if not sentence.tokens:
            return None
        if _TAKEN_OUT.search(text):
            kept = [index for index, character in enumerate(text) if not _TAKEN_OUT.match(character)]
            offsets = [(kept[token.start_position], kept[token.end_position - 1] + 1) for token in sentence.tokens]
        else:
            offsets = [(token.start_position, token.end_position) for token in sentence.tokens]
        return Tokenized(sentence, offsets)

    def split(self, text: str) -> SplitText | None:
        """Return the same tokens without Flair's objects."""
        tokenized = self(text)
        return None if tokenized is None else SplitText([t.text for t in tokenized.sentence.tokens], tokenized.offsets)


def _is_visible(word: str) -> bool:
    return word.isascii() or any(unicodedata.category(c) not in _INVISIBLE and c != "\ufffd" for c in word)
