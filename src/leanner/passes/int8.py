"""Modules whose weights are stored as int8: linear layers and embeddings.

Symmetric linear quantization (Q8BERT, Zafrir et al. 2019, section 2.1): ``q = round(x / s)``
with ``s = max|x| / 127``, no zero point, so that ``|x - s * q| <= s / 2``. One scale for
each row of a weight matrix and, at run time, for each token of an activation (Q8BERT has
one for a whole tensor): a token's result does not depend on what else is in the batch.
The products are accumulated exactly, in int32, or the weights get one bit less: x86 CPUs
without VNNI add two products in 16 bits, which 8-bit weights overflow and 7-bit ones do not.
"""

from __future__ import annotations

import platform

from collections.abc import Iterator
from typing import Final
from typing import Self

import torch

from torch import Tensor
from torch import nn


#: Bits of a weight, most first.
WEIGHT_BITS: Final = (8, 7)

_TINY: Final = 1e-30
#: What makes an int8 value a uint8 one; for oneDNN its zero point.
_SHIFT: Final = 128
#: oneDNN makes a kernel for each number of tokens, and keeps the last 1,024 (docs/serving.md).
_TOKENS: Final = 16


def quantize_rows(values: Tensor, bits: int = 8) -> tuple[Tensor, Tensor]:
    """Return int8 values and the scale of each row, so that ``values ≈ q * scale``.

    *Shapes:* ``values`` and ``q`` ``(…, columns)``; ``scale`` ``(…, 1)``, float32.
    """
    largest = 2 ** (bits - 1) - 1
    scale = torch.maximum(values.amax(-1, keepdim=True), -values.amin(-1, keepdim=True))
    scale = scale.clamp_min_(_TINY).mul_(1 / largest)
    # The clamp of a rounding error above the largest is not needed: max|x| * (1 / scale) rounds to it.
    return (values * scale.reciprocal()).round_().to(torch.int8), scale


def room_for(tokens: Tensor) -> Tensor:
    """Return room for tokens that oneDNN multiplies, and for so many more that their number is a multiple of 16.

    *Shapes:* ``tokens`` ``(n, features)``; result ``(⌈n / 16⌉ · 16, features)``, uint8, nothing written to it.
    """
    return tokens.new_empty(len(tokens) + -len(tokens) % _TOKENS, tokens.shape[1], dtype=torch.uint8)


class Int8Linear(nn.Module):
    """A linear layer with int8 weights and inputs quantized token by token.

    On an x86 CPU the weights are kept in oneDNN's own layout, elsewhere row by row for
    ``torch._int_mm``. Both compute the same integers.

    Args:
        linear: Its weights and bias are taken.
        packed: Whether to use oneDNN's layout; where it is fast by default.
        weight_bits: One of ``WEIGHT_BITS``.
    """

    largest: int
    scale: Tensor
    _rows: Tensor
    _zero_points: Tensor

    def __init__(self, linear: nn.Linear, *, packed: bool | None = None, weight_bits: int = 8) -> None:
        super().__init__()
        weight, scale = quantize_rows(linear.weight.detach().float(), weight_bits)
        bias: Tensor | None = linear.bias
        bias = None if bias is None else bias.detach().clone()
        self._hold(weight, scale.squeeze(-1), bias, packed=packed, weight_bits=weight_bits)

    @classmethod
    def from_rows(
        cls, rows: Tensor, scale: Tensor, bias: Tensor | None, *, packed: bool | None = None, weight_bits: int = 8
    ) -> Self:
        """Return the layer that stores these integers.

        *Shapes:* ``rows`` ``(out_features, in_features)``, int8; ``scale`` and ``bias`` ``(out_features,)``.

        Args:
            rows: The weights as :meth:`weights` gives them.
            scale: Of each row.
            bias: Added to the products.
            packed: As in the class.
            weight_bits: Of a weight.
        """
        layer = cls.__new__(cls)
        nn.Module.__init__(layer)
        layer._hold(rows, scale, bias, packed=packed, weight_bits=weight_bits)  # noqa: SLF001 - its own
        return layer

    def _hold(self, rows: Tensor, scale: Tensor, bias: Tensor | None, *, packed: bool | None, weight_bits: int) -> None:
        self.out_features, self.in_features = rows.shape
        self.largest = 2 ** (weight_bits - 1) - 1
        self.register_buffer("scale", scale)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        on_onednn = has_onednn() and rows.device.type == "cpu" if packed is None else packed
        self._packed: Tensor | None = None
        if on_onednn:
            self._packed = torch.ops.onednn.qlinear_prepack(rows, None)
            self.register_buffer("_zero_points", torch.zeros(self.out_features, dtype=torch.int32), persistent=False)
        else:
            self.register_buffer("_rows", rows)

    @property
    def weight_bits(self) -> int:
        """Bits of a weight."""
        return self.largest.bit_length() + 1

    @property
    def weight(self) -> Tensor:
        """The weights that the layer computes with, as float32."""
        return self.weights().float() * self.scale.unsqueeze(-1)

    def weights(self) -> Tensor:
        """Return the weights as stored, int8.

        *Shapes:* ``(out_features, in_features)``.
        """
        return self._rows if self._packed is None else self._packed.to_dense().t()

    def store(self, weight: Tensor) -> None:
        """Replace the weights by the nearest to ``weight`` on the scales that the layer has.

        *Shapes:* ``(out_features, in_features)``.
        """
        steps = (weight / self.scale.unsqueeze(-1)).round_().clamp_(-self.largest, self.largest)
        # oneDNN takes memory row by row, whatever the strides say.
        steps = steps.to(torch.int8).contiguous()
        if self._packed is None:
            self._rows = steps
        else:
            self._packed = torch.ops.onednn.qlinear_prepack(steps, None)

    def rounded(self, column: Tensor) -> Tensor:
        """Return what is stored of a column of weights.

        *Shapes:* ``column`` and result ``(out_features,)``.
        """
        scale = self.scale.to(column)
        return (column / scale).round_().clamp_(-self.largest, self.largest).mul_(scale)

    def packed(self) -> tuple[Tensor, ...]:
        """Return the weights in oneDNN's layout, if they are."""
        return () if self._packed is None else (self._packed,)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x @ weight.T + bias``.

        *Shapes:* ``x`` ``(…, in_features)``; result ``(…, out_features)``.
        """
        tokens, scale = quantize_rows(x.reshape(-1, self.in_features))
        if self._packed is None:
            result = _int_mm(tokens, self._rows) * self.scale
        else:
            # Without AMX, x86 multiplies unsigned by signed bytes only: oneDNN has no fast kernel for two signed ones.
            shifted = room_for(tokens)
            torch.bitwise_xor(tokens.view(torch.uint8), _SHIFT, out=shifted[: len(tokens)])
            result = torch.ops.onednn.qlinear_pointwise(
                *(shifted, 1.0, _SHIFT, self._packed, self.scale, self._zero_points, None),
                *(1.0, 0, torch.float32, "none", [], ""),
            )[: len(tokens)]
        result = result.mul_(scale)
        if self.bias is not None:
            result = result.add_(self.bias)
        return result.view(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """Return what ``nn.Linear`` shows, and the kernel."""
        kernel = "_int_mm" if self._packed is None else "onednn"
        return f"in_features={self.in_features}, out_features={self.out_features}, kernel={kernel}"


class Int8Embedding(nn.Module):
    """An embedding with int8 rows, made float32 when they are looked up."""

    rows: Tensor
    scale: Tensor

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        rows, scale = quantize_rows(embedding.weight.detach().float())
        self._hold(rows, scale)

    @classmethod
    def from_rows(cls, rows: Tensor, scale: Tensor) -> Self:
        """Return the embedding that stores these integers.

        *Shapes:* ``rows`` ``(num_embeddings, embedding_dim)``, int8; ``scale`` ``(num_embeddings, 1)``.
        """
        embedding = cls.__new__(cls)
        nn.Module.__init__(embedding)
        embedding._hold(rows, scale)  # noqa: SLF001 - its own
        return embedding

    def _hold(self, rows: Tensor, scale: Tensor) -> None:
        self.num_embeddings, self.embedding_dim = rows.shape
        self.register_buffer("rows", rows)
        self.register_buffer("scale", scale)

    @property
    def weight(self) -> Tensor:
        """The embeddings that are looked up, as float32."""
        return self.rows.float() * self.scale

    def forward(self, indices: Tensor) -> Tensor:
        """Return the embeddings.

        *Shapes:* ``indices`` ``(…)``; result ``(…, embedding_dim)``.
        """
        return nn.functional.embedding(indices, self.rows).float() * nn.functional.embedding(indices, self.scale)


def has_onednn() -> bool:
    """Whether oneDNN's int8 kernel for linear layers is here."""
    return (
        platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.onednn, "qlinear_pointwise")
        and hasattr(torch.ops.onednn, "qlinear_prepack")
    )


def is_exact(device: torch.device, weight_bits: int = 8, *, packed: bool | None = None) -> bool:
    """Whether products with weights of so many bits are added without saturation on ``device``.

    The largest values are the worst case: two products of 255 and 127 exceed 16 bits.
    """
    linear = nn.Linear(64, 16, bias=False, device=device).requires_grad_(requires_grad=False)
    linear.weight.fill_(1.0)
    result = Int8Linear(linear, packed=packed, weight_bits=weight_bits)(torch.ones(32, 64, device=device))
    return bool(((result - 64).abs() < 0.01).all())


def exact_weight_bits(device: torch.device, *, packed: bool | None = None) -> int | None:
    """Return the most bits of a weight whose products are exact on ``device``; ``None`` if none are."""
    return next((bits for bits in WEIGHT_BITS if is_exact(device, bits, packed=packed)), None)


def quantized_layers(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers that are stored as int8."""
    return (module for module in model.modules() if isinstance(module, Int8Linear | Int8Embedding))


def _int_mm(tokens: Tensor, rows: Tensor) -> Tensor:
    if tokens.shape[1] == 1:
        # torch 2.13 on a CPU returns what was in memory.
        return tokens.int() * rows.int().t()
    # CUDA's kernel wants more than 16 rows, and both sizes of the result in multiples of 8.
    if tokens.device.type != "cuda":
        return torch._int_mm(tokens, rows.t())  # noqa: SLF001 - torch has no public name for it
    count, features = tokens.shape[0], rows.shape[0]
    missing = max(24 - count, -count % 8)
    tokens = nn.functional.pad(tokens, (0, 0, 0, missing))
    rows = nn.functional.pad(rows, (0, 0, 0, -features % 8))
    return torch._int_mm(tokens, rows.t())[:count, :features]  # noqa: SLF001 - the same
