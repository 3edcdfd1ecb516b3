"""Documents in chunks, so that many can be tagged with few in memory."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from leanner.types import Document


def document_chunks(documents: Iterable[Document], sentences: int) -> Iterator[list[Document]]:
    """Yield whole documents, in order, with at least so many sentences at a time; the last ones may have fewer.

    A document without a sentence counts as one: it takes memory, too.
    """
    chunk: list[Document] = []
    held = 0
    for document in documents:
        chunk.append(document)
        held += max(1, len(document.sentences))
        if held >= sentences:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
