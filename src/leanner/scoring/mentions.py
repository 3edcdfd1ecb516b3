"""Read the mentions of a PubTator file, gold or predicted, for scoring.

Predictions of other tools come without identifiers, in other letter cases and without
text, so this asks for less than the reader of the corpora does.
"""

from __future__ import annotations

import gzip
import re
import zlib

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Final

from leanner.types import Label
from leanner.types import Span


_TEXT_LINE: Final = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_RELATION: Final = re.compile(r"[A-Za-z][A-Za-z_ -]*")
_LABELS: Final = {label.value: label for label in Label}


class PubTatorError(ValueError):
    """A file is not PubTator. The message names file and line, what was expected and found."""

    def __init__(self, path: Path, line: int, *, expected: str, found: str) -> None:
        super().__init__(f"{path}:{line}: expected {expected}, found {found}")
        self.path = path
        self.line = line


@dataclass(slots=True)
class PubTatorMentions:
    """The mentions of a file.

    Attributes:
        path: The file.
        spans: Distinct mentions by document, offsets into title, space, abstract.
            Documents without mentions have an empty set.
        texts: Hash of the document's text, for those that have it.
        ignored: Mentions of other types, by type as written.
        relations: Relation lines passed over.
        misplaced: Lines on which the mention's text is not what its offsets point at;
            its offsets are believed.
    """

    path: Path
    spans: dict[str, set[Span]] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    relations: int = 0
    misplaced: list[int] = field(default_factory=list)


def read_mentions(path: Path) -> PubTatorMentions:
    """Read a PubTator file, gzipped if its name ends in ``.gz``.

    A mention line has five columns (document, start, end, mention, type) or six or
    seven (identifier, and the parts of a composite mention). Types are compared with
    the three labels without regard to case.

    Raises:
        PubTatorError: A line is neither text, mention, relation nor empty; offsets are no
            numbers, reversed, or outside the document's text (unless the mention begins in
            it and has the right length); a document begins twice; a mention or abstract
            stands in another document's block; the file is not UTF-8 or its gzip is damaged.
        OSError: The file cannot be opened.
    """
    found = PubTatorMentions(path)
    block: str | None = None  # document whose lines these are
    text: str | None = None
    titled = False  # whether the line before was a title
    for number, line in _lines(path):
        match = _TEXT_LINE.fullmatch(line)
        if match:
            document, kind, content = match.groups()
            if kind == "t":
                if document in found.texts:
                    raise PubTatorError(path, number, expected="each document once", found=f"{document} again")
                text = content
            elif titled and block == document:
                text = f"{text} {content}"
            else:
                expected, alone = "an abstract right after its title", f"the abstract of {document} elsewhere"
                raise PubTatorError(path, number, expected=expected, found=alone)
            block, titled = document, kind == "t"
            found.spans.setdefault(document, set())
            found.texts[document] = hash(text)
            continue
        titled = False
        columns = line.split("\t")
        if not line.strip():
            block = text = None
        elif block is not None and columns[0] != block:
            raise PubTatorError(path, number, expected=f"lines of document {block}", found=_shown(line))
        else:
            _add_line(found, number, columns, text)
    return found


def _add_line(found: PubTatorMentions, number: int, columns: list[str], text: str | None) -> None:
    if _is_relation(columns):
        found.relations += 1
        return
    if not 5 <= len(columns) <= 7:
        raise PubTatorError(
            found.path,
            number,
            expected="ID|t|title, ID|a|abstract, or 5 to 7 tab-separated columns",
            found=f"{len(columns)} in {_shown(columns[0])}",
        )
    document, start, end, mention, kind = columns[:5]
    if not (start.isdecimal() and start.isascii() and end.isdecimal() and end.isascii()):
        raise PubTatorError(
            found.path, number, expected="start and end as character offsets", found=f"{start!r} and {end!r}"
        )
    first, behind = int(start), int(end)
    if first >= behind:
        raise PubTatorError(found.path, number, expected="start before end", found=f"{first} and {behind}")
    # Published files have mentions that are a few characters off (tmVar 3.0, PMID 21904390):
    # shifted but of the right length, they stay, or nobody's scores could be compared.
    if text is not None and behind > len(text) and (first >= len(text) or behind - first != len(mention)):
        raise PubTatorError(
            found.path,
            number,
            expected=f"offsets within the document's {len(text)} characters",
            found=f"{first} to {behind}",
        )
    if text is not None and text[first:behind].strip() != mention.strip():
        found.misplaced.append(number)
    spans = found.spans.setdefault(document, set())
    label = _LABELS.get(kind.strip().upper())
    if label is None:
        found.ignored[kind] += 1
    else:
        spans.add(Span(first, behind, label))


def _is_relation(columns: list[str]) -> bool:
    """Tell a relation line (``ID, type, argument, argument[, novelty]``) from a mention."""
    named = len(columns) in (4, 5) and _RELATION.fullmatch(columns[1]) is not None
    return named and (len(columns) == 4 or columns[4].strip() in ("Novel", "No"))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        bad = error.object[error.start]
        raise PubTatorError(path, number, expected="UTF-8", found=f"byte 0x{bad:02x} at {error.start}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PubTatorError(path, number + 1, expected="a whole gzip file", found=str(error)) from error


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else f"{line[:57]}...")
