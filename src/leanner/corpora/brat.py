"""BRAT stand-off: a text file and an annotation file beside it.

Not through `bioc.brat`: it translates line ends, which moves offsets, checks by `assert`,
and knows no line numbers.
"""

from __future__ import annotations

import re

from itertools import pairwise
from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.annotation import Annotation
from leanner.corpora.annotation import LabelMap
from leanner.corpora.annotation import assemble
from leanner.corpora.bad import BadDocuments
from leanner.corpora.bad import read_each
from leanner.corpora.lines import decode
from leanner.corpora.lines import raw_lines
from leanner.corpora.lines import read_text
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from leanner.types import Label


_SPANS: Final = re.compile(r"(\S+) (\d+ \d+(?:;\d+ \d+)*)", re.ASCII)
# Relations, equivalences, events, attributes, modifications, normalizations and notes.
_OTHER_KINDS: Final = "R*EAMN#"


def read_brat(
    texts: Iterable[Path],
    bad: BadDocuments,
    *,
    label_of: LabelMap,
    labels: frozenset[Label],
    name_of: Callable[[Path], str],
    article_of: Callable[[Path], str],
) -> Iterator[NativeDocument]:
    """Read BRAT documents, one from each of ``texts`` (``X.txt``, annotations in ``X.ann``).

    A mention in pieces (``0 5;10 15``) with nothing but white space between them, as BRAT
    writes one that crosses a line end, is taken whole; any other is counted, not read.

    Args:
        texts: The text files.
        bad: Takes what is wrong.
        label_of: From native labels to ours.
        labels: What is annotated.
        name_of: Identifier of the document of a text file.
        article_of: Its article.
    """

    def build(path: Path) -> NativeDocument:
        text = read_text(path)
        annotation_path = path.with_suffix(".ann")
        return assemble(
            name=name_of(path),
            article=article_of(path),
            text=text,
            passages=((0, len(text)),),
            annotations=_annotations(annotation_path, text),
            label_of=label_of,
            labels=labels,
            path=path,
            line=1,
            annotation_path=annotation_path,
        )

    return read_each(texts, build, bad)


def without_text(annotation_paths: Iterable[Path]) -> Iterator[CorpusError]:
    """Yield an error for each annotation file that has no text file beside it."""
    for path in annotation_paths:
        text_path = path.with_suffix(".txt")
        if not text_path.is_file():
            yield CorpusError(
                text_path,
                None,
                expected=f"the text that {path.name} annotates",
                found="no such file",
                advice="add it, or remove the annotations",
            )


def native_labels(texts: Iterable[Path]) -> Iterator[str]:
    """Yield the native label of every mention in the annotation files of ``texts``."""
    for path in texts:
        annotation_path = path.with_suffix(".ann")
        if annotation_path.is_file():
            for _, raw in raw_lines(annotation_path):
                fields = raw.split(b"\t")
                if raw.startswith(b"T") and len(fields) > 1:
                    yield fields[1].split(b" ")[0].decode("utf-8", "replace")


def _annotations(path: Path, text: str) -> Iterator[Annotation]:
    if not path.is_file():
        raise CorpusError(
            path,
            None,
            expected="the annotations of the text file beside it",
            found="no such file",
            advice="add it, empty if there is nothing to annotate",
        )
    for number, raw in raw_lines(path):
        line = decode(raw, path, number).rstrip("\r\n")
        if not line or line[0] in _OTHER_KINDS:
            continue
        yield _annotation(line, path, number, text)


def _annotation(line: str, path: Path, number: int, text: str) -> Annotation:
    fields = line.split("\t")
    if len(fields) != 3 or not line.startswith("T"):
        raise CorpusError(
            path,
            number,
            expected="3 tab-separated columns (T1, label and offsets, mention)",
            found=f"{len(fields)} ({line[:60]!r})",
            advice="correct the line",
        )
    match = _SPANS.fullmatch(fields[1])
    if match is None:
        raise CorpusError(
            path,
            number,
            expected="label, start and end, parted by single spaces",
            found=repr(fields[1]),
            advice="correct the line",
        )
    pieces = [(int(start), int(end)) for start, end in (piece.split(" ") for piece in match[2].split(";"))]
    start, end = pieces[0][0], pieces[-1][1]
    for piece_start, piece_end in pieces:
        if not 0 <= piece_start < piece_end <= len(text):
            raise CorpusError(
                path,
                number,
                expected=f"offsets with 0 <= start < end <= {len(text)} (characters of the text)",
                found=f"start={piece_start}, end={piece_end}",
                advice="correct the offsets: characters from 0, end exclusive",
            )
    gaps = (text[before[1] : after[0]] for before, after in pairwise(pieces))
    ordered = all(before[1] <= after[0] for before, after in pairwise(pieces))
    covered = " ".join(text[a:b] for a, b in pieces)
    # BRAT cannot keep a line end within a line: it writes a space there.
    if _one_line(covered) != _one_line(fields[2]):
        raise CorpusError(
            path,
            number,
            expected=f"{fields[2]!r} at {match[2]}",
            found=repr(covered),
            advice="correct the offsets: characters from 0, end exclusive",
        )
    continuous = ordered and not "".join(gaps).strip()
    if not continuous:
        start, end = min(a for a, _ in pieces), max(b for _, b in pieces)
    return Annotation(start, end, match[1], None, number, continuous=continuous)


def _one_line(text: str) -> str:
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
