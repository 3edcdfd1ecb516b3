"""What the kernels of an int8 encoder compute, step by step in torch: what they are tried against."""

from __future__ import annotations

import math

from collections.abc import Sequence

import torch

from torch import Tensor
from torch.nn.functional import gelu
from torch.nn.functional import layer_norm
from torch.nn.functional import scaled_dot_product_attention

from leanner.taggers.lean.kernels.parts import Embedding
from leanner.taggers.lean.kernels.parts import Grid
from leanner.taggers.lean.kernels.parts import Layer
from leanner.taggers.lean.kernels.parts import Norm
from leanner.taggers.lean.kernels.parts import Product
from leanner.taggers.lean.kernels.parts import Table
from leanner.taggers.lean.kernels.tiles import tiles_of


def computed(
    embedding: Embedding,
    layers: Sequence[Layer],
    ids: Tensor,
    lengths: Sequence[int],
    held: Sequence[tuple[Tensor, Tensor]] = (),
) -> Tensor:
    """Return the states of the last layer at all positions.

    *Shapes:* ``ids`` ``(positions,)``; result ``(positions, width)``; ``held`` as of ``LayerKernels``.

    Args:
        embedding: Of the words.
        layers: Of the encoder.
        ids: Words.
        lengths: Of the rows.
        held: Keys and values that all rows see besides.
    """
    before = len(held[0][0]) if held else 0
    places = torch.cat([torch.arange(before, before + length) for length in lengths])
    types = _embedded(embedding.types, torch.zeros_like(ids))
    hidden = _embedded(embedding.words, ids) + types + _embedded(embedding.positions, places)
    hidden = _normed(embedding.norm, hidden)
    given = _stored(hidden, embedding.following)
    for number, layer in enumerate(layers):
        queries, keys, values = (torch.split(_product(part, given), list(lengths)) for part in layer.products[:3])
        own = held[number] if held else (keys[0][:0], values[0][:0])
        attended = torch.cat(
            [
                _attended(query, torch.cat((own[0], key)), torch.cat((own[1], value)), layer.heads)
                for query, key, value in zip(queries, keys, values, strict=True)
            ]
        )
        hidden = _normed(layer.attention_norm, hidden + _product(layer.output, _stored(attended, layer.attended)))
        inner = gelu(_product(layer.first, _stored(hidden, layer.normed)))
        steps, shift = (torch.tensor(part) for part in layer.made)
        hidden = _normed(layer.norm, hidden + _product(layer.second, _stored(inner, (steps, shift))))
        given = hidden if layer.following is None else _stored(hidden, layer.following)
    return hidden


def _embedded(table: Table, rows: Tensor) -> Tensor:
    return table[0][rows] * table[1][rows]


def _stored(x: Tensor, grid: Grid) -> Tensor:
    steps, shift = grid
    return torch.addcmul(shift, x, steps).clamp(0, 255).floor()


def _product(product: Product, given: Tensor) -> Tensor:
    # Whole numbers, exact in float64.
    sums = given.double() @ product.rows().double().t() + product.start
    return sums.float() * product.scale + product.bias


def _attended(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    query, key, value = (part.view(len(part), heads, -1).transpose(0, 1) for part in (queries, keys, values))
    return scaled_dot_product_attention(query, key, value, scale=math.log(2)).transpose(0, 1).flatten(1)


def _normed(norm: Norm, x: Tensor) -> Tensor:
    return layer_norm(x, list(norm.gain.shape), norm.gain, norm.bias, norm.epsilon)


def made_up(
    depth: int, *, heads: int, size: int, inner: int, before: int, generator: torch.Generator
) -> tuple[Embedding, list[Layer], list[tuple[Tensor, Tensor]]]:
    """Return an encoder of random numbers, and what all rows see besides.

    Args:
        depth: How many.
        heads: Of each, beside each other as wide as the states.
        size: Of a head.
        inner: Neurons of the feed-forward block.
        before: Positions that all rows see.
        generator: Of the numbers.
    """
    width = heads * size

    def product(inputs: int, outputs: int, step: float, zero: int, reach: float) -> Product:
        rows = torch.randint(-127, 128, (outputs, inputs), generator=generator, dtype=torch.int8)
        scale = (0.5 + torch.rand(outputs, generator=generator)) * reach * step / (70 * inputs**0.5)
        bias = torch.randn(outputs, generator=generator) / 4
        return Product(tiles_of(rows), inputs, -zero * rows.sum(1, dtype=torch.int32), scale, bias)

    def norm() -> Norm:
        return Norm(1 + torch.rand(width, generator=generator), torch.randn(width, generator=generator) / 4, 1e-12)

    def table(number: int) -> Table:
        rows = torch.randint(-127, 128, (number, width), generator=generator, dtype=torch.int8)
        return rows, torch.rand(number, 1, generator=generator) / 70

    def grid(step: float, zero: int) -> Grid:
        return torch.full((width,), 1 / step), torch.full((width,), zero + 0.5)

    state, attended, made = (0.05, 120), (0.04, 128), (0.03, 6)
    layers = [
        Layer(
            query=product(width, width, *state, reach=1 / size**0.5),
            key=product(width, width, *state, reach=1.0),
            value=product(width, width, *state, reach=1.0),
            output=product(width, width, *attended, reach=1.0),
            first=product(width, inner, *state, reach=1.0),
            second=product(inner, width, *made, reach=1.0),
            attention_norm=norm(),
            norm=norm(),
            attended=grid(*attended),
            normed=grid(*state),
            made=(1 / made[0], made[1] + 0.5),
            following=grid(*state) if number + 1 < depth else None,
            heads=heads,
        )
        for number in range(depth)
    ]
    held = [
        (torch.randn(before, width, generator=generator), torch.randn(before, width, generator=generator))
        for _ in range(depth)
    ]
    return Embedding(table(99), table(512), table(2), norm(), grid(*state)), layers, held
