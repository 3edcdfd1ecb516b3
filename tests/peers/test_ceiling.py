from __future__ import annotations

import itertools

import pytest

from torch import nn

from leanner.passes.int8 import Int8Linear
from leanner.passes.int8 import has_onednn
from leanner.peers import ceiling


@pytest.fixture
def _a_second_each(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr("leanner.peers.ceiling.time.perf_counter", lambda: float(next(ticks)))


@pytest.mark.usefixtures("_a_second_each")
def test_it_is_the_most_operations_of_all_shapes() -> None:
    # Where each product takes a second, the largest is the best: 2,048 rows of 16 by 8.
    assert ceiling.float32_ceiling([(4, 8), (16, 8), (2, 2)]) == 2.0 * 2048 * 16 * 8


@pytest.mark.skipif(not has_onednn(), reason="needs oneDNN's int8 kernels: an x86 CPU")
@pytest.mark.usefixtures("_a_second_each")
def test_the_same_of_integers() -> None:
    assert ceiling.int8_ceiling([(16, 32), (32, 16)]) == 2.0 * 2048 * 16 * 32


def test_without_onednn_there_is_none_of_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "has_onednn", lambda: False)
    assert ceiling.int8_ceiling([(16, 32)]) is None


def test_shapes_are_those_of_floats_each_once() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 3), nn.Linear(3, 5), Int8Linear(nn.Linear(7, 7)))
    assert ceiling.shapes_of(model) == [(3, 5), (5, 3)]
