"""An encoder whose layers are int8 and know the ranges of their inputs, run by one kernel from end to end."""

from __future__ import annotations

import math

from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import Protocol
from typing import runtime_checkable

import torch

from torch import Tensor
from torch import nn

from leanner.taggers.lean.kernels.parts import Embedding
from leanner.taggers.lean.kernels.parts import Layer
from leanner.taggers.lean.kernels.parts import Norm
from leanner.taggers.lean.kernels.parts import Product
from leanner.taggers.lean.kernels.tiles import GROUP
from leanner.taggers.lean.kernels.tiles import TILE


if TYPE_CHECKING:
    from leanner.taggers.lean.bert import CachedPrefix
    from leanner.taggers.lean.kernels.layers import LayerKernels
    from leanner.taggers.lean.kernels.parts import Grid
    from leanner.taggers.lean.steps import Rows


class Stored(Protocol):
    """How values are stored as uint8: ``u = floor(x / scale + zero + 1/2)``."""

    @property
    def scale(self) -> float:
        """A step."""
        ...

    @property
    def zero(self) -> int:
        """What 0 is stored as."""
        ...


@runtime_checkable
class StaticLinear(Protocol):
    """A linear layer with int8 weights, whose input's range is known beforehand.

    It has what its class has: from Python 3.12 on ``isinstance`` does not see a module's parameters and buffers.
    """

    @property
    def given(self) -> Stored:
        """How its input is stored."""
        ...

    @property
    def made(self) -> Stored | None:
        """How the GELU of its result is stored, if it applies one."""
        ...

    @property
    def grid(self) -> Grid:
        """Steps and shift of each input."""
        ...

    def weights(self) -> Tensor:
        """Return the weights, ``(out_features, in_features)``, int8."""
        ...

    def tiles(self) -> Tensor:
        """Return the weights as ``kernels.tiles`` lays them out, which is how they are kept from now on."""
        ...


class _Linear(StaticLinear, Protocol):
    """With its parameters and buffers."""

    in_features: int
    out_features: int
    scale: Tensor
    bias: Tensor | None


class Int8Encoder:
    """An encoder from its words to its last layer.

    The weights of its modules are from now on kept as the kernels read them: they still compute the same, but slowly.
    Scales and biases are copied: what changes them later is not seen.

    Args:
        encoder: transformers', that :func:`fits`.
        kernels: Of this CPU.

    Attributes:
        multiplied: Products of a weight and an input so far, in all calls together.
    """

    def __init__(self, encoder: Any, kernels: LayerKernels) -> None:  # noqa: ANN401 - see above
        self._kernels: Final = kernels
        layers = list(encoder.encoder.layer)
        following = [*(layer.attention.self.query.grid for layer in layers[1:]), None]
        table = encoder.embeddings
        words, positions, types = ((one.rows, one.scale) for one in _tables(encoder))
        first: Grid = layers[0].attention.self.query.grid
        self._embedding: Final = Embedding(words, positions, types, _norm_of(table.LayerNorm), first)
        self._layers: Final = [_layer_of(*pair) for pair in zip(layers, following, strict=True)]
        self.multiplied = 0

    def __call__(self, ids: Tensor, rows: Rows, wanted: Tensor, prefix: CachedPrefix | None) -> Tensor:
        """Return the states of the last layer at the wanted positions.

        *Shapes:* ``ids`` ``(positions,)``; ``wanted`` ``(n,)``; result ``(n, hidden)``.

        Args:
            ids: Sub-tokens.
            rows: Where they lie.
            wanted: Positions, in any order.
            prefix: What all rows see besides.
        """
        held = [] if prefix is None else list(zip(prefix.keys, prefix.values, strict=True))
        own, places = torch.unique(wanted, return_inverse=True)
        states = self._kernels(self._embedding, self._layers, ids, rows=rows.places, wanted=own, held=held)
        self.multiplied += len(ids) * self._everywhere + len(own) * self._behind
        return states[places]

    @property
    def _behind(self) -> int:
        """Weights that are multiplied at wanted positions only."""
        return sum(product.number for product in self._layers[-1].products[3:])

    @property
    def _everywhere(self) -> int:
        return sum(product.number for layer in self._layers for product in layer.products) - self._behind


def fits(encoder: Any) -> bool:  # noqa: ANN401 - transformers'
    """Whether the kernels compute this encoder: int8 with known ranges, GELU, sizes that they have."""
    norm = encoder.embeddings.LayerNorm
    return (
        all(map(_is_stored, _tables(encoder)))
        and _in_float32(norm)
        and all(_fits(layer) for layer in encoder.encoder.layer)
    )


def _fits(layer: Any) -> bool:  # noqa: ANN401 - transformers'
    attention = layer.attention.self
    linears = _linears(layer)
    if not all(isinstance(one, StaticLinear) for one in linears):
        return False
    query, key, value, output, first, second = linears
    width = query.in_features
    norms = (layer.attention.output.LayerNorm, layer.output.LayerNorm)
    return (
        type(layer.intermediate.intermediate_act_fn) is nn.Identity
        and first.made is not None
        and first.made == second.given
        and all(one.made is None for one in (query, key, value, output, second))
        and query.given == key.given == value.given
        and all(map(torch.equal, query.grid * 2, (*key.grid, *value.grid)))
        # The kernel stores the result of a GELU with one step for all of them.
        and torch.allclose(second.grid[0], torch.full_like(second.grid[0], 1 / first.made.scale), rtol=1e-6)
        and key.out_features == value.out_features == query.out_features == output.in_features
        and output.out_features == second.out_features == first.in_features == width
        and second.in_features == first.out_features
        and all(one.in_features == width for one in (key, value))
        and query.out_features % (TILE * attention.num_attention_heads) == 0
        and all(one.out_features % TILE == 0 and one.in_features % GROUP == 0 for one in linears)
        and all(map(_in_float32, norms))
    )


def _tables(encoder: Any) -> tuple[Any, ...]:  # noqa: ANN401 - transformers'
    table = encoder.embeddings
    return table.word_embeddings, table.position_embeddings, table.token_type_embeddings


def _is_stored(table: Any) -> bool:  # noqa: ANN401 - of one kind or another
    """Whether an embedding has int8 rows, and the scale of each, ``(rows, 1)``."""
    rows, scale = getattr(table, "rows", None), getattr(table, "scale", None)
    return (
        isinstance(rows, Tensor)
        and isinstance(scale, Tensor)
        and rows.dtype == torch.int8
        and scale.dtype == torch.float32
        and scale.shape == (len(rows), 1)
        and rows.is_contiguous()
        and scale.is_contiguous()
    )


def _in_float32(norm: nn.LayerNorm) -> bool:
    return norm.weight.dtype == torch.float32 and norm.weight.device.type == "cpu"


def _linears(layer: Any) -> tuple[Any, ...]:  # noqa: ANN401 - transformers'
    attention = layer.attention.self
    behind = layer.attention.output.dense, layer.intermediate.dense, layer.output.dense
    return attention.query, attention.key, attention.value, *behind


def _layer_of(layer: Any, following: Grid | None) -> Layer:  # noqa: ANN401 - transformers'
    query, key, value, output, first, second = _linears(layer)
    heads = layer.attention.self.num_attention_heads
    return Layer(
        # Powers of two are cheaper than those of e.
        query=_product_of(query, math.log2(math.e) / math.sqrt(query.out_features // heads)),
        key=_product_of(key),
        value=_product_of(value),
        output=_product_of(output),
        first=_product_of(first),
        second=_product_of(second),
        attention_norm=_norm_of(layer.attention.output.LayerNorm),
        norm=_norm_of(layer.output.LayerNorm),
        attended=output.grid,
        normed=first.grid,
        made=(1 / first.made.scale, first.made.zero + 0.5),
        following=following,
        heads=heads,
    )


def _product_of(linear: _Linear, factor: float = 1.0) -> Product:
    start = linear.weights().sum(1, dtype=torch.int32).mul_(-linear.given.zero)
    bias = torch.zeros_like(linear.scale) if linear.bias is None else linear.bias.detach()
    return Product(
        linear.tiles(), linear.in_features, start, linear.scale * (linear.given.scale * factor), bias * factor
    )


def _norm_of(norm: nn.LayerNorm) -> Norm:
    return Norm(norm.weight.detach(), norm.bias.detach(), norm.eps)
