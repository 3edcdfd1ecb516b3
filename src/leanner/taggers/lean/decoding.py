"""From the tags of words to spans, over many sentences at once, as ``flair.data.get_spans_from_bio`` reads them.

B and S begin a span. So does I, if the word before has another type or none. A span ends
before the next one and before O. Its type is the one that most of its words have, the
first counting 1.1 if it begins by the rule above, and the first among equals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final
from typing import Self

import numpy as np


if TYPE_CHECKING:
    from numpy.typing import NDArray

_OUTSIDE: Final = frozenset({"", "O", "_"})
_FIRST_WEIGHT: Final = 1.1


@dataclass(frozen=True, slots=True)
class TagSet:
    """The tags of a head, as arrays over their numbers.

    Attributes:
        types: Names of the types.
        type_of: Number of the tag's type, -1 outside.
        begins: Whether the tag is B or S.
        inside: Whether it is I.
    """

    types: tuple[str, ...]
    type_of: NDArray[np.int64]
    begins: NDArray[np.bool_]
    inside: NDArray[np.bool_]

    @classmethod
    def of(cls, tags: Sequence[str]) -> Self:
        """Return those of ``tags`` in the order of the head's rows."""
        types = tuple(dict.fromkeys(tag[2:] for tag in tags if tag not in _OUTSIDE))
        return cls(
            types,
            np.array([-1 if tag in _OUTSIDE else types.index(tag[2:]) for tag in tags]),
            np.array([tag[:2] in ("B-", "S-") for tag in tags]),
            np.array([tag[:2] == "I-" for tag in tags]),
        )


def spans_of(
    tags: NDArray[np.int64], ends: NDArray[np.int64], tag_set: TagSet
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return first words, ends and types of all spans, in order.

    *Shapes:* ``tags`` ``(words,)``; ``ends`` ``(sentences,)``, the number of words up to the end
    of each; the results ``(spans,)``.
    """
    types = tag_set.type_of[tags]
    if not len(types):
        return types, types, types
    before = np.concatenate(([-1], types[:-1]))
    before[ends[:-1]] = -1
    within = types >= 0
    starts = within & (tag_set.begins[tags] | (tag_set.inside[tags] & (before != types)))
    first = np.flatnonzero(starts | (within & (before < 0)))
    if not len(first):
        return first, first, first
    # A span reaches to the next one or to the first word outside.
    span = np.cumsum(np.isin(np.arange(len(tags)), first)) - 1
    words = np.flatnonzero(within)
    length = np.bincount(span[words], minlength=len(first))
    return first, first + length, _majority(types, starts, first, length)


def _majority(
    types: NDArray[np.int64], starts: NDArray[np.bool_], first: NDArray[np.int64], length: NDArray[np.int64]
) -> NDArray[np.int64]:
    result = types[first]
    changes = np.cumsum(np.concatenate(([0], types[1:] != types[:-1])))
    # Few spans have more than one type.
    for number in np.flatnonzero(changes[first] != changes[first + length - 1]):
        weights: dict[int, float] = {}
        for word in range(first[number], first[number] + length[number]):
            kind = int(types[word])
            weights[kind] = weights.get(kind, 0.0) + (_FIRST_WEIGHT if starts[word] else 1.0)
        result[number] = max(weights, key=weights.__getitem__)
    return result
