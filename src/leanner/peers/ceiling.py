"""How many operations this machine does at most: the best of its matrix products over the shapes of a model.

The products are torch's own of float32, and oneDNN's of uint8 by int8, called as
:class:`~leanner.passes.int8_static.StaticInt8Linear` calls them, but of integers that are there already, and with
nothing done to the result. No tagger does nothing but multiply.
"""

from __future__ import annotations

import time

from collections.abc import Callable
from collections.abc import Iterable
from typing import Final

import torch

from torch import Tensor
from torch import nn

from leanner.passes.int8 import has_onednn


#: Rows that are multiplied at a time.
_ROWS: Final = (128, 256, 512, 1024, 2048)
#: How often each product is timed; the least time counts.
_TIMES: Final = 5

#: In and out features of a linear layer.
Shape = tuple[int, int]


def float32_ceiling(shapes: Iterable[Shape]) -> float:
    """Return the most operations a second of a linear layer in float32; a product and its sum are two."""
    return max(_best(shape, rows, _float32(shape, rows)) for shape in shapes for rows in _ROWS)


def int8_ceiling(shapes: Iterable[Shape]) -> float | None:
    """Return the most operations a second of a linear layer in int8; ``None`` where torch has no oneDNN for it."""
    if not has_onednn():
        return None
    return max(
        _best(shape, rows, _int8(shape, rows, dtype))
        for shape in shapes
        for rows in _ROWS
        # Bytes are less to write than floats.
        for dtype in (torch.uint8, torch.float32)
    )


def shapes_of(model: nn.Module) -> list[Shape]:
    """Return the shapes of the linear layers of float32 in a model, each once, sorted."""
    return sorted({(layer.in_features, layer.out_features) for layer in model.modules() if type(layer) is nn.Linear})


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


def _best(shape: Shape, rows: int, product: Callable[[], Tensor]) -> float:
    least = float("inf")
    with torch.inference_mode():
        product()
        for _ in range(_TIMES):
            began = time.perf_counter()
            product()
            least = min(least, time.perf_counter() - began)
    return 2.0 * rows * shape[0] * shape[1] / least
