"""int8 linear layers whose inputs have one scale each, known beforehand.

Affine quantization of activations by tensor (Krishnamoorthi 2018, section 2.1; "static" in torch.ao and ONNX
Runtime): ``u = floor(x / s + z + 1/2)`` in 0 to 255. As the scale does not depend on the input, oneDNN
multiplies, adds the bias, applies GELU and quantizes again in one kernel: what lies between the
two layers of a feed-forward block is never written as float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from typing import Self

import torch

from torch import Tensor
from torch import nn

from leanner.passes.int8 import Int8Linear
from leanner.passes.int8 import room_for
from leanner.passes.static import REACH
from leanner.taggers.lean.kernels.tiles import rows_of
from leanner.taggers.lean.kernels.tiles import tiles_of


#: Names of the two layers of a feed-forward block of BERT.
_FIRST: Final = "intermediate.dense"
_SECOND: Final = "output.dense"


@dataclass(frozen=True, slots=True)
class Affine:
    """How values of a tensor are stored as uint8: ``u = floor(x / scale + zero + 1/2)``."""

    scale: float
    zero: int

    @classmethod
    def covering(cls, lowest: Tensor, highest: Tensor, smoothing: Tensor | None = None) -> Affine:
        """Return what covers all values, divided by ``smoothing``, and zero exactly.

        *Shapes:* all ``(features,)``.
        """
        even = 1.0 if smoothing is None else smoothing
        low = min(float((lowest / even).min()), 0.0)
        high = max(float((highest / even).max()), 0.0)
        scale = max((high - low) / 255, 1e-12)
        return cls(scale, round(-low / scale))


def smoothing_of(lowest: Tensor, highest: Tensor) -> Tensor:
    """Return by what each input is divided so that a few large ones do not set the range of all.

    An input that reaches further than ``REACH`` times the median of those that are ever there is brought
    down to that. What it is divided by goes into the weights, as in SmoothQuant (Xiao et al. 2023,
    section 4), which moves a share of every input.

    *Shapes:* all ``(in_features,)``.
    """
    reach = torch.maximum(-lowest, highest)
    alive = reach[reach > 0]
    if not len(alive):
        return torch.ones_like(reach)
    return (reach / (REACH * alive.median())).clamp_min(1.0)


class StaticInt8Linear(Int8Linear):
    """A linear layer with int8 weights and an input range known beforehand; needs oneDNN.

    Args:
        linear: Its weights and bias are taken.
        given: How its input is quantized, after the division; an input that is uint8 already is taken as so quantized.
        smoothing: By what each input is divided, ``(in_features,)``.
        made: If set, GELU is applied and the result is quantized so, uint8.
        weight_bits: As in :class:`~leanner.passes.int8.Int8Linear`.
    """

    smoothing: Tensor

    def __init__(
        self,
        linear: nn.Linear,
        given: Affine,
        *,
        smoothing: Tensor | None = None,
        made: Affine | None = None,
        weight_bits: int = 8,
    ) -> None:
        even = torch.ones(linear.in_features) if smoothing is None else smoothing
        smooth = nn.Linear(linear.in_features, linear.out_features, bias=False)
        smooth.weight = nn.Parameter(linear.weight.detach() * even, requires_grad=False)
        smooth.bias = linear.bias
        super().__init__(smooth, packed=True, weight_bits=weight_bits)
        self._give(given, even, made)

    @classmethod
    def from_static_rows(
        cls,
        rows: Tensor,
        scale: Tensor,
        bias: Tensor | None,
        *,
        given: Affine,
        smoothing: Tensor,
        made: Affine | None = None,
        weight_bits: int = 8,
    ) -> Self:
        """Return the layer that stores these integers, as :meth:`Int8Linear.from_rows` does."""
        layer = cls.from_rows(rows, scale, bias, packed=True, weight_bits=weight_bits)
        layer._give(given, smoothing, made)  # noqa: SLF001 - its own
        return layer

    def _give(self, given: Affine, smoothing: Tensor, made: Affine | None) -> None:
        self.given = given
        self.made = made
        self.register_buffer("smoothing", smoothing)
        self._tiles: Tensor | None = None
        self._steps = 1 / (given.scale * smoothing)
        # A conversion cuts off what is behind the point: half a step more makes that rounding.
        self._shift = torch.full_like(smoothing, given.zero + 0.5)

    @property
    def weight(self) -> Tensor:
        """The weights that the layer computes with, as float32."""
        return super().weight / self.smoothing

    @property
    def grid(self) -> tuple[Tensor, Tensor]:
        """Steps and shift of each input: it is stored as ``floor(x * steps + shift)``."""
        return self._steps, self._shift

    def weights(self) -> Tensor:
        """Return the weights as stored, int8.

        *Shapes:* ``(out_features, in_features)``.
        """
        return super().weights() if self._tiles is None else rows_of(self._tiles, self.out_features, self.in_features)

    def tiles(self) -> Tensor:
        """Return the weights as the kernels of the lean runtime read them.

        They are kept so from now on, and not in oneDNN's layout, which is then made for each call.

        *Shapes:* as of :func:`~leanner.taggers.lean.kernels.tiles.tiles_of`.
        """
        if self._tiles is None:
            self._tiles = tiles_of(self.weights().contiguous())
            self._packed = None
        return self._tiles

    def store(self, weight: Tensor) -> None:
        """Replace the weights by the nearest to ``weight`` on the scales that the layer has.

        *Shapes:* ``(out_features, in_features)``.

        Raises:
            RuntimeError: The weights are laid out for kernels that hold them.
        """
        if self._tiles is not None:
            raise RuntimeError("expected weights that no lean tagger has taken: change them before it is made")
        super().store(weight)

    def packed(self) -> tuple[Tensor, ...]:
        """Return the weights in the layout of a kernel."""
        return super().packed() if self._tiles is None else (self._tiles,)

    @property
    def filled(self) -> int:
        """Zeros that fill up the last tiles."""
        return 0 if self._tiles is None else self._tiles.numel() - self.out_features * self.in_features

    def quantize(self, x: Tensor) -> Tensor:
        """Return what the layer multiplies: one that has the same input takes it as well.

        *Shapes:* ``x`` and result ``(positions, in_features)``; the result is uint8.
        """
        if x.dtype == torch.uint8:
            return x
        return torch.addcmul(self._shift, x, self._steps).clamp_(0, 255).to(torch.uint8)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x @ weight.T + bias``, or the GELU of it.

        *Shapes:* ``x`` ``(…, in_features)``, float32 or uint8; result ``(…, out_features)``.
        """
        given = self.quantize(x.reshape(-1, self.in_features))
        tokens = room_for(given)
        tokens[: len(given)] = given
        made = Affine(1.0, 0) if self.made is None else self.made
        dtype, following = (torch.float32, "none") if self.made is None else (torch.uint8, "gelu")
        packed = self._packed
        if packed is None:
            packed = torch.ops.onednn.qlinear_prepack(self.weights(), None)
        result: Tensor = torch.ops.onednn.qlinear_pointwise(
            *(tokens, self.given.scale, self.given.zero, packed, self.scale, self._zero_points, self.bias),
            # The last one says which GELU: by the error function, as BERT's.
            *(made.scale, made.zero, dtype, following, [], "none"),
        )
        return result[: len(given)].view(*x.shape[:-1], self.out_features)


def quantize_encoder(model: nn.Module, ranges: Mapping[str, tuple[Tensor, Tensor]], bits: int) -> None:
    """Replace the linear layers that have a range, and let the first of a feed-forward block apply its GELU.

    Args:
        model: The layers are named in it.
        ranges: Smallest and largest value of each input of each layer, ``(in_features,)``.
        bits: Of a weight.
    """
    # What a kernel wrote as uint8 has one scale.
    joined = {name for name in ranges if name.endswith(_FIRST) and _applies_gelu(model, name)}
    second = {name.removesuffix(_FIRST) + _SECOND for name in joined}
    smoothing = {name: None if name in second else smoothing_of(*ranges[name]) for name in ranges}
    given = {name: Affine.covering(*ranges[name], smoothing[name]) for name in ranges}
    for name in ranges:
        parent, layer = _parent(model, name), model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        made = None
        if name in joined:
            made = given[name.removesuffix(_FIRST) + _SECOND]
            parent.intermediate_act_fn = nn.Identity()
        quantized = StaticInt8Linear(layer, given[name], smoothing=smoothing[name], made=made, weight_bits=bits)
        setattr(parent, name.rpartition(".")[2], quantized)


def _parent(model: nn.Module, name: str) -> nn.Module:
    return model.get_submodule(name.rpartition(".")[0])


def _applies_gelu(model: nn.Module, name: str) -> bool:
    # Seconds that loading such layers need not wait for.
    from transformers.activations import GELUActivation  # noqa: PLC0415

    return type(getattr(_parent(model, name), "intermediate_act_fn", None)) is GELUActivation
