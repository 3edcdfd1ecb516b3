"""What splits words, as a file names it, and again."""

from __future__ import annotations

from typing import Final

from leanner.export.manifest import WordSplitting
from leanner.taggers.errors import TaggerError
from leanner.taggers.splitters import SegtokWords
from leanner.taggers.splitters import SpacedWords
from leanner.taggers.splitters import Splitter
from leanner.taggers.splitters import VisibleWords


_PLAIN: Final[tuple[type[VisibleWords | SpacedWords], ...]] = (VisibleWords, SpacedWords)
_NAMES: Final = tuple(kind().name for kind in (VisibleWords, SegtokWords, SpacedWords))


def named_splitting(splitter: Splitter) -> WordSplitting:
    """Return how a file names ``splitter``.

    Raises:
        TaggerError: It needs more than an export has.
    """
    # A tokenizer of Flair's knows what does the same without Flair.
    plain = getattr(splitter, "splitter", splitter)
    if isinstance(plain, SegtokWords):
        return WordSplitting(plain.name, plain.split_characters)
    if isinstance(plain, _PLAIN):
        return WordSplitting(plain.name)
    raise TaggerError(
        f"expected words that are split by one of {', '.join(_NAMES)}, found {splitter.name}, which an export cannot "
        "do without Flair; export a tagger that splits them otherwise"
    )


def splitter_of(splitting: WordSplitting) -> Splitter:
    """Return what a file names.

    Raises:
        TaggerError: There is nothing of that name.
    """
    if splitting.name == SegtokWords().name:
        return SegtokWords(splitting.split_characters)
    for kind in _PLAIN:
        if splitting.name == kind().name:
            return kind()
    raise TaggerError(
        f"expected words that are split by one of {', '.join(_NAMES)}, found {splitting.name}; update leanner"
    )
