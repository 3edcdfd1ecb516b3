"""Spans that one tagger gives and another does not: what a loss in F1 is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import TypeVar

from leanner.words import word_offsets


if TYPE_CHECKING:
    from leanner.types import Document
    from leanner.types import Sentence
    from leanner.types import Span


K = TypeVar("K", bound=Hashable)

#: Mentions of so many words and more are counted together.
MANY_WORDS: Final = 5


@dataclass(frozen=True, slots=True)
class Change:
    """A span that one of two taggers gave.

    Attributes:
        gained: Whether the second tagger gave it; else the first did, and it is lost.
        right: Whether the corpus has it; ``None`` where the document does not annotate its label.
        corpus: Of the document.
        document: Its identifier.
        place: Number of the sentence within the document, from 0.
        sentence: With its text and gold spans.
        span: Offsets within the sentence.
    """

    gained: bool
    right: bool | None
    corpus: str
    document: str
    place: int
    sentence: Sentence
    span: Span

    @property
    def mention(self) -> str:
        """Its text."""
        return self.sentence.text[self.span.start : self.span.end]

    @property
    def words(self) -> int:
        """Words of the mention."""
        return len(word_offsets(self.mention))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready built-ins."""
        return {
            "change": "gained" if self.gained else "lost",
            "right": self.right,
            "label": self.span.label.value,
            "corpus": self.corpus,
            "document": self.document,
            "sentence": self.place,
            "start": self.span.start,
            "end": self.span.end,
            "words": self.words,
            "mention": self.mention,
            "text": self.sentence.text,
        }


@dataclass(frozen=True, slots=True)
class Tally:
    """How many spans were gained and lost, apart by whether the corpus has them.

    Attributes:
        gained_right: The corpus has them: missed before.
        gained_wrong: It has not: new mistakes.
        lost_right: It has them: missed now.
        lost_wrong: It has not: mistakes that are gone.
        unscored: Gained or lost where their label is not annotated.
    """

    gained_right: int = 0
    gained_wrong: int = 0
    lost_right: int = 0
    lost_wrong: int = 0
    unscored: int = 0

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Tally:
        """Count ``changes``."""
        kinds = Counter((change.gained, change.right) for change in changes)
        return cls(
            gained_right=kinds[True, True],
            gained_wrong=kinds[True, False],
            lost_right=kinds[False, True],
            lost_wrong=kinds[False, False],
            unscored=kinds[True, None] + kinds[False, None],
        )

    def to_json(self) -> dict[str, int]:
        """Return it as JSON-ready built-ins."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Diff:
    """All changes, in the order of the corpus; those of a sentence by their offsets."""

    changes: tuple[Change, ...]

    @property
    def total(self) -> Tally:
        """Of all of them."""
        return Tally.of(self.changes)

    @property
    def by_label(self) -> dict[str, Tally]:
        """Of each label."""
        return self._by(lambda change: change.span.label.value)

    @property
    def by_corpus(self) -> dict[str, Tally]:
        """Of each corpus."""
        return self._by(lambda change: change.corpus)

    @property
    def by_words(self) -> dict[str, Tally]:
        """Of mentions of one word, two, …, and of ``MANY_WORDS`` and more."""
        tallies = self._by(lambda change: min(change.words, MANY_WORDS))
        return {f"{words}+" if words == MANY_WORDS else str(words): tally for words, tally in tallies.items()}

    def sentences(self) -> Iterator[tuple[Change, ...]]:
        """Yield the changes of one sentence after the other."""
        together: dict[tuple[str, str, int], list[Change]] = {}
        for change in self.changes:
            together.setdefault((change.corpus, change.document, change.place), []).append(change)
        return (tuple(changes) for changes in together.values())

    def _by(self, key: Callable[[Change], K]) -> dict[K, Tally]:
        groups: dict[K, list[Change]] = {}
        for change in self.changes:
            groups.setdefault(key(change), []).append(change)
        return {name: Tally.of(groups[name]) for name in sorted(groups)}  # type: ignore[type-var]  # texts, or numbers


def diff(
    documents: Sequence[Document],
    before: Sequence[Sequence[Iterable[Span]]],
    after: Sequence[Sequence[Iterable[Span]]],
) -> Diff:
    """Compare what two taggers gave on the same documents.

    A span with other borders or another label is another span: the first is lost, the second gained.
    Equal spans of a sentence count once.

    Args:
        documents: That both tagged.
        before: For each document one sequence, for each of its sentences the spans of the first tagger.
        after: Those of the second.

    Raises:
        ValueError: The numbers of documents or sentences differ.
    """
    changes: list[Change] = []
    for document, old, new in zip(documents, before, after, strict=True):
        for place, (sentence, lost, gained) in enumerate(zip(document.sentences, old, new, strict=True)):
            first, second = frozenset(lost), frozenset(gained)
            changes += [
                Change(
                    gained=span in second,
                    right=span in sentence.spans if span.label in document.labels else None,
                    corpus=document.corpus,
                    document=document.id,
                    place=place,
                    sentence=sentence,
                    span=span,
                )
                for span in sorted(first ^ second)
            ]
    return Diff(tuple(changes))


def spread(diff: Diff, number: int) -> list[tuple[Change, ...]]:
    """Return the changes of up to ``number`` sentences, of each corpus in turn: the first would be of one corpus."""
    queues: dict[str, list[tuple[Change, ...]]] = {}
    for changes in diff.sentences():
        queues.setdefault(changes[0].corpus, []).append(changes)
    ranked = [(rank, changes) for name in sorted(queues) for rank, changes in enumerate(queues[name])]
    return [changes for _, changes in sorted(ranked, key=lambda item: item[0])[:number]]
