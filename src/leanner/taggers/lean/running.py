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
from itertools import repeat
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import TypeVar

from leanner.taggers.chunks import document_chunks
from leanner.taggers.lean.batches import check_limits
from leanner.taggers.lean.decoding import TagSet
from leanner.taggers.lean.decoding import spans_of
from leanner.taggers.lean.encoding import Encoder
from leanner.taggers.lean.repeats import KnownTags
from leanner.taggers.lean.repeats import Seen
from leanner.taggers.lean.repeats import share_of_repeats
from leanner.taggers.lean.windows import sentences_of
from leanner.types import Document
from leanner.types import Label
from leanner.types import Span


if TYPE_CHECKING:
    import numpy as np

    from numpy.typing import NDArray

    from leanner.taggers.lean.deciding import Deciding
    from leanner.taggers.lean.encoding import Texts
    from leanner.taggers.lean.reading import Reading
    from leanner.taggers.lean.repeats import Repeats
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.rows import Chunk
    from leanner.taggers.rows import DocumentChunk
    from leanner.taggers.rows import Offsets
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
        deduplicate: Whether a sentence that was seen with the same context is not computed again.
        window_words: The most words of sentences of a document that are computed together, each of them
            once: see ``leanner.taggers.lean.windows``. 0 for each sentence alone.

    Raises:
        ValueError: A batch or a chunk of nothing, or less than no window.
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
        deduplicate: bool = False,
        window_words: int = 0,
    ) -> None:
        check_limits(decide.batch_tokens, chunk_sentences)
        if window_words < 0:
            raise ValueError(f"expected windows of at least one word, or 0 for none, found {window_words}")
        self.reading: Final = reading
        self.splitter: Final = splitter
        self.tags: Final = tuple(tags)
        self.label_of: Final = dict(label_of)
        self.chunk_sentences: Final = chunk_sentences
        self.prefix_caching: Final = decide.prefix_ids is not None
        self.deduplicate: Final = deduplicate
        self.window_words: Final = window_words
        self._encode: Final = Encoder(reading, splitter, window_words)
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
            "deduplicate": self.deduplicate,
            "window_words": self.window_words,
        }

    def encode(self, documents: Sequence[Document]) -> DocumentChunk:
        """Return the rows of documents, as they are decided."""
        return self._encode(documents)

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order."""
        self._encode.forget()
        seen, known = Seen(), KnownTags()

        def encode(documents: list[Document]) -> tuple[Texts, Repeats | None, Chunk]:
            texts = self._encode.texts(documents)
            repeats = seen(texts.inputs) if self.deduplicate else None
            return texts, repeats, self._encode.encode(texts.inputs if repeats is None else repeats.new)

        for texts, repeats, chunk in one_ahead(document_chunks(documents, self.chunk_sentences), encode):
            tags, ends = self._decide(chunk).tags, chunk.ends
            if repeats is not None:
                tags, ends = known(repeats, tags, ends)
            prompts: Iterable[int] = repeat(len(self.reading.prompt))
            if texts.lengths is not None:
                ends, prompts = sentences_of(texts.lengths, len(self.reading.prompt))
            yield from self._spans(tags, ends, prompts, texts.offsets)

    def notes_on(self, documents: Iterable[Document]) -> tuple[str, ...]:
        """Return how much of ``documents`` is tagged once for several sentences, where it is."""
        if not self.deduplicate:
            return ()
        chunks = document_chunks(documents, self.chunk_sentences)
        share = share_of_repeats(text for chunk in chunks for text in self._encode.texts(chunk).inputs)
        what = "windows" if self.window_words else "sentences"
        return () if share is None else (f"{100 * share:.1f} % of the {what} repeat an earlier one",)

    def _spans(
        self, tags: NDArray[np.int64], ends: NDArray[np.int64], prompts: Iterable[int], offsets: Offsets
    ) -> Iterator[Prediction]:
        first, last, kinds = (values.tolist() for values in spans_of(tags, ends, self._tag_set))
        found = zip(first, last, kinds, strict=True)
        span = next(found, None)
        begin, remaining = 0, zip(ends.tolist(), prompts, strict=False)
        for document in offsets:
            sentences: list[tuple[Span, ...]] = []
            for words in document:
                if words is None:
                    sentences.append(())
                    continue
                end, prompt = next(remaining)
                text = begin + prompt
                spans: list[Span] = []
                while span is not None and span[0] < end:
                    label = self._labels[span[2]]
                    # What begins in the prompt is no span of the text.
                    if label is not None and span[0] >= text:
                        spans.append(Span(words[span[0] - text][0], words[span[1] - text - 1][1], label))
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
