"""The one clock of the meters: monotonic, so that a step of the wall clock cannot change a joule."""

from __future__ import annotations

import time

from collections.abc import Callable
from typing import Final


#: Nanoseconds that never go back. On Linux this is CLOCK_MONOTONIC, which every
#: process of the machine shares, so that a sampler may live in another process (which
#: checks it when it starts: ``process_sampler``).
Clock = Callable[[], int]

monotonic_ns: Final[Clock] = time.perf_counter_ns

NS_PER_S: Final = 1_000_000_000


def seconds(ns: int) -> float:
    """Return ``ns`` nanoseconds in seconds."""
    return ns / NS_PER_S
