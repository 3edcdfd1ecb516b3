"""Lines of JSON, each on the disk when its writing returns, and what a kill leaves of the last one."""

from __future__ import annotations

import itertools
import json
import os

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Final

from leanner.atomic import write_atomically
from leanner.report.parse import shown


#: Appended to the name of a file that a new one takes the place of.
OLD: Final = ".old"


class LineFile:
    """A file of lines, open for appending.

    Raises:
        OSError: It is not there, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._file: int | None = os.open(path, os.O_WRONLY | os.O_APPEND)

    def append(self, content: Mapping[str, Any]) -> None:
        """Write a line; it is on the disk when this returns.

        Raises:
            ValueError: A number is not finite, a value has no JSON form, or the file was closed.
            OSError: It cannot be written; the file is as it was.
        """
        if self._file is None:
            raise ValueError(f"{self.path}: expected an open file, found a closed one")
        line = memoryview(line_of(content))
        before = os.fstat(self._file).st_size
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except BaseException:
            # A disk that was full for a moment leaves no broken line among whole ones.
            os.ftruncate(self._file, before)
            raise
        os.fsync(self._file)

    def close(self) -> None:
        """Close it; may be called again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def begin_lines(path: Path, first: Mapping[str, Any], spare: Path | None = None) -> LineFile:
    """Start a file, whole at once with its first line; one that is there is kept beside it, its name ending in ``OLD``.

    Args:
        path: Of the file.
        first: Its first line.
        spare: A file that is not replaced by what was kept: a number is put behind ``OLD`` if it would be.

    Raises:
        OSError: It cannot be written.
    """
    if path.is_dir():
        raise IsADirectoryError(f"expected a file, found the folder {path}")
    if path.exists():
        path.replace(_aside(path, spare))
    write_atomically(path, line_of(first))
    return LineFile(path)


def _aside(path: Path, spare: Path | None) -> Path:
    old = path.with_name(path.name + OLD)
    if spare is None or not (old.exists() and spare.exists() and old.samefile(spare)):
        return old
    numbered = (path.with_name(f"{path.name}{OLD}.{number}") for number in itertools.count(2))
    return next(each for each in numbered if not each.exists())


def line_of(content: Mapping[str, Any]) -> bytes:
    """Return ``content`` as a line.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def parsed(line: bytes) -> Mapping[str, Any] | None:
    """Return the object of a whole line; ``None`` for anything else."""
    try:
        data = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def start_of(line: bytes) -> str:
    """Return the begin of a line, for an error."""
    return shown(line[:200].decode(errors="replace"))
