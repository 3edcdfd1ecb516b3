"""From the tags of words to spans, over many sentences at once.

A span begins at B and S, where the entity type changes, and behind E and S; it ends before the next one and
before a word outside. In BIO and IO these are the groups of ``TokenClassificationPipeline.group_entities`` in
transformers 4.57, which knows no other letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Self

import numpy as np

from leanner.types import Span


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanner.taggers.hf.tags import Tag
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.rows import DocumentChunk
    from leanner.types import Label


@dataclass(frozen=True, slots=True)
class TagTable:
    """The tags of a checkpoint, as arrays over their numbers.

    Attributes:
        kind: Number of the tag's entity type, -1 outside and where it is none of ours.
        begins: Whether the tag is B or S.
        closes: Whether it is E or S.
        labels: The label of ours, ``None`` where there is none.
    """

    kind: NDArray[np.int64]
    begins: NDArray[np.bool_]
    closes: NDArray[np.bool_]
    labels: tuple[Label | None, ...]

    @classmethod
    def of(cls, tags: Sequence[Tag]) -> Self:
        """Return those of ``tags`` in the order of the checkpoint's scores."""
        kinds = list(dict.fromkeys(tag.kind for tag in tags if tag.label is not None))
        return cls(
            np.array([-1 if tag.label is None else kinds.index(tag.kind) for tag in tags], dtype=np.int64),
            np.array([tag.letter in ("B", "S") for tag in tags]),
            np.array([tag.letter in ("E", "S") for tag in tags]),
            tuple(tag.label for tag in tags),
        )


def spans_of(
    tags: NDArray[np.int64], ends: NDArray[np.int64], table: TagTable
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return first words, ends and tags of the first words of all spans, in order.

    *Shapes:* ``tags`` ``(words,)``; ``ends`` ``(sentences,)``, the number of words up to the end
    of each; the results ``(spans,)``.
    """
    if not len(tags):
        return tags, tags, tags
    kind = table.kind[tags]
    first = np.zeros(len(tags), dtype=bool)
    first[np.concatenate(([0], ends[:-1]))] = True
    changes = np.concatenate(([True], (kind[1:] != kind[:-1]) | table.closes[tags[:-1]]))
    starts = (kind >= 0) & (first | changes | table.begins[tags])
    # A span reaches to the next one, to a word outside or to the end of its sentence.
    next_is_other = np.concatenate((first[1:] | starts[1:] | (kind[1:] < 0), [True]))
    begin = np.flatnonzero(starts)
    return begin, np.flatnonzero((kind >= 0) & next_is_other) + 1, tags[begin]


def predictions(chunk: DocumentChunk, tags: NDArray[np.int64], table: TagTable) -> Iterator[Prediction]:
    """Yield the spans of each document of a chunk.

    *Shapes:* ``tags`` ``(words,)``.
    """
    begins, ends, heads = (values.tolist() for values in spans_of(tags, chunk.ends, table))
    found = zip(begins, ends, heads, strict=True)
    span = next(found, None)
    word = 0
    for document in chunk.offsets:
        sentences: list[tuple[Span, ...]] = []
        for offsets in document:
            spans: list[Span] = []
            end = word + len(offsets or ())
            while offsets and span is not None and span[0] < end:
                start, stop, label = offsets[span[0] - word][0], offsets[span[1] - word - 1][1], table.labels[span[2]]
                # A sub-token can stand for characters that its tokenizer takes out: no text is left of it.
                if label is not None and start < stop:
                    spans.append(Span(start, stop, label))
                span = next(found, None)
            sentences.append(tuple(spans))
            word = end
        yield tuple(sentences)
