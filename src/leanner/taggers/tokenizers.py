"""From a sentence's text to Flair's sentence, with the character offsets of its tokens.

Flair cleans a text before it tokenizes it, and a task prompt moves the positions of its
tokens. The offsets are therefore kept beside Flair's object, never read from it later.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple
from typing import Protocol

from flair.data import Sentence
from flair.tokenization import SegtokTokenizer
from flair.tokenization import SpaceTokenizer
from flair.tokenization import Tokenizer

from leanner.taggers.splitters import TAKEN_OUT
from leanner.taggers.splitters import SegtokWords
from leanner.taggers.splitters import SpacedWords
from leanner.taggers.splitters import Splitter
from leanner.taggers.splitters import SplitText
from leanner.taggers.splitters import VisibleWords


class Tokenized(NamedTuple):
    """A sentence for Flair, and the ``(start, end)`` characters of each of its tokens, end exclusive."""

    sentence: Sentence
    offsets: list[tuple[int, int]]


class SentenceTokenizer(Splitter, Protocol):
    """Splits a text into tokens as the tagger was trained on, for Flair and without it."""

    def __call__(self, text: str) -> Tokenized | None:
        """Return the tokens of ``text``, or ``None`` if it has none."""
        ...


@dataclass(frozen=True, slots=True)
class Words(VisibleWords):
    """The words of :func:`leanner.words.word_offsets` that BERT can see."""

    def __call__(self, text: str) -> Tokenized | None:
        """Return the words of ``text``, or ``None`` if it has none."""
        words = self.split(text)
        return None if words is None else Tokenized(Sentence(words.texts), words.offsets)


@dataclass(frozen=True, slots=True)
class FlairTokens:
    """The tokens that Flair itself finds; segtok's by default, as HunFlair2's documentation has it."""

    tokenizer: Tokenizer = field(default_factory=SegtokTokenizer)

    @property
    def name(self) -> str:
        """What the record calls it."""
        return f"flair.{self.tokenizer.name}"

    @property
    def splitter(self) -> Splitter | None:
        """What finds the same tokens without Flair; ``None`` if nothing does."""
        # A subclass may split otherwise.
        if type(self.tokenizer) is SegtokTokenizer:
            return SegtokWords(tuple(self.tokenizer.additional_split_characters or ()))
        return SpacedWords() if type(self.tokenizer) is SpaceTokenizer else None

    def __call__(self, text: str) -> Tokenized | None:
        """Return the tokens of ``text``, or ``None`` if it has none."""
        if not TAKEN_OUT.sub("", text).strip():
            return None
        sentence = Sentence(text, use_tokenizer=self.tokenizer)
        if not sentence.tokens:
            return None
        if TAKEN_OUT.search(text):
            kept = [index for index, character in enumerate(text) if not TAKEN_OUT.match(character)]
            offsets = [(kept[token.start_position], kept[token.end_position - 1] + 1) for token in sentence.tokens]
        else:
            offsets = [(token.start_position, token.end_position) for token in sentence.tokens]
        return Tokenized(sentence, offsets)

    def split(self, text: str) -> SplitText | None:
        """Return the same tokens without Flair's objects."""
        if self.splitter is not None:
            return self.splitter.split(text)
        tokenized = self(text)
        return None if tokenized is None else SplitText([t.text for t in tokenized.sentence.tokens], tokenized.offsets)
