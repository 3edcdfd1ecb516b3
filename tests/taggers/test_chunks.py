from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from leanner.taggers.chunks import document_chunks
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence


def document(sentences: int) -> Document:
    return Document("1", "test", "1", frozenset(Label), (Sentence("a"),) * sentences)


@given(st.lists(st.integers(0, 5)), st.integers(1, 12))
def test_every_document_is_in_one_chunk_and_no_chunk_is_larger_than_it_must_be(sizes: list[int], least: int) -> None:
    documents = [document(size) for size in sizes]
    chunks = list(document_chunks(documents, least))
    assert [one for chunk in chunks for one in chunk] == documents
    counts = [[max(1, len(one.sentences)) for one in chunk] for chunk in chunks]
    assert all(sum(count) >= least for count in counts[:-1])
    assert all(sum(count[:-1]) < least for count in counts)


def test_documents_are_read_as_they_are_needed() -> None:
    read = 0

    def stream() -> Iterator[Document]:
        nonlocal read
        while True:
            read += 1
            yield document(2)

    assert len(next(document_chunks(stream(), 5))) == 3
    assert read == 3
