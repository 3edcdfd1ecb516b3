"""PubTator: title, abstract and one mention a line, documents between blank lines.

Not through `bioc.pubtator`: it reads with `str.splitlines`, which breaks abstracts at
U+2028 and U+0085, passes over malformed lines, and knows no line numbers.
"""

from __future__ import annotations

import re

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.annotation import Annotation
from leanner.corpora.annotation import LabelMap
from leanner.corpora.annotation import assemble
from leanner.corpora.annotation import nothing
from leanner.corpora.annotation import repeated
from leanner.corpora.annotation import whole_number
from leanner.corpora.bad import BadDocuments
from leanner.corpora.bad import read_each
from leanner.corpora.fingerprints import FingerprintSet
from leanner.corpora.fingerprints import fingerprint
from leanner.corpora.lines import decode
from leanner.corpora.lines import raw_lines
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument


if TYPE_CHECKING:
    from pathlib import Path

    from leanner.types import Label


_TITLE: Final = re.compile(r"([^|\t]+)\|t\|(.*)", re.DOTALL)
_ABSTRACT: Final = re.compile(r"([^|\t]+)\|a\|(.*)", re.DOTALL)

#: A document's lines with their numbers.
_Block = list[tuple[int, bytes]]

#: Repairs a known wrong annotation: document id, text and annotation in, annotation out.
Correction = Callable[[str, str, Annotation], Annotation]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the PubTator files of a corpus look like.

    Attributes:
        columns: Allowed numbers of tab-separated columns of a mention.
        relations: Whether lines whose second column is no offset are relations, and passed over.
    """

    columns: frozenset[int] = frozenset({6})
    relations: bool = False


#: Releases of one corpus keep to six columns, other people's files do not.
STRICT: Final = Dialect()
LENIENT: Final = Dialect(columns=frozenset({5, 6, 7}), relations=True)


def read_pubtator(
    path: Path,
    bad: BadDocuments,
    *,
    label_of: LabelMap,
    labels: frozenset[Label],
    dialect: Dialect = STRICT,
    correct: Correction | None = None,
    known: FingerprintSet | None = None,
) -> Iterator[NativeDocument]:
    """Read a PubTator file, or one compressed with gzip, document by document.

    The text is title, one space, abstract; offsets are characters into it.

    Args:
        path: The file.
        bad: Takes what is wrong.
        label_of: From native labels to ours.
        labels: What is annotated.
        dialect: Which lines are allowed.
        correct: Repairs known wrong annotations.
        known: Ids of documents in other files of this corpus.
    """
    ids = FingerprintSet() if known is None else known

    def build(block: _Block) -> NativeDocument:
        name, text, passages, annotations = _document(block, path, dialect, correct)
        document = assemble(
            name=name,
            article=name,
            text=text,
            passages=passages,
            annotations=annotations,
            label_of=label_of,
            labels=labels,
            path=path,
            line=block[0][0],
        )
        if not ids.add(fingerprint(name)):
            raise repeated(name, path, document.line)
        return document

    return read_each(_blocks(raw_lines(path)), build, bad, empty=nothing(path, "PubTator document"))


@dataclass(frozen=True, slots=True)
class TitledText:
    """Title and abstract of a document.

    Attributes:
        name: Its id.
        text: Title, one space, abstract.
        title: Characters of the title.
        line: Line at which it begins, 1-based.
        size: Bytes of its lines.
    """

    name: str
    text: str
    title: int
    line: int
    size: int


def read_titled_texts(lines: Iterable[tuple[int, bytes]], path: Path, bad: BadDocuments) -> Iterator[TitledText]:
    """Read the texts of PubTator lines; mentions and relations are passed over, whatever is in them.

    Args:
        lines: With their numbers.
        path: What errors call the file.
        bad: Takes what is wrong.
    """

    def build(block: _Block) -> TitledText:
        name, title, abstract = _texts(block, path)
        for number, raw in block[2:]:
            other = decode(raw.partition(b"\t")[0], path, number)
            if other != name:
                raise _other_id(name, other[:60], path, number)
        size = sum(len(raw) + 1 for _, raw in block)
        return TitledText(name, f"{title} {abstract}", len(title), block[0][0], size)

    return read_each(_blocks(lines), build, bad)


def native_labels(path: Path) -> Iterator[str]:
    """Yield the native label of every line that has one, until the end or the first damage."""
    try:
        for _, raw in raw_lines(path):
            fields = raw.split(b"\t")
            if len(fields) > 4 and fields[1].isdigit():
                yield fields[4].strip().decode("utf-8", "replace")
    except CorpusError:
        return  # reading the documents meets the same damage and reports it


def _blocks(lines: Iterable[tuple[int, bytes]]) -> Iterator[_Block]:
    block: _Block = []
    for number, raw in lines:
        line = raw.rstrip(b"\r\n")
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _document(
    block: _Block, path: Path, dialect: Dialect, correct: Correction | None
) -> tuple[str, str, list[tuple[int, int]], list[Annotation]]:
    name, title, abstract = _texts(block, path)
    text = f"{title} {abstract}"
    annotations = []
    for number, raw in block[2:]:
        annotation = _annotation(decode(raw, path, number), name, path, number, dialect)
        if annotation is not None:
            annotations.append(annotation if correct is None else correct(name, text, annotation))
    return name, text, [(0, len(title)), (len(title) + 1, len(text))], annotations


def _texts(block: _Block, path: Path) -> tuple[str, str, str]:
    """Return id, title and abstract."""
    first, *_ = block
    name, title = _header(_TITLE, "|t|title", first, path)
    if len(block) == 1:
        raise CorpusError(
            path,
            first[0] + 1,
            expected=f"{name}|a|abstract",
            found="the end of the document",
            advice="complete the document",
        )
    abstract_name, abstract = _header(_ABSTRACT, "|a|abstract", block[1], path)
    if abstract_name != name:
        raise _other_id(name, abstract_name, path, block[1][0])
    return name, title, abstract


def _header(pattern: re.Pattern[str], what: str, numbered: tuple[int, bytes], path: Path) -> tuple[str, str]:
    number, raw = numbered
    line = decode(raw, path, number)
    match = pattern.fullmatch(line)
    if match is None:
        raise CorpusError(
            path,
            number,
            expected=f"PMID{what}",
            found=repr(line[:60]),
            advice="check that this is a PubTator file with one blank line between documents",
        )
    return match[1], match[2]


def _annotation(line: str, name: str, path: Path, number: int, dialect: Dialect) -> Annotation | None:
    fields = line.split("\t")
    if dialect.relations and len(fields) in (4, 5) and not fields[1].isdigit():
        return None
    if len(fields) not in dialect.columns:
        raise CorpusError(
            path,
            number,
            expected=f"{' or '.join(map(str, sorted(dialect.columns)))} tab-separated columns "
            "(PMID, start, end, mention, label, identifier)",
            found=f"{len(fields)}",
            advice="correct the line, or part the documents by a blank line",
        )
    if fields[0] != name:
        raise _other_id(name, fields[0], path, number)
    start = whole_number(fields[1], "start offset", path, number)
    end = whole_number(fields[2], "end offset", path, number)
    return Annotation(start, end, fields[4].strip(), fields[3], number)


def _other_id(name: str, other: str, path: Path, line: int) -> CorpusError:
    return CorpusError(
        path,
        line,
        expected=f"a line of document {name!r}",
        found=f"one of {other!r}",
        advice="part the documents by a blank line",
    )
