"""A clock that moves when told to."""

from __future__ import annotations


class FakeClock:
    """Monotonic nanoseconds, by hand."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000_000

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)
