"""An event loop that wakes to the microsecond: asyncio's rounds up to whole milliseconds (``EpollSelector.select``).

A request that is due would else be sent half a millisecond late on average, as long as a fast tagger takes for it.
"""

from __future__ import annotations

import asyncio
import select
import selectors


class _Selector(selectors.EpollSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            # The one descriptor of epoll itself, and select's finer timeout.
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


def precise_loop() -> asyncio.AbstractEventLoop:
    """Return such a loop, not running."""
    return asyncio.SelectorEventLoop(_Selector())
