"""CoNLL: a word a line, its tag in the last column, a blank line after each sentence.

A document begins at ``-DOCSTART-``, ``# doc_id = …`` or ``# newdoc id = …``. Before the
first of these, or without any, each sentence is a document of its own. The text is the
words of a sentence joined by single spaces and the sentences by line ends.
"""

from __future__ import annotations

import re

from itertools import accumulate
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.annotation import Annotation
from leanner.corpora.annotation import LabelMap
from leanner.corpora.annotation import assemble
from leanner.corpora.annotation import nothing
from leanner.corpora.annotation import repeated
from leanner.corpora.bad import BadDocuments
from leanner.corpora.bad import read_each
from leanner.corpora.fingerprints import FingerprintSet
from leanner.corpora.fingerprints import fingerprint
from leanner.corpora.iob import tagged_runs
from leanner.corpora.lines import decode
from leanner.corpora.lines import raw_lines
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leanner.types import Label


_DOCUMENT_START: Final = re.compile(rb"-DOCSTART-.*|#\s*(?:doc_id|newdoc id)\s*=\s*(.*)")
_TAG: Final = re.compile(r"O|[BIES]-.+")

_Sentence = list[tuple[int, bytes]]
#: Line, id or None, sentences.
_Block = tuple[int, bytes | None, list[_Sentence]]


def read_conll(
    path: Path,
    bad: BadDocuments,
    *,
    label_of: LabelMap,
    labels: frozenset[Label],
    prefix: str = "",
    known: FingerprintSet | None = None,
) -> Iterator[NativeDocument]:
    """Read a CoNLL file document by document.

    Args:
        path: The file.
        bad: Takes what is wrong.
        label_of: From native labels to ours.
        labels: What is annotated.
        prefix: Goes before the ids of documents that the file does not name.
        known: Ids of documents in other files of this corpus.
    """
    ids = FingerprintSet() if known is None else known

    def build(block: _Block) -> NativeDocument:
        line, marked_id, sentences = block
        name = f"{prefix or path.stem}:{line}" if marked_id is None else decode(marked_id, path, line).strip()
        text, passages, annotations = _document(sentences, path)
        document = assemble(
            name=name,
            article=name,
            text=text,
            passages=passages,
            annotations=annotations,
            label_of=label_of,
            labels=labels,
            path=path,
            line=line,
        )
        if not ids.add(fingerprint(name)):
            raise repeated(name, path, line)
        return document

    return read_each(_documents(path), build, bad, empty=nothing(path, "CoNLL sentence"))


def native_labels(path: Path) -> Iterator[str]:
    """Yield the native label of every tagged word, until the end or the first damage."""
    try:
        for _, raw in raw_lines(path):
            tag = raw.rsplit(maxsplit=1)[-1:]
            if tag and tag[0][:2] in {b"B-", b"I-", b"E-", b"S-"}:
                yield tag[0][2:].decode("utf-8", "replace")
    except CorpusError:
        return  # reading the documents meets the same damage and reports it


def _documents(path: Path) -> Iterator[_Block]:
    """Yield the documents; empty documents without an id are left out."""
    marked: tuple[int, bytes | None] | None = None
    sentences: list[_Sentence] = []
    sentence: _Sentence = []
    for number, raw in raw_lines(path):
        line = raw.rstrip(b"\r\n")
        start = _DOCUMENT_START.fullmatch(line)
        if start is None and line.strip():
            sentence.append((number, line))
            continue
        if sentence:
            sentences.append(sentence)
            sentence = []
        if marked is None and sentences:
            yield sentences[0][0][0], None, sentences
            sentences = []
        if start is not None:
            if marked is not None and (sentences or marked[1] is not None):
                yield *marked, sentences
            marked, sentences = (number, start[1]), []
    if sentence:
        sentences.append(sentence)
    if marked is not None and (sentences or marked[1] is not None):
        yield *marked, sentences
    elif sentences:
        yield sentences[0][0][0], None, sentences


def _document(sentences: list[_Sentence], path: Path) -> tuple[str, list[tuple[int, int]], list[Annotation]]:
    texts: list[str] = []
    passages: list[tuple[int, int]] = []
    annotations: list[Annotation] = []
    start = 0
    columns: int | None = None
    for sentence in sentences:
        rows = []
        for number, raw in sentence:
            row = _row(decode(raw, path, number))
            if row is None:
                continue
            columns = len(row) if columns is None else columns
            if len(row) < 2 or len(row) != columns:
                raise CorpusError(
                    path,
                    number,
                    expected=f"{max(columns, 2)} columns, the word first and the tag last",
                    found=f"{len(row)}",
                    advice="correct the line, or part the sentences by a blank line",
                )
            rows.append((number, row))
        if not rows:
            continue
        words = [row[0] for _, row in rows]
        starts = list(accumulate((len(word) + 1 for word in words), initial=start))
        lines = [number for number, _ in rows]
        annotations.extend(
            Annotation(starts[first], starts[last] + len(words[last]), native, None, lines[first])
            for first, last, native in tagged_runs([row[-1] for _, row in rows], path, lines)
        )
        texts.append(" ".join(words))
        passages.append((start, starts[-1] - 1))
        start = starts[-1]
    return "\n".join(texts), passages, annotations


def _row(line: str) -> list[str] | None:
    """Return the columns of a line, None for a comment."""
    columns = line.split("\t") if "\t" in line else line.split()
    if line.startswith("#") and not _TAG.fullmatch(columns[-1]):
        return None
    return columns
