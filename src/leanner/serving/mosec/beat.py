"""What the worker with the tagger lets the supervisor see: that it is there, and since when it has been busy."""

from __future__ import annotations

import contextlib
import os
import struct
import time

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from typing import Self

from leanner.atomic import write_atomically


_FILE: Final = "worker"

# Its process, and when its batch began: nanoseconds of CLOCK_MONOTONIC, 0 between batches.
_LAYOUT: Final = struct.Struct("=qq")


class Beat:
    """The worker's side."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY)

    @classmethod
    def begin(cls, folder: Path) -> Self:
        """Say that this process has its tagger."""
        write_atomically(folder / _FILE, _LAYOUT.pack(os.getpid(), 0))
        return cls(folder / _FILE)

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Say so while a batch is tagged."""
        self._since(time.monotonic_ns())
        try:
            yield
        finally:
            self._since(0)

    def _since(self, began_ns: int) -> None:
        os.pwrite(self._file, _LAYOUT.pack(os.getpid(), began_ns), 0)


@dataclass(frozen=True, slots=True)
class Seen:
    """The supervisor's side.

    Attributes:
        pid: The worker.
        busy_s: How long its batch has taken until now; 0 between batches.
    """

    pid: int
    busy_s: float


def forget(folder: Path) -> None:
    """Take away what a worker that is gone has left."""
    (folder / _FILE).unlink(missing_ok=True)


def look(folder: Path) -> Seen | None:
    """Return the worker that has its tagger; ``None`` if there is none yet."""
    try:
        pid, began_ns = _LAYOUT.unpack((folder / _FILE).read_bytes())
    except FileNotFoundError:
        return None
    return Seen(pid, (time.monotonic_ns() - began_ns) / 1e9 if began_ns else 0.0)
