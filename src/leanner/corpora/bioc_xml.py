"""BioC XML: documents of passages, or of sentences, with annotations.

An annotation's offset counts from the beginning of the document, its passage's (or
sentence's) ``offset`` included. Some files count characters, Bio-ID counts UTF-8 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING
from typing import Final
from typing import Literal

from leanner.corpora.annotation import Annotation
from leanner.corpora.annotation import LabelMap
from leanner.corpora.annotation import assemble
from leanner.corpora.annotation import nothing
from leanner.corpora.annotation import repeated
from leanner.corpora.annotation import whole_number
from leanner.corpora.bad import BadDocuments
from leanner.corpora.bad import read_each
from leanner.corpora.bioc_elements import Element
from leanner.corpora.bioc_elements import document_elements
from leanner.corpora.fingerprints import FingerprintSet
from leanner.corpora.fingerprints import fingerprint
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from pathlib import Path

    from leanner.types import Label


#: What an offset counts.
Unit = Literal["characters", "bytes"]

_ADVICE: Final = "correct the annotation, or say what its offsets count (characters or bytes)"


def read_bioc(
    path: Path,
    bad: BadDocuments,
    *,
    label_of: LabelMap,
    labels: frozenset[Label],
    unit: Unit = "characters",
    native_of: Callable[[str], str] = str,
    known: FingerprintSet | None = None,
    article_of: Callable[[Element], str] | None = None,
    doi_of: Callable[[Element], str | None] | None = None,
) -> Iterator[NativeDocument]:
    """Read a BioC file document by document; the passages are joined by line ends.

    The label is the infon "type". An annotation in several pieces is counted, not read.

    Args:
        path: The file.
        bad: Takes what is wrong.
        label_of: From native labels to ours.
        labels: What is annotated.
        unit: What the offsets count.
        native_of: The native label that the infon "type" stands for.
        known: Ids of documents in other files of this corpus.
        article_of: The article of a document; its id if not given.
        doi_of: The DOI of that article; unknown if not given.
    """
    ids = FingerprintSet() if known is None else known

    def build(element: Element) -> NativeDocument:
        name = document_id(element, path)
        parts = text_parts(element, path)
        document = assemble(
            name=name,
            article=name if article_of is None else article_of(element),
            text=joined(parts),
            passages=[(part.start, part.start + len(part.text)) for part in parts],
            annotations=[annotation for part in parts for annotation in _annotations(part, unit, native_of, path)],
            label_of=label_of,
            labels=labels,
            path=path,
            line=element.line,
            doi=None if doi_of is None else doi_of(element),
        )
        if not ids.add(fingerprint(name)):
            raise repeated(name, path, element.line)
        return document

    return read_each(document_elements(path), build, bad, empty=nothing(path, "BioC document"))


def native_labels(path: Path) -> Iterator[str]:
    """Yield the infon "type" of every annotation, until the end or the first damage."""
    try:
        for element in document_elements(path):
            for holder in _holders(element):
                for annotation in holder.all("annotation"):
                    yield annotation.infon("type") or ""
    except CorpusError:
        return  # reading the documents meets the same damage and reports it


@dataclass(frozen=True, slots=True)
class Part:
    """A passage or sentence with a text.

    Attributes:
        element: Where its annotations are.
        text: Its text.
        start: Character offset of the text in the document's.
        offset: Its own offset, in the file's unit.
    """

    element: Element
    text: str
    start: int
    offset: int


def document_id(element: Element, path: Path) -> str:
    """Return the id of a document.

    Raises:
        CorpusError: It has none.
    """
    name = (element.text_of("id") or "").strip()
    if not name:
        raise CorpusError(
            path, element.line, expected="a document with an <id>", found="none", advice="give each document an id"
        )
    return name


def text_parts(element: Element, path: Path) -> list[Part]:
    """Return the passages of a document, or their sentences where these have the text.

    Raises:
        CorpusError: An annotation belongs to no text, or an offset is no number.
    """
    parts: list[Part] = []
    start = 0
    for holder in _holders(element):
        text = holder.text_of("text")
        if text is None:
            stray = next(holder.all("annotation"), None)
            if stray is not None:
                raise CorpusError(
                    path,
                    stray.line,
                    expected="an annotation in a passage or sentence that has a text",
                    found=f"one in <{holder.tag}>",
                    advice="move it beside the text that it marks",
                )
            continue
        offset = whole_number(_stripped(holder.text_of("offset")), "offset of the text", path, holder.line)
        parts.append(Part(holder, text, start, offset))
        start += len(text) + 1
    return parts


def joined(parts: list[Part]) -> str:
    """Return the text of a document of ``parts``."""
    return "\n".join(part.text for part in parts)


def _holders(element: Element) -> Iterator[Element]:
    yield element
    for passage in element.all("passage"):
        yield passage
        yield from passage.all("sentence")


def _annotations(part: Part, unit: Unit, native_of: Callable[[str], str], path: Path) -> Iterator[Annotation]:
    characters = _characters_at(part.text) if unit == "bytes" and not part.text.isascii() else None
    for element in part.element.all("annotation"):
        pieces = []
        for location in element.all("location"):
            offset = whole_number(location.attributes.get("offset"), "offset", path, location.line) - part.offset
            length = whole_number(location.attributes.get("length"), "length", path, location.line)
            ends = (offset, offset + length)
            if characters is not None:
                ends = (
                    _character(characters, ends[0], path, location),
                    _character(characters, ends[1], path, location),
                )
            if not 0 <= ends[0] < ends[1] <= len(part.text):
                raise CorpusError(
                    path,
                    location.line,
                    expected=f"a location within the {len(part.text)} characters of its text",
                    found=f"start={ends[0]}, end={ends[1]}",
                    advice=_ADVICE,
                )
            pieces.append(ends)
        if not pieces:
            raise CorpusError(
                path, element.line, expected="an annotation with a <location>", found="none", advice="add its location"
            )
        start, end = min(piece[0] for piece in pieces), max(piece[1] for piece in pieces)
        surface = element.text_of("text")
        if len(pieces) == 1 and surface is not None and part.text[start:end] != surface:
            raise CorpusError(
                path,
                element.line,
                expected=f"{surface!r} at {start}-{end} (characters of its text)",
                found=repr(part.text[start:end]),
                advice=_ADVICE,
            )
        yield Annotation(
            part.start + start,
            part.start + end,
            native_of(element.infon("type") or ""),
            None,
            element.line,
            continuous=len(pieces) == 1,
        )


def _characters_at(text: str) -> dict[int, int]:
    """Return the index of the character that begins at each byte of the UTF-8 form, the end included."""
    starts = accumulate((len(character.encode()) for character in text), initial=0)
    return {byte: index for index, byte in enumerate(starts)}


def _character(characters: dict[int, int], byte: int, path: Path, location: Element) -> int:
    try:
        return characters[byte]
    except KeyError:
        raise CorpusError(
            path,
            location.line,
            expected="byte offsets at the border of two characters of the text",
            found=f"byte {byte} of a text of {max(characters)}",
            advice=_ADVICE,
        ) from None


def _stripped(text: str | None) -> str | None:
    return None if text is None else text.strip()
