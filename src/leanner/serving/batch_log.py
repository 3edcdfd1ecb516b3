"""The batches that a server formed, as it saw them: JSON lines, one for each batch.

Times are those of ``CLOCK_MONOTONIC``, which all processes of a machine share, so that a client can tell how long
its request waited.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from typing import Self


_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch.

    Attributes:
        size: Requests in it, bad ones included.
        ids: Of those that were tagged, in order.
        began_ns: When it reached the handler.
        ended_ns: When its spans were there.
    """

    size: int
    ids: tuple[str | int | None, ...]
    began_ns: int
    ended_ns: int


class BatchLog:
    """Appends batches to a file; each is there as a whole line once it has ended."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    @contextlib.contextmanager
    def batch(self, size: int, ids: Sequence[str | int | None]) -> Iterator[None]:
        """Log what happens within as one batch, also if it fails."""
        began_ns = time.monotonic_ns()
        try:
            yield
        finally:
            line = {"size": size, "ids": list(ids), "began_ns": began_ns, "ended_ns": time.monotonic_ns()}
            try:
                self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            except OSError:
                # What was tagged is answered all the same; who measures misses the batch.
                _log.exception("a batch could not be logged")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_batches(path: Path, offset: int = 0) -> tuple[list[Batch], int]:
    """Return the batches that are logged from a byte on, and the byte behind the last of them.

    A line that has no end yet is left for the next call.
    """
    with path.open("rb") as file:
        file.seek(offset)
        whole, end, _ = file.read().rpartition(b"\n")
    batches = []
    for line in whole.splitlines():
        members = json.loads(line)
        batches.append(Batch(members["size"], tuple(members["ids"]), members["began_ns"], members["ended_ns"]))
    return batches, offset + len(whole) + len(end)
