"""What a reader of a native format hands on: a text with its mentions, before merging."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from leanner.types import Label


@dataclass(frozen=True, slots=True)
class Mention:
    """A mention as annotated: character offsets into the document's text, end exclusive."""

    start: int
    end: int
    label: Label


@dataclass(frozen=True, slots=True)
class NativeDocument:
    """A document as its corpus gives it, mapped to the three labels.

    Attributes:
        id: Identifier, unique within the corpus.
        article: Article that it belongs to (DOI, PMCID or PMID); the document itself if it is one.
        text: The text that ``mentions`` and ``passages`` point into.
        passages: Character offsets that no sentence crosses (title, abstract).
        mentions: In the order of the file; may be nested or overlap.
        labels: The labels that this corpus annotates in this document.
        unmapped: Mentions of native types outside the three labels, by native type.
        path: File it was read from.
        line: Line at which it begins, 1-based.
        doi: DOI of the article, where the corpus gives it.
    """

    id: str
    article: str
    text: str
    passages: tuple[tuple[int, int], ...]
    mentions: tuple[Mention, ...]
    labels: frozenset[Label]
    unmapped: tuple[tuple[str, int], ...]
    path: Path
    line: int
    doi: str | None = None


class CorpusError(ValueError):
    """A corpus file is not what its format promises.

    The message names file and line, what was expected, what was found and what to do.
    """

    def __init__(self, path: Path, line: int | None, *, expected: str, found: str, advice: str) -> None:
        where = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{where}: expected {expected}, found {found}; {advice}")
        self.path = path
        self.line = line
        self.expected = expected
        self.found = found
        self.advice = advice

    def __reduce__(self) -> tuple[object, ...]:
        return (_corpus_error, (self.path, self.line, self.expected, self.found, self.advice))


def _corpus_error(path: Path, line: int | None, expected: str, found: str, advice: str) -> CorpusError:
    return CorpusError(path, line, expected=expected, found=found, advice=advice)
