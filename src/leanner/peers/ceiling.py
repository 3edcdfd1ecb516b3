"""How many operations this machine does at most: the best of its matrix products over the shapes of a model.

The products are torch's own of float32, and oneDNN's of uint8 by int8, called as
:class:`~leanner.passes.int8_static.StaticInt8Linear` calls them, but of integers that are there already, and with
nothing done to the result. No tagger does nothing but multiply.
"""

from __future__ import annotations

import time

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch

from torch import Tensor
from torch import nn

from leanner.passes.int8 import has_onednn


#: Rows that are multiplied at a time.
_ROWS: Final = (128, 256, 512, 1024, 2048)
#: They take turns in visits of so many seconds: a shared machine is fast and slow by turns, and a product that is
#: visited once may have met either.
_VISIT_S: Final = 0.002

#: In and out features of a linear layer.
Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product that can be repeated.

    Attributes:
        name: What is multiplied.
        operations: Of one run; a product and its sum are two.
        run: Multiplies.
    """

    name: str
    operations: float
    run: Callable[[], Tensor]


@dataclass(slots=True)
class Ceiling:
    """The fastest of some products.

    Attributes:
        product: The one that did most operations a second while all took turns.
        most: Most operations a second that any single run of any of them reached.
    """

    product: Product
    most: float

    @classmethod
    def of(cls, products: Sequence[Product], seconds: float) -> Ceiling:
        """Have all products take turns for so many seconds, and choose the fastest.

        Raises:
            ValueError: There are no products.
        """
        if not products:
            raise ValueError("expected products to choose from, found none")
        done, spent, most = [0.0] * len(products), [0.0] * len(products), 0.0
        for product in products:
            _repeat(product, 0.0)
        ends = time.perf_counter() + seconds
        while not all(spent) or time.perf_counter() < ends:
            for number, product in enumerate(products):
                runs, took, least = _repeat(product, _VISIT_S)
                done[number] += runs * product.operations
                spent[number] += took
                most = max(most, product.operations / least)
        best = max(range(len(products)), key=lambda number: done[number] / spent[number])
        return cls(products[best], most)

    def rate(self, seconds: float) -> float:
        """Return how many operations a second the product does now, repeated for so many seconds."""
        runs, took, least = _repeat(self.product, seconds)
        self.most = max(self.most, self.product.operations / least)
        return runs * self.product.operations / took


def float32_products(shapes: Iterable[Shape]) -> list[Product]:
    """Return products of linear layers in float32."""
    return [_product(shape, rows, torch.float32, _float32(shape, rows)) for shape in shapes for rows in _ROWS]


def int8_products(shapes: Iterable[Shape]) -> list[Product]:
    """Return products of linear layers in int8; none where torch has no oneDNN for them."""
    if not has_onednn():
        return []
    return [
        _product(shape, rows, dtype, _int8(shape, rows, dtype))
        for shape in shapes
        for rows in _ROWS
        # Bytes are less to write than floats.
        for dtype in (torch.uint8, torch.float32)
    ]


def shapes_of(model: nn.Module) -> list[Shape]:
    """Return the shapes of the linear layers of float32 in a model, each once, sorted."""
    return sorted({(layer.in_features, layer.out_features) for layer in model.modules() if type(layer) is nn.Linear})


def _product(shape: Shape, rows: int, result: torch.dtype, run: Callable[[], Tensor]) -> Product:
    name = f"{rows} × {shape[0]} by {shape[0]} × {shape[1]} to {str(result).removeprefix('torch.')}"
    return Product(name, 2.0 * rows * shape[0] * shape[1], run)


def _float32(shape: Shape, rows: int) -> Callable[[], Tensor]:
    given, weight, bias = torch.rand(rows, shape[0]), torch.rand(shape[1], shape[0]), torch.rand(shape[1])
    return lambda: nn.functional.linear(given, weight, bias)


def _int8(shape: Shape, rows: int, dtype: torch.dtype) -> Callable[[], Tensor]:
    given = torch.randint(0, 256, (rows, shape[0]), dtype=torch.uint8)
    weight = torch.randint(-127, 128, (shape[1], shape[0]), dtype=torch.int8)
    packed = torch.ops.onednn.qlinear_prepack(weight, None)
    scale, zero_points, bias = (
        torch.full(shape[1:], 1e-4),
        torch.zeros(shape[1:], dtype=torch.int32),
        torch.rand(shape[1]),
    )

    def product() -> Tensor:
        result: Tensor = torch.ops.onednn.qlinear_pointwise(
            *(given, 1.0, 128, packed, scale, zero_points, bias, 1.0, 128 if dtype is torch.uint8 else 0),
            *(dtype, "none", [], ""),
        )
        return result

    return product


def _repeat(product: Product, seconds: float) -> tuple[int, float, float]:
    """Return how often it ran, at least once, the seconds of all runs, and the least of one."""
    runs, least = 0, float("inf")
    with torch.inference_mode():
        began = ended = time.perf_counter()
        while not runs or ended - began < seconds:
            before = ended
            product.run()
            ended = time.perf_counter()
            least = min(least, ended - before)
            runs += 1
    return runs, ended - began, least
