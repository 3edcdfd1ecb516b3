"""A tagger that is asked for one text at a time, and tags those that wait together."""

from __future__ import annotations

import contextlib

from collections.abc import AsyncIterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from leanner.corpora.texts import document_of
from leanner.corpora.texts import spans_in_text
from leanner.serving.batcher import QUEUE_SIZE
from leanner.serving.batcher import Batcher
from leanner.serving.wire import document_in


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching
    from leanner.taggers.protocol import Prediction
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document
    from leanner.types import Span


class Served:
    """Texts one by one; :func:`serve` makes it. Each is its own document: none is another's context."""

    def __init__(self, batcher: Batcher[Document, Prediction | Exception]) -> None:
        self._batcher = batcher

    async def tag(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a text, split into sentences as the corpora's are; offsets in characters of the text.

        Raises:
            OverloadedError: At once, if as many texts wait as may.
            ClosedError: The tagger is served no more.
            Exception: What the tagger failed with on this text.
        """
        document = document_of(text)
        return tuple(spans_in_text(document, await self._tag(document)))

    async def tag_sentences(self, sentences: Sequence[str]) -> Prediction:
        """Return the spans of each sentence of a document; offsets in characters of the sentence.

        Raises:
            OverloadedError: At once, if as many texts wait as may.
            ClosedError: The tagger is served no more.
            Exception: What the tagger failed with on these sentences.
        """
        return await self._tag(document_in(sentences))

    async def _tag(self, document: Document) -> Prediction:
        found = await self._batcher.submit(document)
        if isinstance(found, Exception):
            raise found
        return found


@contextlib.asynccontextmanager
async def serve(tagger: Tagger, batching: DynamicBatching, *, queue_size: int = QUEUE_SIZE) -> AsyncIterator[Served]:
    """Serve a tagger in this process; at the end what waits is still tagged.

    Args:
        tagger: Called in a thread, by no one else meanwhile.
        batching: When a batch begins, and whether texts are grouped by the length of their longest sentence.
        queue_size: Texts that may wait.

    Raises:
        ValueError: The queue has no room for a batch.
    """

    def tag(documents: Sequence[Document]) -> list[Prediction | Exception]:
        try:
            return list(tagger.tag(documents))
        except Exception as error:  # noqa: BLE001 - whatever a tagger fails with on one text, the others are tagged
            if len(documents) == 1:
                return [error]
            return [found for document in documents for found in tag([document])]

    async with Batcher(tag, batching, queue_size=queue_size, length=characters) as batcher:
        yield Served(batcher)


def characters(document: Document) -> int:
    """Return the length of the longest sentence: a batch of sentences is padded to its longest."""
    return max((len(sentence.text) for sentence in document.sentences), default=0)
