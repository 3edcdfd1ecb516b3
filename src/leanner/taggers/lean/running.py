"""Documents in, spans out, whatever decides the tags: chunks, one made ready while the other is decided."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from itertools import islice
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import TypeVar

from leanner.taggers.chunks import document_chunks
from leanner.taggers.lean.batches import check_limits
from leanner.taggers.lean.decoding import TagSet
from leanner.taggers.lean.decoding import spans_of
from leanner.taggers.lean.encoding import Encoder
from leanner.types import Document
from leanner.types import Label
from leanner.types import Span


if TYPE_CHECKING:
    import numpy as np

    from numpy.typing import NDArray

    from leanner.taggers.lean.deciding import Deciding
    from leanner.taggers.lean.reading import Reading
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.rows import DocumentChunk
    from leanner.taggers.splitters import Splitter

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class Runner:
    """Reads as a tagger reads, has its tags decided, and makes spans of them.

    Args:
        reading: How words become sub-tokens.
        splitter: Splits a sentence into words.
        decide: Makes tags of rows of sub-tokens.
        tags: In the order in which they are numbered.
        label_of: The label of each entity type that has one.
        chunk_sentences: Sentences that are sorted by length together; no more than two chunks
            of about so many are held in memory.

    Raises:
        ValueError: A batch or a chunk of nothing.
    """

    def __init__(
        self,
        reading: Reading,
        splitter: Splitter,
        decide: Deciding,
        *,
        tags: Sequence[str],
        label_of: Mapping[str, Label],
        chunk_sentences: int = 1024,
    ) -> None:
        check_limits(decide.batch_tokens, chunk_sentences)
        self.reading: Final = reading
        self.splitter: Final = splitter
        self.tags: Final = tuple(tags)
        self.label_of: Final = dict(label_of)
        self.chunk_sentences: Final = chunk_sentences
        self.prefix_caching: Final = decide.prefix_ids is not None
        self._skipped: Final = len(reading.prompt)
        self._encode: Final = Encoder(reading, splitter)
        self._decide: Deciding = decide
        self._tag_set: Final = TagSet.of(self.tags)
        self._labels: Final = [self.label_of.get(name) for name in self._tag_set.types]

    @property
    def batch_tokens(self) -> int:
        """Sub-tokens in one forward pass."""
        return self._decide.batch_tokens

    def describe(self) -> dict[str, Any]:
        """Return how texts reach the model, ready for JSON."""
        return {
            "tokenizer": self.splitter.name,
            "batch_tokens": self.batch_tokens,
            "chunk_sentences": self.chunk_sentences,
            "context_tokens": self.reading.context,
            "prefix_caching": self.prefix_caching,
        }

    def encode(self, documents: Sequence[Document]) -> DocumentChunk:
        """Return the rows of documents, as they are decided."""
        return self._encode(documents)

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order."""
        self._encode.forget()
        for chunk in one_ahead(document_chunks(documents, self.chunk_sentences), self._encode):
            yield from self._spans(chunk, self._decide(chunk).tags)

    def _spans(self, chunk: DocumentChunk, tags: NDArray[np.int64]) -> Iterator[Prediction]:
        first, last, kinds = (values.tolist() for values in spans_of(tags, chunk.ends, self._tag_set))
        found = zip(first, last, kinds, strict=True)
        span = next(found, None)
        begin, ends = 0, iter(chunk.ends.tolist())
        for document in chunk.offsets:
            sentences: list[tuple[Span, ...]] = []
            for offsets in document:
                if offsets is None:
                    sentences.append(())
                    continue
                end = next(ends)
                text = begin + self._skipped
                spans: list[Span] = []
                while span is not None and span[0] < end:
                    label = self._labels[span[2]]
                    # What begins in the prompt is no span of the text.
                    if label is not None and span[0] >= text:
                        spans.append(Span(offsets[span[0] - text][0], offsets[span[1] - text - 1][1], label))
                    span = next(found, None)
                sentences.append(tuple(sorted(spans)))
                begin = end
            yield tuple(sentences)


def one_ahead(items: Iterable[_Given], make: Callable[[_Given], _Made]) -> Iterator[_Made]:
    """Yield ``make(item)`` of each item in order, the next one being made in a thread meanwhile."""
    remaining = iter(items)
    begin = list(islice(remaining, 2))
    if len(begin) < 2:
        # A thread would only delay a single one.
        yield from map(make, begin)
        return
    with ThreadPoolExecutor(1, "leanner-encode") as pool:
        waiting = pool.submit(make, begin[0])
        for item in chain(begin[1:], remaining):
            following = pool.submit(make, item)
            yield waiting.result()
            waiting = following
        yield waiting.result()
