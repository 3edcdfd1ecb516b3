"""Processes that end with their parent, however that ends."""

from __future__ import annotations

import os
import signal
import threading
import time

from typing import Final


# How long the end of the parent may go unnoticed.
_WATCH_S: Final = 0.25

# How long this process may take to end by itself.
_GRACE_S: Final = 5.0


def end_with(parent: int) -> None:
    """Have a thread end this process, and ask all of its group to, once ``parent`` is not its parent any more."""
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="end-with-parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    # mosec's server in Rust has nobody else to tell it; multiprocessing's tracker of resources stays to clean up.
    os.killpg(0, signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)
