from __future__ import annotations

import asyncio
import re

from collections.abc import Coroutine
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

import pytest

from leanner.serving.batcher import ClosedError
from leanner.serving.batcher import OverloadedError
from leanner.serving.batching import DynamicBatching
from leanner.serving.served import Served
from leanner.serving.served import characters
from leanner.serving.served import serve
from leanner.serving.wire import document_in
from leanner.types import Document
from leanner.types import Label
from leanner.types import Span
from serving.toys import POISON
from serving.toys import ToyTagger


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction


class Noted(ToyTagger):
    """Notes how long the longest sentences were that it was given together."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[int]] = []

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        given = list(documents)
        self.batches.append([characters(document) for document in given])
        return super().tag(given)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def served(tagger: Noted, batching: DynamicBatching, queue_size: int = 64) -> Any:  # noqa: ANN401 - a toy is no tagger
    return serve(tagger, batching, queue_size=queue_size)  # type: ignore[arg-type]


def test_each_text_has_its_own_spans() -> None:
    tagger = Noted()
    texts = [f"{'so ' * place}did TP53. Then BRCA{place} fell." for place in range(20)]

    async def test() -> None:
        async with served(tagger, DynamicBatching(8, 5.0)) as tagging:
            found = await asyncio.gather(*(tagging.tag(text) for text in texts))
        for text, spans in zip(texts, found, strict=True):
            assert spans == tuple(Span(*each.span(), Label.GENE) for each in re.finditer(r"TP53|BRCA\d+", text))

    run(test())
    assert [len(batch) for batch in tagger.batches] == [8, 8, 4]


def test_sentences_have_theirs() -> None:
    async def test() -> None:
        async with served(Noted(), DynamicBatching(8, 0.0)) as tagging:
            assert await tagging.tag_sentences(["no gene", "PTEN fell"]) == ((), (Span(0, 4, Label.GENE),))
            assert await tagging.tag_sentences([]) == ()
            assert await tagging.tag("") == ()

    run(test())


def test_a_text_that_the_tagger_fails_on_harms_no_other() -> None:
    async def test() -> None:
        async with served(Noted(), DynamicBatching(3, 5_000.0)) as tagging:
            found = await asyncio.gather(
                *(tagging.tag(text) for text in ("PTEN fell", POISON, "TP53 rose")), return_exceptions=True
            )
        assert [found[0], found[2]] == [(Span(0, 4, Label.GENE),)] * 2
        assert isinstance(found[1], RuntimeError)
        assert str(found[1]) == "poisoned"

    run(test())


def test_texts_of_one_length_are_tagged_together() -> None:
    tagger = Noted()

    async def test() -> None:
        async with served(tagger, DynamicBatching(4, 50.0, by_length=True)) as tagging:
            await asyncio.gather(*(tagging.tag("x" * length) for length in (10, 4_000, 11, 4_001, 12, 4_002, 13)))

    run(test())
    assert tagger.batches == [[4_000, 4_001], [10, 11], [4_002], [12, 13]]


def test_too_many_are_refused_and_so_is_who_comes_late() -> None:
    async def test() -> None:
        async with served(Noted(), DynamicBatching(2, 0.0), queue_size=2) as tagging:
            asked = [asyncio.create_task(tagging.tag("PTEN fell")) for _ in range(4)]
            found = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(each, OverloadedError) for each in found] == [False, False, False, True]
        assert isinstance(tagging, Served)
        with pytest.raises(ClosedError):
            await tagging.tag("PTEN fell")

    run(test())


def test_a_document_is_as_long_as_its_longest_sentence() -> None:
    assert characters(document_in(["one", "a longer one", "two"])) == 12
    assert characters(document_in([])) == 0
