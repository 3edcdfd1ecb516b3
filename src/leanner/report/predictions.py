"""The spans of a case, stored beside its report: gzip, JSON lines, one line for each document."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Final

from leanner.report.parse import ParseError
from leanner.report.parse import read
from leanner.report.parse import shown
from leanner.report.stored import PREDICTIONS
from leanner.report.stored import StoredFile
from leanner.report.stored import store
from leanner.types import Document
from leanner.types import Label
from leanner.types import Span


#: Version of the layout of these files; the second names the case.
LAYOUT: Final = 2


class PredictionsError(ValueError):
    """A file of predictions is not what it should be; the message begins with file:line."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """The spans of one document: for each sentence those that a tagger gave, offsets relative to its text."""

    corpus: str
    document: str
    article: str
    spans: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a case gave on a corpus.

    Attributes:
        configuration: Its name; the baseline's for spans of the unchanged tagger that was not timed.
        device: Torch device.
        labels: Those that the tagger can give: others are not scored.
        documents: With their spans.
    """

    configuration: str
    device: str
    labels: frozenset[Label]
    documents: tuple[Tagged, ...]

    @property
    def case(self) -> tuple[str, str]:
        """Configuration and device."""
        return self.configuration, self.device

    def on(self, documents: Sequence[Document]) -> list[tuple[tuple[Span, ...], ...]]:
        """Return the spans for ``documents``.

        Raises:
            ValueError: These are not the documents that were tagged.
        """
        for number, (tagged, document) in enumerate(zip(self.documents, documents, strict=False), start=1):
            ours = (tagged.corpus, tagged.document, tagged.article, len(tagged.spans))
            theirs = (document.corpus, document.id, document.article, len(document.sentences))
            if ours != theirs:
                raise ValueError(f"expected {_title(*theirs)} as document {number}, found {_title(*ours)}")
        if len(self.documents) != len(documents):
            raise ValueError(f"expected predictions for {len(documents)} documents, found {len(self.documents)}")
        return [tagged.spans for tagged in self.documents]


@dataclass(frozen=True, slots=True)
class _Header:
    layout: int
    configuration: str
    device: str
    labels: tuple[Label, ...]
    documents: int


def store_predictions(
    report: Path,
    name: str,
    documents: Sequence[Document],
    predictions: Iterable[Sequence[Iterable[Span]]],
    labels: Collection[Label],
    *,
    configuration: str,
    device: str,
) -> StoredFile:
    """Write the spans of a case into the folder of ``report``.

    The same spans of the same case give the same bytes: no time and no name of a file is in it.

    Args:
        report: Path of the report, which need not exist yet.
        name: Begin of the file's name; one for each case.
        documents: That were tagged.
        predictions: For each of them one sequence, for each of its sentences the spans.
        labels: Those that the tagger can give.
        configuration: Of the case.
        device: Of the case.

    Raises:
        OSError: The file cannot be written.
        ValueError: The numbers of documents and predictions differ.
    """
    content = packed(documents, predictions, labels, configuration=configuration, device=device)
    return store(report, name, PREDICTIONS, content)


def spans_sha256(predictions: Iterable[Sequence[Iterable[Span]]]) -> str:
    """Return a digest of all spans: two runs with the same one tagged the same."""
    digest = hashlib.sha256()
    for prediction in predictions:
        for spans in prediction:
            digest.update(";".join(f"{s.start},{s.end},{s.label}" for s in spans).encode() + b"\n")
        digest.update(b"\n")
    return digest.hexdigest()


def packed(
    documents: Sequence[Document],
    predictions: Iterable[Sequence[Iterable[Span]]],
    labels: Collection[Label],
    *,
    configuration: str,
    device: str,
) -> bytes:
    """Return the content of the file; see ``store_predictions``."""
    buffer = io.BytesIO()
    # gzip.compress leaves the header to zlib, whose builds differ in it
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        case = {"configuration": configuration, "device": device}
        header = {"layout": LAYOUT, **case, "labels": sorted(labels), "documents": len(documents)}
        file.write(_json_line(header))
        for document, spans in zip(documents, predictions, strict=True):
            entry = {"corpus": document.corpus, "document": document.id, "article": document.article}
            triples = [[[span.start, span.end, span.label] for span in sentence] for sentence in spans]
            file.write(_json_line({**entry, "spans": triples}))
    return buffer.getvalue()


def read_predictions(path: Path) -> Predictions:
    """Read what ``store_predictions`` wrote.

    Raises:
        PredictionsError: A line is not what it should be, or there are too few.
        OSError: The file cannot be read.
    """
    lines = _lines(path)
    _, first = next(lines, (1, None))
    layout = first.get("layout") if isinstance(first, dict) else None
    if layout is not None and layout != LAYOUT:
        raise PredictionsError(
            f"{path}:1: expected layout {LAYOUT}, found {layout}; read it with the leanner that wrote it"
        )
    try:
        header = read(_Header, first, "header")
    except ParseError as error:
        raise PredictionsError(f"{path}:1: {error}; is this a file of predictions?") from error
    documents = []
    for number, data in lines:
        try:
            documents.append(_tagged(data))
        except (KeyError, TypeError, ValueError) as error:
            raise PredictionsError(
                f"{path}:{number}: expected corpus, document, article and the spans of each sentence as "
                f"[[start, end, label], …], found {shown(data)} ({type(error).__name__}: {error})"
            ) from error
    if len(documents) != header.documents:
        number = len(documents) + 2
        raise PredictionsError(f"{path}:{number}: expected {header.documents} documents, found {len(documents)}")
    return Predictions(header.configuration, header.device, frozenset(header.labels), tuple(documents))


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    with gzip.open(path, "rb") as file:
        try:
            for number, line in enumerate(file, start=1):
                try:
                    yield number, json.loads(line)
                except ValueError as error:
                    found = shown(line.decode(errors="replace"))
                    raise PredictionsError(f"{path}:{number}: expected a line of JSON, found {found}") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as damage:
            raise PredictionsError(
                f"{path}:{number + 1}: expected a whole gzip file, found damage: {damage}"
            ) from damage


def _tagged(data: Any) -> Tagged:  # noqa: ANN401 - whatever was in the line
    names = (data["corpus"], data["document"], data["article"])
    if len(data) != 4 or not all(isinstance(name, str) for name in names):
        raise TypeError("not the four fields")
    return Tagged(*names, tuple(tuple(_span(*span) for span in sentence) for sentence in data["spans"]))


def _span(start: object, end: object, label: str) -> Span:
    # true is an int, and 1.0 equals one
    if type(start) is not int or type(end) is not int:
        raise TypeError("offsets are whole numbers")
    return Span(start, end, Label(label))


def _json_line(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _title(corpus: str, document: str, article: str, sentences: int) -> str:
    return f"{corpus} {document} of article {article} with {sentences} sentences"
