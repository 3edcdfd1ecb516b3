"""An int8 encoder as its kernels have it: tensors of float32, but for weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from leanner.taggers.lean.kernels.tiles import rows_of


#: Steps and shift of each feature: it is stored as ``floor(x * steps + shift)``, uint8.
Grid = tuple[Tensor, Tensor]
#: Rows, and the scale of each.
Table = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Product:
    """``(u - zero) @ weights.T * scale + bias`` of uint8 ``u``.

    Attributes:
        weights: As :func:`~leanner.taggers.lean.kernels.tiles.tiles_of` lays them out.
        inputs: Of each row of weights.
        start: Minus ``zero`` times the sum of each row of weights, ``(out,)``, int32.
        scale: Of each row, ``(out,)``.
        bias: The same.
    """

    weights: Tensor
    inputs: int
    start: Tensor
    scale: Tensor
    bias: Tensor

    @property
    def number(self) -> int:
        """Weights, without the zeros that fill up blocks."""
        return len(self.scale) * self.inputs

    def rows(self) -> Tensor:
        """Return the weights row by row, ``(out, inputs)``, int8."""
        return rows_of(self.weights, len(self.scale), self.inputs)


@dataclass(frozen=True, slots=True)
class Norm:
    """A LayerNorm: ``gain`` and ``bias`` ``(width,)``."""

    gain: Tensor
    bias: Tensor
    epsilon: float


@dataclass(frozen=True, slots=True)
class Embedding:
    """What goes into the first layer: the norm of the sum of a word's, a position's and the first type's embedding.

    Attributes:
        words: ``(words, width)``, int8, and the scale of each row.
        positions: The same.
        types: The same.
        norm: Of the sum.
        following: What the first layer takes.
    """

    words: Table
    positions: Table
    types: Table
    norm: Norm
    following: Grid


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of BERT.

    Attributes:
        query: Times log2(e) over the root of a head's size, so that scores are exponents of two.
        key: Of all heads beside each other.
        value: The same.
        output: Behind attention.
        first: Of the feed-forward block.
        second: Of the feed-forward block.
        attention_norm: Behind ``output``.
        norm: Behind ``second``.
        attended: What ``output`` takes.
        normed: What ``first`` takes.
        made: Steps and shift of what ``second`` takes.
        following: What the next layer takes, if there is one.
        heads: How many.
    """

    query: Product
    key: Product
    value: Product
    output: Product
    first: Product
    second: Product
    attention_norm: Norm
    norm: Norm
    attended: Grid
    normed: Grid
    made: tuple[float, float]
    following: Grid | None
    heads: int

    @property
    def products(self) -> tuple[Product, ...]:
        """All of them."""
        return self.query, self.key, self.value, self.output, self.first, self.second
