"""How far a run is, on a terminal."""

from __future__ import annotations

import sys

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from typing import Self

from tqdm import tqdm


if TYPE_CHECKING:
    from leanner.tagging.text import Text


class Progress:
    """Bytes of the input that were tagged, and documents; nothing is shown if standard error is no terminal.

    Args:
        files: The input; how much it is, is known if all are plain files.
        passed: Bytes that an earlier run has tagged.
    """

    def __init__(self, files: Iterable[Path], passed: int = 0) -> None:
        self.documents = 0
        self._bar = tqdm(
            total=_total(files), initial=passed, unit="B", unit_scale=True, disable=None, file=sys.stderr, leave=False
        )

    def add(self, text: Text) -> None:
        """Note that ``text`` was tagged."""
        self.documents += 1
        self._bar.set_postfix_str(f"{self.documents:,} done", refresh=False)
        self._bar.update(text.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()


def _total(files: Iterable[Path]) -> int | None:
    """Return the bytes of all files; ``None`` if one is a stream or compressed."""
    total = 0
    for path in files:
        if not path.is_file() or path.suffix == ".gz":
            return None
        total += path.stat().st_size
    return total
