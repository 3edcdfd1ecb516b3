"""SourceData-NLP (Abreu-Vicente et al. 2023): figure captions as JSON lines, in one of two layouts.

- ``token_classification/ner/v*/*.jsonl``: words, IOB2 labels and text, a caption a row. A
  row does not say which article it is of, so each is an article of its own: intervals
  over articles come out a little narrower than they should.
- ``train.jsonl``, ``validation.jsonl``, ``test.jsonl`` with a document a row: panels with
  character offsets, the DOI as the article. Panels without any tag were not curated, as
  in the published loader: nothing is annotated there.

GENE is GENEPROD, SPECIES is ORGANISM, DISEASE is DISEASE. A label without a mention in
the whole release is unknown there, not absent: older releases have no DISEASE.
"""

from __future__ import annotations

import json
import re

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.corpora.annotation import Vocabulary
from leanner.corpora.annotation import labels_used
from leanner.corpora.bad import BadDocuments
from leanner.corpora.bad import read_each
from leanner.corpora.lines import decode
from leanner.corpora.lines import raw_lines
from leanner.corpora.native import CorpusError
from leanner.corpora.native import NativeDocument
from leanner.corpora.sourcedata_rows import panels
from leanner.corpora.sourcedata_rows import row_labels
from leanner.corpora.sourcedata_rows import token_row
from leanner.types import Label


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


NAME: Final = "sourcedata"
LAYOUT: Final = "token_classification/ner/v*/*.jsonl, or the documents as train.jsonl, validation.jsonl, test.jsonl"

LABELS: Final = Vocabulary(
    {
        "GENEPROD": Label.GENE,
        "ORGANISM": Label.SPECIES,
        "DISEASE": Label.DISEASE,
        **dict.fromkeys(("CELL", "CELL_LINE", "CELL_TYPE", "EXP_ASSAY", "SMALL_MOLECULE", "SUBCELLULAR", "TISSUE")),
    },
    "SourceData",
)

_SPLITS: Final = ("train.jsonl", "validation.jsonl", "test.jsonl")


def recognise(folder: Path) -> bool:
    """Whether ``folder`` has one of the two layouts; bare split files by their first row."""
    if _newest_token_release(folder) is not None:
        return True
    first = next(iter(_splits(folder)), None)
    return first is not None and _looks_right(first)


def read(folder: Path, bad: BadDocuments) -> Iterator[NativeDocument]:
    """Read the newest release in ``folder``, split by split.

    Raises:
        CorpusError: The folder does not hold one.
    """
    paths = _splits(_newest_token_release(folder) or folder)
    if not paths:
        raise CorpusError(
            folder,
            None,
            expected=f"SourceData ({LAYOUT})",
            found="no such files",
            advice="name the folder that `token_classification` lies in",
        )
    labels = labels_used((native for path in paths for native in _native_labels(path)), LABELS)
    known: set[str] = set()
    for path in paths:
        # An article gives many documents, and one error in it costs them all.
        build = partial(_documents, labels=labels, known=known, path=path)
        yield from chain.from_iterable(read_each(raw_lines(path), build, bad))


def _documents(
    numbered: tuple[int, bytes], *, labels: frozenset[Label], known: set[str], path: Path
) -> list[NativeDocument]:
    number, raw = numbered
    if not raw.strip():
        return []
    row = _parsed(decode(raw, path, number), path, number)
    if "figures" in row:
        return panels(row, LABELS, labels, known=known, path=path, line=number)
    return [token_row(row, LABELS, labels, path=path, line=number)]


def _parsed(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise CorpusError(
            path,
            number,
            expected="a JSON object",
            found=f"{error.msg} at column {error.colno}",
            advice="fetch the file again, or correct the line",
        ) from error
    if not isinstance(row, dict) or not ("figures" in row or {"words", "labels"} <= row.keys()):
        raise CorpusError(
            path,
            number,
            expected="an object with words and labels, or with figures",
            found=f"{', '.join(row)}" if isinstance(row, dict) else type(row).__name__,
            advice="check that the file is the NER part of SourceData v2, or its documents",
        )
    missing = next((kind for holds, kind in _kinds(row) if not holds), None)
    if missing is not None:
        raise CorpusError(
            path,
            number,
            expected=missing,
            found="another kind of value",
            advice="fetch the file again, or correct the line",
        )
    return row


def _kinds(row: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    """Yield what a row must have, and whether it does; what comes later takes what came before for granted."""
    if "figures" not in row:
        words = row["words"]
        strings = isinstance(words, list) and all(isinstance(word, str) for word in words)
        yield strings, "words as a list of strings"
        yield isinstance(row["labels"], list), "labels as a list"
        yield isinstance(row.get("text"), str | None), "text as a string"
        return
    yield _objects(row["figures"]), "figures as a list of objects"
    for figure in row["figures"] or ():
        yield _objects(figure.get("panels")), "panels as a list of objects"
        for panel in figure.get("panels") or ():
            yield isinstance(panel.get("text"), str | None), "the text of a panel as a string"
            yield _objects(panel.get("tags")), "the tags of a panel as a list of objects"


def _objects(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(each, dict) for each in value))


def _native_labels(path: Path) -> Iterator[str]:
    try:
        for number, raw in raw_lines(path):
            if raw.strip():
                try:
                    yield from row_labels(_parsed(decode(raw, path, number), path, number))
                except CorpusError:
                    continue  # reading the documents meets the same row and reports it
    except CorpusError:
        return  # the same for damage to the file


def _newest_token_release(folder: Path) -> Path | None:
    top = folder if folder.name == "token_classification" else folder / "token_classification"
    releases = [path for path in (top / "ner").glob("v*") if _splits(path)]
    return max(releases, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)], default=None)


def _splits(folder: Path) -> list[Path]:
    return [path for name in _SPLITS if (path := folder / name).is_file()]


def _looks_right(path: Path) -> bool:
    # By the names of the keys, not by a parser: a first row that is damaged must be reported, not overlooked.
    try:
        _, raw = next(raw_lines(path), (1, b""))
    except CorpusError:
        return False
    return b'"figures"' in raw or all(key in raw for key in (b'"words"', b'"labels"', b'"text"'))
