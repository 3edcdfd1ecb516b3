"""Rows of a batch as a rectangle."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final
from typing import NamedTuple

import numpy as np

from leanner.taggers.lean.batches import token_batches


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.taggers.rows import Row


#: Positions of a rectangle at most, over the sub-tokens that a batch is filled up to.
_MOST_PADDED: Final = 2


class Padded(NamedTuple):
    """Some rows, ready for an engine; all int64.

    Attributes:
        ids: Sub-tokens, 0 behind the end of a row, ``(rows, longest)``.
        lengths: Of the rows, ``(rows,)``.
        wanted: ``row * longest + position`` of the hidden states that are wanted, ``(n,)``.
        words: The word that each of them belongs to, ``(n,)``.
    """

    ids: NDArray[np.int64]
    lengths: NDArray[np.int64]
    wanted: NDArray[np.int64]
    words: NDArray[np.int64]

    @property
    def inputs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """What the graph takes, in order."""
        return self.ids, self.lengths, self.wanted


def padded(rows: Sequence[Row]) -> Padded:
    """Return the rows as a rectangle, as long as the longest of them."""
    lengths = np.array([len(row.ids) for row in rows], dtype=np.int64)
    longest = int(lengths.max())
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = row.ids
    wanted = np.concatenate([row.positions + number * longest for number, row in enumerate(rows)])
    return Padded(ids, lengths, wanted, np.concatenate([row.words for row in rows]))


def rectangles(rows: Sequence[Row], batch_tokens: int) -> Iterator[Padded]:
    """Yield batches of rows sorted by length, up to so many sub-tokens, padding not counted: the lean runtime's.

    Where padding makes one more than twice as large, as one long row among hundreds of short ones does, it is cut. A
    row that is longer than the budget is a batch of its own.
    """
    lengths = [len(row.ids) for row in rows]
    for batch in token_batches(lengths, batch_tokens):
        rest = batch
        while rest:
            fitting = max(1, _MOST_PADDED * batch_tokens // lengths[rest[0]])
            chosen, rest = padded([rows[number] for number in rest[:fitting]]), rest[fitting:]
            # A window of a long text can lie between two words that it shares with its neighbours.
            if len(chosen.wanted):
                yield chosen
