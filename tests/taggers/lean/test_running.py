from __future__ import annotations

import threading

import pytest

from leanner.taggers.lean.running import one_ahead


def test_a_single_one_is_made_without_a_thread() -> None:
    names = list(one_ahead(["only"], lambda _: threading.current_thread().name))
    assert names == [threading.current_thread().name]
    assert list(one_ahead([], str)) == []


def test_one_is_made_ahead_and_an_error_is_not_lost() -> None:
    second = threading.Event()

    def make(number: int) -> int:
        if number == 2:
            second.set()
        return 10 // number

    results = one_ahead([5, 2, 0, 1], make)
    assert next(results) == 2
    assert second.wait(timeout=30)
    assert next(results) == 5
    with pytest.raises(ZeroDivisionError):
        next(results)
