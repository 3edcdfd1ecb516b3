"""Plain text, PubTator or JSON lines, from files or standard input, one document after the other."""

from __future__ import annotations

import json
import math
import re
import sys

from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final
from typing import NoReturn

from leanner.corpora.bad import BadDocuments
from leanner.corpora.bad import read_each
from leanner.corpora.lines import decode
from leanner.corpora.lines import raw_lines
from leanner.corpora.lines import stream_lines
from leanner.corpora.native import CorpusError
from leanner.corpora.pubtator import read_titled_texts
from leanner.tagging.text import Form
from leanner.tagging.text import Text


#: Standard input.
STDIN: Final = Path("-")

_Lines = Iterator[tuple[int, bytes]]

_ENDINGS: Final = {".jsonl": Form.JSONL, ".ndjson": Form.JSONL, ".pubtator": Form.PUBTATOR}
#: Narrower than PubTator is: an id with a space in it could be a sentence.
_TITLE: Final = re.compile(rb"[^|\s]+\|t\|")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WHAT: Final = 'a JSON object with an "id" (text or whole number) and a "text"'


def read_texts(
    paths: Iterable[Path], bad: BadDocuments, *, form: Form | None = None, by_line: bool = False
) -> Iterator[Text]:
    """Read the documents of all files, in order.

    A file of plain text is one document, whose id is its path as given. The other formats give ids.

    Args:
        paths: Files; one whose name ends in ``.gz`` is decompressed.
        bad: Takes what is wrong.
        form: Of all of them; else that of each is told by its name, then by its first line that is not blank.
        by_line: Whether each line of plain text is a document, whose id is ``PATH:LINE``.

    Raises:
        CorpusError: A document is not what its format promises, and ``bad`` does not skip it.
        OSError: A file cannot be read.
    """
    for path in paths:
        with closing(_opened(path)) as opened:
            kind, lines = recognise(path, opened) if form is None else (form, opened)
            if kind is Form.PUBTATOR:
                yield from _titled(lines, path, bad)
            elif kind is Form.JSONL:
                filled = (numbered for numbered in lines if numbered[1].strip())
                yield from read_each(filled, partial(_json_line, path), bad)
            elif by_line:
                yield from read_each(lines, partial(_plain_line, path), bad)
            else:
                yield from read_each([lines], partial(_whole, path), bad)


def recognise(path: Path, lines: _Lines) -> tuple[Form, _Lines]:
    """Return the format of a file, and its lines again.

    Its name decides (``.jsonl``, ``.ndjson``, ``.pubtator``, with or without ``.gz``), else its first line that is not
    blank: ``ID|t|…`` is PubTator, an object with ``text`` JSON lines, and everything else plain text.
    """
    if (form := form_of_name(path)) is not None:
        return form, lines
    read: list[tuple[int, bytes]] = []
    form = Form.TEXT
    try:
        for number, line in lines:
            read.append((number, line))
            if line.strip():
                form = _form_of_line(line)
                break
    except CorpusError:
        # Damaged before its first line, which reading it again will say.
        return Form.TEXT, _opened(path)
    return form, chain(read, lines)


def form_of_name(path: Path) -> Form | None:
    """Return the format that the name of a file tells, if any."""
    return _ENDINGS.get((Path(path.stem) if path.suffix == ".gz" else path).suffix.lower())


def _form_of_line(line: bytes) -> Form:
    if _TITLE.match(line):
        return Form.PUBTATOR
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return Form.TEXT
    return Form.JSONL if isinstance(found, dict) and "text" in found else Form.TEXT


def _opened(path: Path) -> Generator[tuple[int, bytes], None, None]:
    # Standard input is not ours to close.
    return stream_lines(sys.stdin.buffer, path) if path == STDIN else raw_lines(path)


def _titled(lines: _Lines, path: Path, bad: BadDocuments) -> Iterator[Text]:
    for found in read_titled_texts(lines, path, bad):
        yield Text(found.name, found.text, path, found.line, found.size, title=found.title)


def _whole(path: Path, lines: _Lines) -> Text:
    raw = b"".join(line for _, line in lines)
    return Text(str(path), decode(raw, path, 1), path, 1, len(raw))


def _plain_line(path: Path, numbered: tuple[int, bytes]) -> Text:
    number, raw = numbered
    return Text(f"{path}:{number}", decode(raw, path, number).rstrip("\r\n"), path, number, len(raw))


def _json_line(path: Path, numbered: tuple[int, bytes]) -> Text:
    number, raw = numbered
    try:
        line = decode(raw, path, number).rstrip()
        members: object = json.loads(line, parse_constant=_no_number, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise _no_document(path, number, f"{error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise _no_document(path, number, str(error)) from error
    if not isinstance(members, dict):
        raise _no_document(path, number, _shown(members))
    name, text = members.get("id"), members.get("text")
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise _no_document(path, number, f'"id": {_shown(name)}' if "id" in members else 'no "id"')
    if not isinstance(text, str):
        raise _no_document(path, number, f'"text": {_shown(text)}' if "text" in members else 'no "text"')
    if (half := _SURROGATE.search(text)) is not None:
        raise _no_document(path, number, f"half of a surrogate pair at character {half.start()} of the text")
    return Text(name, text, path, number, len(raw), members=members)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is no JSON")


def _finite(number: str) -> float:
    """Return a number that can be written again: JSON has no infinity."""
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number}, which is too large a number")
    return value


def _no_document(path: Path, line: int, found: str) -> CorpusError:
    return CorpusError(path, line, expected=_WHAT, found=found, advice="correct the line")


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
