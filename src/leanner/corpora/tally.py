"""What a merged corpus holds: counts by corpus, and one digest over everything that can change a result."""

from __future__ import annotations

import json

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from hashlib import sha256
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.corpora.fingerprints import FingerprintSet
from leanner.corpora.fingerprints import fingerprint
from leanner.corpora.segmentation import SPLITTER
from leanner.types import Document
from leanner.types import Label
from leanner.words import word_offsets


if TYPE_CHECKING:
    from leanner.corpora.native import CorpusError
    from leanner.corpora.resolve import MergeCounts


#: Part of every digest: raise it when the same files are to give another corpus.
MERGE_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class CorpusStatistics:
    """Counts over one corpus, or over several.

    Attributes:
        documents: Documents as the corpus has them, without duplicates and bad ones.
        articles: Distinct articles among them.
        sentences: Sentences.
        words: Words of the sentences, see `leanner.words`.
        mentions: Mentions by label; a label that no document annotates is missing: unknown, not 0.
        overlapping: Mentions that gave way to an overlapping one, by label.
        repeated: Exact copies of a mention, by label.
        outside: Mentions that no sentence holds, by label.
        joined: Sentence borders that mentions crossed and lifted.
        duplicates: Documents left out because another corpus has them (Bio-ID/SourceData).
        bad: Documents left out because they are not what their format promises.
        unmapped: Mentions of other native types, by type.
    """

    documents: int = 0
    articles: int = 0
    sentences: int = 0
    words: int = 0
    mentions: Mapping[str, int] = field(default_factory=dict)
    overlapping: Mapping[str, int] = field(default_factory=dict)
    repeated: Mapping[str, int] = field(default_factory=dict)
    outside: Mapping[str, int] = field(default_factory=dict)
    joined: int = 0
    duplicates: int = 0
    bad: int = 0
    unmapped: Mapping[str, int] = field(default_factory=dict)

    @property
    def dropped(self) -> int:
        """Mentions that were annotated and are not in the merged corpus, exact copies apart."""
        return sum(self.overlapping.values()) + sum(self.outside.values())

    def annotated(self, label: Label) -> int | None:
        """Return the mentions as the files have them, before any was dropped; ``None`` if not annotated."""
        if label not in self.mentions:
            return None
        tables = (self.mentions, self.overlapping, self.repeated, self.outside)
        return sum(table.get(label, 0) for table in tables)

    def as_json(self) -> dict[str, object]:
        """Return the counts as JSON types; a label that is not annotated is ``None``."""
        plain: dict[str, object] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            plain[each.name] = dict(sorted(value.items())) if isinstance(value, Mapping) else value
        plain["tokens"] = plain.pop("words")
        plain["mentions"] = {str(label): self.mentions.get(label) for label in Label}
        plain["annotated"] = {str(label): self.annotated(label) for label in Label}
        plain["dropped"] = self.dropped
        return plain


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of a merged corpus.

    Attributes:
        corpora: By corpus, in the order of reading.
        total: Over all of them.
        errors: What was skipped as bad, in the order of reading.
    """

    corpora: Mapping[str, CorpusStatistics]
    total: CorpusStatistics
    errors: tuple[CorpusError, ...]


class _Running:
    """The counts of one corpus while it is read."""

    __slots__ = ("_articles", "numbers", "tables")

    def __init__(self) -> None:
        self._articles = FingerprintSet()
        self.numbers: Counter[str] = Counter()
        self.tables: dict[str, Counter[str]] = {
            name: Counter() for name in ("mentions", "overlapping", "repeated", "outside", "unmapped")
        }

    def add(self, document: Document, counts: MergeCounts, unmapped: Iterable[tuple[str, int]]) -> None:
        self._articles.add(fingerprint(document.article))
        self.numbers["articles"] = len(self._articles)
        self.numbers["documents"] += 1
        self.numbers["joined"] += counts.joined
        self.numbers["sentences"] += len(document.sentences)
        mentions = self.tables["mentions"]
        for label in document.labels:
            mentions[label] += 0
        for sentence in document.sentences:
            self.numbers["words"] += len(word_offsets(sentence.text))
            for span in sentence.spans:
                mentions[span.label] += 1
        self.tables["overlapping"].update(counts.overlapping)
        self.tables["repeated"].update(counts.repeated)
        self.tables["outside"].update(counts.outside)
        for native_type, number in unmapped:
            self.tables["unmapped"][native_type] += number


class Tally:
    """Counts and digests documents as they pass.

    Args:
        corpora: Names of the corpora, in the order of reading.
        settings: What else made this corpus: the sample. Names and numbers, no paths.
    """

    __slots__ = ("_digest", "_errors", "_running")

    def __init__(self, corpora: Iterable[str], settings: Mapping[str, int | None]) -> None:
        self._running = {name: _Running() for name in corpora}
        self._errors: list[CorpusError] = []
        self._digest = sha256()
        self._update({"merge": MERGE_VERSION, "splitter": SPLITTER, "corpora": list(self._running), **settings})

    def document(self, document: Document, counts: MergeCounts, unmapped: Iterable[tuple[str, int]]) -> None:
        """Take in a document of the merged corpus."""
        self._running[document.corpus].add(document, counts, unmapped)
        self._update(
            [
                document.corpus,
                document.id,
                document.article,
                sorted(document.labels),
                [
                    [each.text, each.start, [[span.start, span.end, span.label] for span in each.spans]]
                    for each in document.sentences
                ],
            ]
        )

    def duplicate(self, corpus: str) -> None:
        """Count a document that another corpus has."""
        self._running[corpus].numbers["duplicates"] += 1

    def bad(self, corpus: str, errors: Iterable[CorpusError]) -> None:
        """Count and list documents that were skipped."""
        errors = list(errors)
        self._running[corpus].numbers["bad"] += len(errors)
        self._errors.extend(errors)

    def sha256(self) -> str:
        """Return the digest over splitter, settings and all documents so far, hexadecimal."""
        return self._digest.hexdigest()

    def statistics(self) -> Statistics:
        """Return the counts so far."""
        numbers: Counter[str] = Counter()
        tables: dict[str, Counter[str]] = {}
        for running in self._running.values():
            numbers.update(running.numbers)
            for name, table in running.tables.items():
                tables.setdefault(name, Counter()).update(table)
        return Statistics(
            corpora={name: _frozen(running.numbers, running.tables) for name, running in self._running.items()},
            total=_frozen(numbers, tables),
            errors=tuple(self._errors),
        )

    def _update(self, value: object) -> None:
        self._digest.update(json.dumps(value, separators=(",", ":"), sort_keys=True).encode("ascii") + b"\n")


def _frozen(numbers: Mapping[str, int], tables: Mapping[str, Mapping[str, int]]) -> CorpusStatistics:
    values: dict[str, Any] = {**numbers, **{name: dict(table) for name, table in tables.items()}}
    return CorpusStatistics(**values)
