"""Native documents made up for the tests of merging: no file behind them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from leanner.corpora.merge import Source
from leanner.corpora.native import Mention
from leanner.corpora.native import NativeDocument
from leanner.types import Label


if TYPE_CHECKING:
    from leanner.corpora.bad import BadDocuments


ALL = frozenset(Label)


def native(
    text: str,
    *mentions: tuple[int, int, Label],
    name: str = "1",
    article: str | None = None,
    labels: frozenset[Label] = ALL,
    passages: tuple[tuple[int, int], ...] | None = None,
    unmapped: tuple[tuple[str, int], ...] = (),
    doi: str | None = None,
) -> NativeDocument:
    """A document whose single passage is its text."""
    return NativeDocument(
        id=name,
        article=article or name,
        text=text,
        passages=((0, len(text)),) if passages is None else passages,
        mentions=tuple(Mention(*mention) for mention in mentions),
        labels=labels,
        unmapped=unmapped,
        path=Path("made-up.txt"),
        line=1,
        doi=doi,
    )


def source(name: str, documents: Sequence[NativeDocument]) -> Source:
    """A source that hands out ``documents`` every time it is read."""

    def read(bad: BadDocuments) -> Iterator[NativeDocument]:
        del bad
        return iter(documents)

    return Source(name, read)


def _generate(articles: int, documents: int, prefix: str, bad: BadDocuments) -> Iterator[NativeDocument]:
    del bad
    for article in range(articles):
        for number in range(documents):
            text = f"The gene {prefix}{article} is lost in tumour {number}. It was found in mice."
            end = 9 + len(f"{prefix}{article}")
            yield native(text, (9, end, Label.GENE), name=f"{prefix}{article}-{number}", article=f"{prefix}{article}")


def generated(name: str, articles: int, documents: int = 5) -> Source:
    """A source of ``2 * articles * documents`` sentences that keeps none of them in memory."""
    read: Callable[[BadDocuments], Iterator[NativeDocument]] = partial(_generate, articles, documents, name)
    return Source(name, read)
