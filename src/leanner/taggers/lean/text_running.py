"""Documents in, spans out, for taggers that read texts instead of words, as those of transformers do."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.taggers.chunks import document_chunks
from leanner.taggers.hf.spans import predictions
from leanner.taggers.lean.batches import check_limits
from leanner.taggers.lean.running import one_ahead


if TYPE_CHECKING:
    from leanner.taggers.hf.rows import TextEncoder
    from leanner.taggers.hf.spans import TagTable
    from leanner.taggers.lean.deciding import Deciding
    from leanner.taggers.protocol import Prediction
    from leanner.types import Document


class TextRunner:
    """Makes rows of texts, has their tags decided, and makes spans of them.

    Args:
        encode: Makes the rows.
        decide: Makes tags of rows.
        table: What the tags mean.
        chunk_sentences: Sentences that are sorted by length together; no more than two chunks
            of about so many are held in memory.

    Raises:
        ValueError: A batch or a chunk of nothing.
    """

    def __init__(self, encode: TextEncoder, decide: Deciding, table: TagTable, *, chunk_sentences: int = 1024) -> None:
        check_limits(decide.batch_tokens, chunk_sentences)
        self.encode: Final = encode
        self.table: Final = table
        self.chunk_sentences: Final = chunk_sentences
        self._decide: Deciding = decide

    @property
    def batch_tokens(self) -> int:
        """Sub-tokens in one forward pass."""
        return self._decide.batch_tokens

    def describe(self) -> dict[str, Any]:
        """Return how texts reach the model, ready for JSON."""
        return {
            "words": self.encode.words,
            "longest": self.encode.longest,
            "overlap": self.encode.overlap,
            "batch_tokens": self.batch_tokens,
            "chunk_sentences": self.chunk_sentences,
            "context_tokens": 0,
            "prefix_caching": False,
            "deduplicate": False,
            "window_words": 0,
        }

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield the spans of each document, in order."""
        chunks = document_chunks(documents, self.chunk_sentences)
        for chunk in one_ahead(chunks, self.encode):
            yield from predictions(chunk, self._decide(chunk).tags, self.table)
