"""Lines of native files as bytes, so that one that is not UTF-8 costs its document and not the file."""

from __future__ import annotations

import gzip
import zlib

from typing import IO
from typing import TYPE_CHECKING
from typing import Final
from typing import cast

from leanner.corpora.native import CorpusError


if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


_UTF8_MARK: Final = b"\xef\xbb\xbf"


def open_bytes(path: Path) -> IO[bytes]:
    """Open ``path`` for reading, through gzip if its name ends in ``.gz``."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def raw_lines(path: Path) -> Generator[tuple[int, bytes], None, None]:
    r"""Yield ``(line number, line)``, 1-based, line ends included; only ``\n`` ends a line.

    Raises:
        CorpusError: The gzip stream is damaged. Every line before the damage was yielded.
    """
    with open_bytes(path) as file:
        yield from stream_lines(file, path)


def stream_lines(file: IO[bytes], path: Path) -> Generator[tuple[int, bytes], None, None]:
    """Yield what :func:`raw_lines` does, of an open file that errors call ``path``."""
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            yield number, line.removeprefix(_UTF8_MARK) if number == 1 else line
    except (EOFError, zlib.error, gzip.BadGzipFile) as damage:
        raise CorpusError(
            path,
            number + 1,
            expected="a complete gzip file",
            found=f"damage after {number} whole lines ({damage})",
            advice="fetch the file again",
        ) from damage


def decode(raw: bytes, path: Path, line: int) -> str:
    """Decode ``raw``, which begins at ``line``.

    Raises:
        CorpusError: It is not UTF-8; the error names the line of the first wrong byte.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            path,
            line + raw.count(b"\n", 0, error.start),
            expected="UTF-8",
            found=f"byte 0x{raw[error.start]:02x}",
            advice="convert the file to UTF-8",
        ) from error


def read_text(path: Path) -> str:
    """Return the text of ``path``, line ends as they are.

    Raises:
        CorpusError: It is not UTF-8, or a damaged gzip file.
    """
    return decode(b"".join(line for _, line in raw_lines(path)), path, 1)
