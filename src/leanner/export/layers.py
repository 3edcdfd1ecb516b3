"""What a file holds of a layer, and the layer again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import torch

from torch import Tensor
from torch import nn

from leanner.passes.int8 import Int8Embedding
from leanner.passes.int8 import Int8Linear
from leanner.passes.int8_static import Affine
from leanner.passes.int8_static import StaticInt8Linear
from leanner.taggers.errors import TaggerError


class Kind(StrEnum):
    """What a layer is if it is not of floats: see ``leanner.passes.int8`` and ``int8_static``."""

    INT8 = "int8"
    INT8_STATIC = "int8-static"
    INT8_EMBEDDING = "int8-embedding"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that is not of floats.

    Attributes:
        kind: Which of them.
        weight_bits: Of a weight of a linear layer.
        given: How a static layer's input is quantized.
        made: How its result is quantized, behind GELU; a float without GELU if ``None``.
    """

    kind: Kind
    weight_bits: int | None = None
    given: Affine | None = None
    made: Affine | None = None


class Form(NamedTuple):
    """Shape and type of a tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def __str__(self) -> str:
        """Return both as a person writes them."""
        return f"{str(self.dtype).removeprefix('torch.')}{list(self.shape)}"

    @classmethod
    def of(cls, tensor: Tensor) -> Form:
        """Return those of ``tensor``."""
        return cls(tuple(tensor.shape), tensor.dtype)


def stored(module: nn.Module, name: str) -> tuple[Layer | None, dict[str, Tensor]]:
    """Return what a layer is, ``None`` if it is of floats, and its tensors by name.

    Args:
        module: The layer as passes left it.
        name: For the error.

    Raises:
        TaggerError: A file has no place for such a layer.
    """
    if type(module) is Int8Embedding:
        return Layer(Kind.INT8_EMBEDDING), {"rows": module.rows, "scale": module.scale}
    if type(module) is StaticInt8Linear:
        layer = Layer(Kind.INT8_STATIC, module.weight_bits, module.given, module.made)
        return layer, {**_integers(module), "smoothing": module.smoothing}
    if type(module) is Int8Linear:
        return Layer(Kind.INT8, module.weight_bits), _integers(module)
    if type(module) in (nn.Linear, nn.Embedding, nn.LayerNorm):
        return None, dict(module.named_parameters())
    raise TaggerError(
        f"{name}: expected a layer of floats, or one that a pass of leanner made, found {type(module).__name__}, "
        "for which an export has no place"
    )


def forms(module: nn.Module, layer: Layer | None, dtype: torch.dtype) -> dict[str, Form]:
    """Return what a file must hold of a layer.

    Args:
        module: Of floats, of the same size.
        layer: What it is.
        dtype: Of floats that no pass made integers of.
    """
    if layer is None:
        return {name: Form(tuple(value.shape), dtype) for name, value in module.named_parameters()}
    rows = Form(tuple(module.get_parameter("weight").shape), torch.int8)
    if layer.kind is Kind.INT8_EMBEDDING:
        return {"rows": rows, "scale": Form((rows.shape[0], 1), torch.float32)}
    result = {"rows": rows, **{name: Form(rows.shape[:1], torch.float32) for name in ("scale", "bias")}}
    if layer.kind is Kind.INT8_STATIC:
        result["smoothing"] = Form(rows.shape[1:], torch.float32)
    return result


def restored(module: nn.Module, layer: Layer | None, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Return the layer with these tensors; integers are packed for the CPU that they are on.

    Args:
        module: Of floats, of the same size; it takes them itself if the layer is of floats.
        layer: What it is.
        tensors: Of the names and forms of :func:`forms`.
    """
    if layer is None:
        module.load_state_dict(dict(tensors), assign=True)
        return module.requires_grad_(requires_grad=False)
    if layer.kind is Kind.INT8_EMBEDDING:
        return Int8Embedding.from_rows(tensors["rows"], tensors["scale"])
    integers = tensors["rows"], tensors["scale"], tensors["bias"]
    bits = layer.weight_bits or 8
    if layer.kind is Kind.INT8:
        return Int8Linear.from_rows(*integers, weight_bits=bits)
    assert layer.given is not None
    return StaticInt8Linear.from_static_rows(
        *integers, given=layer.given, smoothing=tensors["smoothing"], made=layer.made, weight_bits=bits
    )


def _integers(module: Int8Linear) -> dict[str, Tensor]:
    tensors = {"rows": module.weights(), "scale": module.scale}
    return tensors if module.bias is None else {**tensors, "bias": module.bias}
