"""An event loop whose time is made up: what sleeps wakes at once, at the time that it has asked for."""

from __future__ import annotations

import asyncio
import selectors

from collections.abc import Coroutine
from typing import Any
from typing import TypeVar


T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits, and nothing will ever happen"
        self.now_s += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s


def run_virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in made-up time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(coroutine)


def clock() -> int:
    """Return the made-up time in nanoseconds."""
    return round(asyncio.get_running_loop().time() * 1e9)


class Queue:
    """A server with one worker, first come, first served: the made-up kind.

    Args:
        service_s: What each request takes.
        stalls: Extra seconds, by the number of the request as served.
    """

    def __init__(self, service_s: float, stalls: dict[int, float] | None = None) -> None:
        self._service_s = service_s
        self._stalls = stalls or {}
        self._worker = asyncio.Lock()
        self.served = 0
        self.waiting = 0
        self.most_waiting = 0

    async def send(self, body: bytes) -> tuple[int, bytes]:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            async with self._worker:
                await asyncio.sleep(self._service_s + self._stalls.get(self.served, 0.0))
                self.served += 1
        finally:
            self.waiting -= 1
        return 200, body
