"""Memory that a worker's allocator keeps without use, given back to the kernel.

Batches differ in size and length, and so do the arrays of a forward pass: glibc's heap fills up with holes that fit
none of the next ones. docs/serving.md has what that was measured to be.
"""

from __future__ import annotations

import ctypes
import time

from collections.abc import Callable
from typing import Final


#: Seconds between two times: it takes about 10 ms, and pages that are used again have to be given again.
EVERY_S: Final = 1.0


class Heap:
    """Gives back what is free, at most once in ``EVERY_S``. Called behind a batch.

    Args:
        trim: Does it; ``None`` where the allocator cannot.
        clock: Seconds that never go back.
    """

    def __init__(self, trim: Callable[[], object] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._trim = trim
        self._clock = clock
        self._last_s = clock()

    def __call__(self) -> None:
        """Do so if it is time."""
        now_s = self._clock()
        if self._trim is not None and now_s - self._last_s >= EVERY_S:
            self._trim()
            self._last_s = self._clock()


def malloc_trim() -> Callable[[], object] | None:
    """Return glibc's ``malloc_trim(0)``; ``None`` where the C library has none (musl, macOS, Windows)."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return lambda: trim(0)
