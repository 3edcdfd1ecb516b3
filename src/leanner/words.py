"""Words of a text: the one token definition for counting, training and seqeval."""

from __future__ import annotations

import re

from typing import Final


# Letters and digits in runs, everything else one character a word, so that
# "MLH1/MSH2-deficient" can be tagged piece by piece.
_WORD: Final = re.compile(r"[^\W_]+|[^\w\s]|_")


def word_offsets(text: str) -> list[tuple[int, int]]:
    """Return the ``(start, end)`` character offsets of the words of ``text``, end exclusive."""
    return [match.span() for match in _WORD.finditer(text)]
