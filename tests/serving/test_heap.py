from __future__ import annotations

import ctypes
import platform

import numpy as np
import psutil
import pytest

from leanner.serving.handling import BatchHandler
from leanner.serving.heap import EVERY_S
from leanner.serving.heap import Heap
from leanner.serving.heap import malloc_trim
from serving.toys import make


def test_it_is_done_once_in_a_while() -> None:
    now_s, trimmed = [0.0], []
    heap = Heap(lambda: trimmed.append(now_s[0]), clock=lambda: now_s[0])
    for step in range(25):
        now_s[0] = 0.25 * EVERY_S * step
        heap()

    assert trimmed == [EVERY_S * number for number in range(1, 7)]


def test_where_the_allocator_cannot_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(_: object) -> object:
        return object()

    monkeypatch.setattr(ctypes, "CDLL", without)
    assert malloc_trim() is None
    Heap(None, clock=iter((0.0, 10.0)).__next__)()


def test_it_comes_behind_each_batch() -> None:
    calls: list[int] = []
    handler = BatchHandler(make(), after=lambda: calls.append(1))
    handler([b"no request"])
    handler([b"no request", b"nor this"])

    assert len(calls) == 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
def test_holes_are_given_back() -> None:
    trim = malloc_trim()
    assert trim is not None
    # Small enough for the heap, and every second one kept, so that it does not shrink by itself.
    arrays = [np.ones(2_000) for _ in range(20_000)]
    kept = arrays[::2]
    before = psutil.Process().memory_info().rss
    del arrays
    trim()

    assert before - psutil.Process().memory_info().rss > 0.5 * 10_000 * 16_000
    assert len(kept) == 10_000
