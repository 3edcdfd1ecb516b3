"""What a model is given: rows of sub-tokens, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import numpy as np

    from numpy.typing import NDArray


#: For each sentence of each document the characters of its words, ``None`` without a word.
Offsets = list[list[list[tuple[int, int]] | None]]


@dataclass(frozen=True, slots=True)
class Row:
    """One input of the model.

    Attributes:
        ids: Sub-tokens, special ones included.
        positions: Those whose hidden states are wanted.
        words: The word that each of them belongs to, numbered over the chunk; prompt words have numbers too.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    words: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some sentences, ready for the model.

    Attributes:
        rows: In the order of the text.
        ends: For each sentence with a word, the number of words up to its end, prompts included.
    """

    rows: list[Row]
    ends: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DocumentChunk(Chunk):
    """Some documents, ready for the model.

    Attributes:
        offsets: Of all words.
    """

    offsets: Offsets
