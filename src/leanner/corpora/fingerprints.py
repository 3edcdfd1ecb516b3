"""Sets of texts and names in 8 bytes an element, so that memory stays flat over a large corpus."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING
from typing import Final

import numpy as np


if TYPE_CHECKING:
    from numpy.typing import NDArray


# New elements wait in a Python set until there are this many, then they are sorted into the array.
_RECENT: Final = 1 << 14


def fingerprint(*parts: str) -> int:
    """Return 64 bits of BLAKE2b over ``parts``, the same on every machine.

    Two of a million different elements share a fingerprint with a probability of 3e-8.
    """
    digest = blake2b(digest_size=8)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return int.from_bytes(digest.digest(), "big")


class FingerprintSet:
    """A growing set of fingerprints: a sorted array of uint64 and a small set of recent ones."""

    __slots__ = ("_recent", "_sorted")

    def __init__(self) -> None:
        self._sorted: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)
        self._recent: set[int] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def __contains__(self, element: int) -> bool:
        if element in self._recent:
            return True
        index = int(np.searchsorted(self._sorted, np.uint64(element)))
        return index < len(self._sorted) and int(self._sorted[index]) == element

    def add(self, element: int) -> bool:
        """Add ``element`` and return whether it is new."""
        if element in self:
            return False
        self._recent.add(element)
        if len(self._recent) >= _RECENT:
            recent = np.fromiter(self._recent, dtype=np.uint64, count=len(self._recent))
            self._sorted = np.sort(np.concatenate([self._sorted, recent]))
            self._recent.clear()
        return True
