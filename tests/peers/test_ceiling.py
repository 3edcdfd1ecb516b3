from __future__ import annotations

import itertools

from collections.abc import Iterator
from statistics import fmean

import pytest
import torch

from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch import nn

from leanner.passes.int8 import Int8Linear
from leanner.passes.int8 import has_onednn
from leanner.peers import ceiling
from leanner.peers.ceiling import Ceiling
from leanner.peers.ceiling import Product


class Clock:
    """Time that passes only while a product runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def product(self, operations: float, *seconds: float) -> Product:
        """Return one that takes these seconds by turns, over and over."""
        turns: Iterator[float] = itertools.cycle(seconds)

        def run() -> Tensor:
            self.now += next(turns)
            return torch.empty(0)

        return Product("made up", operations, run)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(ceiling, "time", made)
    return made


def test_the_fastest_over_all_its_runs_is_chosen_not_the_fastest_for_a_moment(clock: Clock) -> None:
    steady, moody = clock.product(4.0, 1.0), clock.product(8.0, 1.0, 9.0)
    found = Ceiling.of([moody, steady], seconds=100.0)
    assert found.product is steady
    assert found.most == 8.0


def test_a_rate_is_that_of_all_runs_and_the_most_that_of_one(clock: Clock) -> None:
    found = Ceiling(clock.product(6.0, 1.0, 2.0), most=1.0)
    # Four runs, of 1, 2, 1 and 2 seconds.
    assert found.rate(5.0) == pytest.approx(4.0)
    assert found.most == 6.0
    assert found.rate(0.5) == 6.0


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6), st.integers(0, 200))
def test_no_product_that_takes_as_long_each_time_is_faster(pairs: list[tuple[int, int]], seconds: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made = Clock()
        patch.setattr(ceiling, "time", made)
        found = Ceiling.of([made.product(float(work), float(took)) for work, took in pairs], float(seconds))
        assert found.most == max(work / took for work, took in pairs)
        assert found.rate(1.0) == found.most


def test_a_model_without_linear_layers_has_none() -> None:
    with pytest.raises(ValueError, match="expected products to choose from, found none"):
        Ceiling.of([], 1.0)


def test_a_real_product_is_measured() -> None:
    found = Ceiling.of(ceiling.float32_products([(16, 8)]), seconds=0.0)
    rates = [found.rate(0.002) for _ in range(3)]
    assert 0 < fmean(rates) <= found.most


def test_operations_are_those_of_each_shape_and_number_of_rows() -> None:
    shapes = [(4, 8), (16, 2)]
    expected = sorted(2.0 * rows * one * other for one, other in shapes for rows in (128, 256, 512, 1024, 2048))
    assert sorted(product.operations for product in ceiling.float32_products(shapes)) == expected


@pytest.mark.skipif(not has_onednn(), reason="needs oneDNN's int8 kernels: an x86 CPU")
def test_integers_come_out_as_bytes_and_as_floats() -> None:
    products = ceiling.int8_products([(16, 32)])
    assert max(product.operations for product in products) == 2.0 * 2048 * 16 * 32
    assert {product.name for product in products} >= {"128 × 16 by 16 × 32 to uint8", "2048 × 16 by 16 × 32 to float32"}
    results = [product.run() for product in products]
    assert {result.dtype for result in results} == {torch.uint8, torch.float32}
    assert {result.shape for result in results} == {(rows, 32) for rows in (128, 256, 512, 1024, 2048)}


def test_without_onednn_there_is_none_of_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "has_onednn", lambda: False)
    assert ceiling.int8_products([(16, 32)]) == []


def test_shapes_are_those_of_floats_each_once() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 3), nn.Linear(3, 5), Int8Linear(nn.Linear(7, 7)))
    assert ceiling.shapes_of(model) == [(3, 5), (5, 3)]
